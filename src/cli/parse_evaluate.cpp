// evaluate: how well a run finds, and how well it tells classes.
#include <algorithm>
#include <memory>

#include "cli/corruption_names.h"
#include "cli/grammar.h"
#include "core/error.h"
#include "core/format.h"

namespace duet {

namespace {

constexpr const char* kOfFewshot = "few_shot";                             // known, to say where it is
const std::vector<std::string> kTuned = {"lora", "fine_tune", "wise_ft"};  // they train a tower
const std::vector<std::string> kLearn = {"knn", "linear_probe", "ridge", "lora", "fine_tune", "wise_ft"};
const std::vector<std::string> kKept = {"linear_probe", "ridge", "lora", "fine_tune", "wise_ft"};
const std::vector<std::string> kNamed = {"zero_shot", "lora", "fine_tune", "wise_ft"};
const std::vector<std::string> kSeveral = {"zero_shot", "knn", "linear_probe", "ridge"};  // labels an item
const std::vector<std::string> kClassify = {"zero_shot", "knn",       "linear_probe", "ridge",
                                            "lora",      "fine_tune", "wise_ft"};

std::vector<std::string> all_tasks() {
  std::vector<std::string> tasks = kClassify;
  tasks.insert(tasks.begin(), "retrieval");
  return tasks;
}

bool holds(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Given to another task an option would be passed over in silence. `given`: the task, and the one that it is
// compared with.
void check_belongs(const CLI::App& app, const std::vector<std::string>& given,
                   const std::vector<std::string>& names, const std::vector<std::string>& tasks) {
  if (std::ranges::any_of(given, [&](const std::string& task) { return holds(tasks, task); })) return;
  for (const std::string& name : names) {
    if (app.get_option(name)->count() == 0) continue;
    fail(Exit::usage, "duet evaluate", cat(name, " is not for --task ", joined(given, " or ")),
         cat("it goes with --task ", joined(tasks, "|")));
  }
}

void check_apart(const CLI::App& app, const std::string& name, const std::vector<std::string>& others,
                 const std::string& why) {
  for (const std::string& other : others) {
    if (app.get_option(name)->count() == 0 || app.get_option(other)->count() == 0) continue;
    fail(Exit::usage, cat("duet evaluate ", name), cat("does not go with ", other), why);
  }
}

void check_task(const CLI::App& app, const EvaluateOptions& options) {
  const std::string& task = options.task;
  if (task == kOfFewshot) {
    fail(Exit::usage, cat("duet evaluate --task ", task), "is what duet fewshot measures",
         "it draws its own splits: duet fewshot RUN --data LABELLED; see duet fewshot --help");
  }
  std::vector<std::string> tasks = {task};
  if (!options.against_task.empty()) tasks.push_back(options.against_task);
  check_belongs(app, {task}, {"--captions", "--objectives"}, {"retrieval"});
  // The baseline that corrupted pictures are held against learns from it, too.
  if (task != "zero_shot" || options.corrupt.empty()) check_belongs(app, tasks, {"--train"}, kLearn);
  check_belongs(app, tasks, {"--labels", "--templates"}, kNamed);
  check_belongs(app, tasks, {"-k"}, {"knn"});
  check_belongs(app, tasks, {"--epochs"}, kTuned);
  check_belongs(app, {task}, {"--save"}, kKept);
  check_belongs(app, {task},
                {"--validation", "--leave-out-shared", "--report", "--label-column", "--concept-column",
                 "--texts", "--text-column", "--second-column", "--against", "--against-task"},
                kClassify);
  check_belongs(app, {task}, {"--separator"}, kSeveral);
  const auto require = [&](const std::string& name, bool given) {
    if (!given)
      fail(Exit::usage, cat("duet evaluate --task ", task), cat(name, " is missing"),
           cat("give ", name, " a folder of folders or a manifest with classes"));
  };
  require("--data", !holds(kClassify, task) || !options.data.empty());
  const bool learns = std::ranges::any_of(tasks, [](const std::string& one) { return holds(kLearn, one); });
  require("--train", !learns || !options.train.empty());
  if (task == "zero_shot" && !options.labels.separator.empty() && !options.validation.empty())
    fail(Exit::usage, "duet evaluate",
         "--validation sets the scale of probabilities, which mAP does not look at", "leave out --validation");
  check_labels(app, options.labels);
  check_apart(app, "--corrupt", {"--texts", "--separator", "--objectives"},
              "it corrupts pictures, and counts which of them are found, or told as their one class");
  check_apart(app, "--save", {"--separator"}, "a classifier that is kept tells one class an item");
  for (const char* name : {"--against", "--against-task"})
    check_apart(app, name, {"--corrupt", "--separator"},
                "it counts which items two classifiers tell as their one class, as they are");
}

void add_corrupt(CLI::App& app, std::vector<std::string>& kinds) {
  const std::vector<std::string> all(kCorruptionNames.begin(), kCorruptionNames.end());
  add_list(app, "--corrupt", kinds, "KIND",
           cat("also judge on corrupted pictures, in five strengths: all, or some of ", joined(all),
               "; with --train against a ridge classifier that sees pixels alone"))
      ->delimiter(',')
      ->check([all](const std::string& text) -> std::string {
        if (text == "all" || holds(all, text)) return {};
        return cat("'", text, "' is none of all, ", joined(all));
      });
}

// Each kind once, in the order in which they are known.
std::vector<std::string> chosen_kinds(const std::vector<std::string>& given) {
  std::vector<std::string> kinds;
  for (const std::string_view kind : kCorruptionNames) {
    if (holds(given, "all") || holds(given, std::string(kind))) kinds.emplace_back(kind);
  }
  return kinds;
}

}  // namespace

void add_evaluate(Grammar& grammar) {
  const auto options = std::make_shared<EvaluateOptions>();
  CLI::App& app =
      add_command(grammar.app, grammar, "evaluate", "Train and judge",
                  "how well a run finds (recall and ranks, both directions) or tells classes, with intervals",
                  {{"on the recipe's validation data", "duet evaluate runs/quickstart"},
                   {"on other pairs, under a name of your own",
                    "duet evaluate runs/quickstart --data test=data/emoji/test_style.tsv"},
                   {"classes by their names alone, without any training, clean and under noise, blur and "
                    "compression, with a page",
                    "duet evaluate runs/quickstart --task zero_shot --data photos/ --corrupt all --report "
                    "names.html"},
                   {"its tower trained on labels: is that better than a linear classifier on frozen features? "
                    "kept for duet classify",
                    "duet evaluate runs/quickstart --task fine_tune --train train.csv --data test.csv "
                    "--against-task linear_probe --save birds"}});
  add_value(app, "RUN", options->run, "RUN", "the folder that duet train wrote")->required();
  add_value(app, "--task", options->task, joined(all_tasks(), "|"),
            "what to judge: how well it finds, or tells classes apart: by their names, by a classifier on its "
            "frozen features, or with a tower that is trained on --train (docs/few_shot.md)")
      ->check([](const std::string& text) -> std::string {
        if (holds(all_tasks(), text) || text == kOfFewshot) return {};
        return cat("'", text, "' is none of ", joined(all_tasks()));
      });
  add_list(app, "--data", options->data, "[NAME=]PATH",
           "a manifest to judge on (repeatable; default: the recipe's validation data)");
  add_list(app, "--captions", options->captions, "COLUMN",
           "caption columns, repeated or with commas (default: the recipe's)")
      ->delimiter(',');
  add_value(app, "--train", options->train, "PATH", "labelled data to learn the classifier from");
  add_value(app, "--validation", options->validation, "PATH",
            "labelled data to choose its settings on (default: a part of --train, in whole concepts)");
  add_switch(app, "--leave-out-shared", options->leave_out_shared,
             "do not learn from what --data holds too, instead of refusing it");
  add_labels(app, options->labels);
  add_value(app, "--labels", options->class_names, "FILE",
            "names of the classes, one a line: the label, or the label, a tab and its names (default: the "
            "labels); a tower that is trained starts from them, where they tell more than its features");
  add_value(app, "--templates", options->templates, "FILE",
            "what is said of a class, {} being its name: simple, openai (80 of them), or a file, one a line");
  add_integer(app, "-k,--neighbours", options->k, 0, 200, "neighbours that vote; 0: as many as do best");
  add_integer(app, "--epochs", options->epochs, 1, 1000,
              "for lora, fine_tune and wise_ft: epochs at most (default: 3, more of few items)")
      ->default_str("");
  add_corrupt(app, options->corrupt);
  add_value(app, "--against", options->against, "RUN",
            "another run: given the same task, is it better or worse on the same items, and by how much");
  add_choice(app, "--against-task", options->against_task, kClassify,
             "another task: is it better or worse on the same items, of RUN or of the run of --against");
  add_value(app, "--save", options->out, "DIR",
            "keep the classifier for duet classify --model, and the model that a tower was trained to");
  add_value(app, "--report", options->report, "FILE",
            "write a page: scores of each class, who is taken for whom, the worst mistakes");
  add_checkpoint(app, options->checkpoint);
  add_switch(app, "--objectives", options->objectives,
             "how each objective of the run does on validation data, against the same network untrained");
  add_switch(app, "--json", options->json, "print one JSON object");
  add_switch_off(app, "--no-save", options->save, "do not write RUN/results.json");
  add_root(app, options->root);
  add_batch(app, options->batch);
  add_max_bad_fraction(app, options->max_bad_fraction);
  add_device(app, options->device);
  add_threads(app, options->threads, "compute threads");
  app.callback([&grammar, &app, options] {
    options->corrupt = chosen_kinds(options->corrupt);
    check_task(app, *options);
    grammar.command = *options;
  });
}

}  // namespace duet
