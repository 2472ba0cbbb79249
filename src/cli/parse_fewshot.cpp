// fewshot.
#include <algorithm>
#include <charconv>
#include <memory>

#include "cli/grammar.h"
#include "core/error.h"
#include "core/format.h"

namespace duet {

namespace {

constexpr std::int64_t kMostShots = 1'000'000;

std::string check_shots(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value >= 1 && value <= kMostShots) return {};
  return cat("'", text, "' is no number of shots; say, --shots 1,2,4,8,16");
}

std::string check_share(const std::string& text) {
  double value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value > 0 && value < 1) return {};
  return cat("'", text, "' is no share; above 0 and below 1 allowed");
}

void add_shots(CLI::App& app, std::vector<std::int64_t>& shots) {
  app.add_option("--shots", shots, "labelled items a class to learn from (default: 1,2,4,8,16)")
      ->type_name("N,N,...")
      ->allow_extra_args(false)
      ->delimiter(',')
      ->check(check_shots);
}

void check(const CLI::App& app, FewShotOptions& options) {
  check_labels(app, options.labels);
  if (!options.labels.separator.empty())
    fail(Exit::usage, "duet fewshot", "--separator is for items with several labels",
         "few-shot methods learn one label an item: leave it out");
  if (!options.test.empty() && app.get_option("--test-share")->count() > 0)
    fail(Exit::usage, "duet fewshot", "--test-share and --test exclude each other",
         "--test-share keeps a part of --data for the test");
  if (options.test.empty() && options.leave_out_shared)
    fail(Exit::usage, "duet fewshot", "--leave-out-shared needs --test",
         "a test part of --data never shares an item with the rest");
  if (!options.out.empty() && (options.methods.size() != 1 || options.methods.front() == "all"))
    fail(Exit::usage, "duet fewshot", "--save keeps the classifier of one method", "name it by --methods");
  std::sort(options.shots.begin(), options.shots.end());
  options.shots.erase(std::unique(options.shots.begin(), options.shots.end()), options.shots.end());
}

}  // namespace

void add_fewshot(Grammar& grammar) {
  const auto options = std::make_shared<FewShotOptions>();
  CLI::App& app = add_command(
      grammar.app, grammar, "fewshot", "Train and judge",
      "learn classes from a handful of labelled items, by many methods on the same splits",
      {{"a folder for each class; a quarter of the pictures is kept for the test",
        "duet fewshot runs/quickstart --data photos/"},
       {"another file for the test, and a page with curves",
        "duet fewshot runs/quickstart --data train.csv --test test.csv --report fewshot.html"},
       {"keep a classifier for duet classify --model",
        "duet fewshot runs/quickstart --data photos/ --methods tip_adapter_f --shots 16 --seeds 1 "
        "--save birds"},
       {"classes of texts", "duet fewshot runs/sentences --data reviews.tsv --texts --label-column mood"}});
  add_value(app, "RUN", options->run, "RUN", "the folder that duet train wrote")->required();
  add_value(app, "--data", options->data, "PATH",
            "labelled items to draw from: a folder of folders or a manifest")
      ->required();
  add_value(app, "--test", options->test, "PATH",
            "labelled items to judge on; its classes count (default: a share of --data)");
  app.add_option("--test-share", options->test_share, "without --test: share of each class kept for the test")
      ->type_name("SHARE")
      ->take_last()
      ->capture_default_str()
      ->check(check_share);
  add_switch(app, "--leave-out-shared", options->leave_out_shared,
             "items that --data and --test share are not drawn, instead of refused");
  add_switch(app, "--leave-out-small", options->leave_out_small,
             "classes with too few items for the most shots and validation take no part, instead of refused");
  add_labels(app, options->labels);
  add_shots(app, options->shots);
  add_integer(app, "--seeds", options->seeds, 1, 1000, "splits for each number of shots (default: 10)")
      ->default_str("");
  app.add_option("--validation-share", options->validation_share,
                 "items of a class to choose on, as a share of its shots (default: min(shots, 4) items)")
      ->type_name("SHARE")
      ->take_last()
      ->check(check_share);
  add_list(app, "--methods", options->methods, "NAME,NAME,...",
           "which methods (docs/few_shot.md); all: those that train a tower, too (default: all on frozen "
           "features)")
      ->delimiter(',');
  add_integer(app, "--epochs", options->epochs, 1, 1000,
              "for lora, fine_tune and wise_ft: epochs at most (default: 3, more of few items)")
      ->default_str("");
  add_value(app, "--labels", options->class_names, "FILE",
            "names of the classes, one a line: the label, or the label, a tab and its names (default: the "
            "labels)");
  add_value(app, "--templates", options->templates, "simple|openai|FILE",
            "what is said of a class, {} being its name; a FILE holds one a line");
  add_switch_off(app, "--no-fallback", options->fallback,
                 "count a method's own answers where zero-shot did better on validation, too");
  add_value(app, "--against", options->against, "METHOD",
            "what differences are from, on the same items and seeds; given, they are printed, too (default: "
            "zero_shot)");
  add_value(app, "--results", options->results, "FILE",
            "a row a fit, kept and gone on with (default: RUN/fewshot/NAME.jsonl)");
  add_value(app, "--splits", options->splits, "FILE",
            "write the splits, or replay them when the file is there");
  add_value(app, "--save", options->out, "DIR",
            "keep the classifier of the one method: of most shots and the first seed");
  add_value(app, "--report", options->report, "FILE", "write a page with the table and curves");
  add_value(app, "--csv", options->csv, "FILE", "write every number as CSV");
  add_value(app, "--latex", options->latex, "FILE", "write the table as LaTeX (booktabs)");
  add_switch(app, "--json", options->json, "print one JSON object");
  add_checkpoint(app, options->checkpoint);
  add_root(app, options->root);
  add_batch(app, options->batch);
  add_max_bad_fraction(app, options->max_bad_fraction);
  add_device(app, options->device);
  add_threads(app, options->threads, "compute threads");
  app.callback([&grammar, &app, options] {
    check(app, *options);
    grammar.command = *options;
  });
}

}  // namespace duet
