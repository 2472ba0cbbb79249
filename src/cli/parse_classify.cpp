// classify.
#include <limits>
#include <memory>

#include "cli/grammar.h"
#include "core/error.h"
#include "core/format.h"

namespace duet {

namespace {

constexpr const char* kCommand = "duet classify";

// Given without what it belongs to, an option would be passed over in silence.
void require_beside(const CLI::Option* option, const CLI::Option* other) {
  if (option->count() > 0 && other->count() == 0)
    fail(Exit::usage, kCommand, cat(option->get_name(), " goes with ", other->get_name()),
         cat("give ", other->get_name(), " too, or leave out ", option->get_name()));
}

}  // namespace

void add_classify(Grammar& grammar) {
  const auto options = std::make_shared<ClassifyOptions>();
  CLI::App& app = add_command(
      grammar.app, grammar, "classify", "Classify",
      "tell which class pictures or texts belong to, by the classes' names or a classifier that was learned",
      {{"by names alone: no picture with a label is needed",
        "duet classify runs/quickstart --images ~/Pictures --labels labels.txt"},
       {"the three likeliest classes, each name in 80 sentences, for a spreadsheet",
        "duet classify runs/quickstart --images photos.csv --labels labels.txt --templates openai --top 3 "
        "--out classes.csv"},
       {"by a few labelled examples (duet fewshot --save)",
        "duet classify runs/quickstart --images ~/Pictures --model animals.classifier"},
       {"texts, one a line", "duet classify runs/quickstart --texts reviews.txt --labels labels.txt --json"}});
  add_value(app, "RUN", options->run, "RUN", "the folder that duet train wrote, or a bundle of duet index")
      ->required();
  CLI::Option* images =
      add_value(app, "--images", options->images, "PATH", "a folder of pictures, or a .csv or .tsv manifest");
  CLI::Option* texts = add_value(app, "--texts", options->texts, "FILE", "a text a line; - is standard input");
  CLI::Option* labels =
      add_value(app, "--labels", options->class_names, "FILE",
                "the classes, one a line: a label, or a label, a TAB and one or more names of it with TABs "
                "between them");
  CLI::Option* templates =
      add_value(app, "--templates", options->templates, "FILE",
                "what is said of a class, {} being its name: simple ({} alone), openai (80 sentences on "
                "photos), or a file, one a line");
  CLI::Option* model = add_value(app, "--model", options->model, "DIR",
                                 "a classifier that duet fewshot or evaluate --save wrote");
  add_integer(app, "--top", options->top, 1, std::numeric_limits<std::int32_t>::max(),
              "how many classes an item, the likeliest first");
  CLI::Option* calibrate =
      add_value(app, "--calibrate", options->calibrate, "PATH",
                "labelled items of the same kind, a manifest or a folder of folders, by which probabilities "
                "become shares of right answers; it changes no label");
  CLI::Option* column =
      add_value(app, "--label-column", options->label_column, "COLUMN",
                "the classes' column of --calibrate (default: label, class or category; of a folder its first "
                "folders)");
  CLI::Option* text_column = add_value(app, "--text-column", options->text_column, "COLUMN",
                                       "the texts' column of --calibrate (default: text, sentence or caption)");
  add_switch(app, "--json", options->json, "print one JSON object");
  add_switch(app, "--csv", options->csv, "print CSV with a header");
  add_value(app, "--out", options->out, "FILE",
            "write there instead of printing; X.csv and X.json choose the form");
  add_checkpoint(app, options->checkpoint);
  add_root(app, options->root);
  add_batch(app, options->batch);
  add_max_bad_fraction(app, options->max_bad_fraction);
  add_device(app, options->device);
  add_threads(app, options->threads, "compute threads");
  app.callback(
      [&grammar, &app, options, images, texts, labels, templates, model, calibrate, column, text_column] {
        require_one_of(app, {images, texts});
        require_one_of(app, {labels, model});
        require_beside(templates, labels);
        require_beside(column, calibrate);
        require_beside(text_column, calibrate);
        require_beside(text_column, texts);
        if (options->json && options->csv)
          fail(Exit::usage, kCommand, "--json and --csv exclude each other", "give one of them");
        if (!options->json && !options->csv) {
          options->json = options->out.ends_with(".json");
          options->csv = options->out.ends_with(".csv");
        }
        grammar.command = *options;
      });
}

}  // namespace duet
