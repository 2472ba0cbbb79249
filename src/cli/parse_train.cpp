// train and check.
#include <algorithm>
#include <memory>

#include "cli/grammar.h"
#include "core/error.h"
#include "core/format.h"

namespace duet {

namespace {

// What changes no byte of a run.
const std::vector<std::string> kChangeOnResume = {"data.train",   "data.validation",   "data.root",
                                                  "data.cache",   "data.cache_folder", "data.workers",
                                                  "data.prefetch"};

bool may_change_on_resume(const std::string& assignment) {
  const std::string key = assignment.substr(0, assignment.find('='));
  return std::any_of(kChangeOnResume.begin(), kChangeOnResume.end(),
                     [&](const std::string& one) { return key == one || key.starts_with(one + "."); });
}

}  // namespace

void add_train(Grammar& grammar) {
  const auto options = std::make_shared<TrainOptions>();
  CLI::App& app = add_command(
      grammar.app, grammar, "train", "Train and judge", "train a model from a recipe or straight from pictures",
      {{"from a recipe, one value changed", "duet train configs/quickstart.toml --set train.minutes=15"},
       {"your own pictures: a table of paths and captions, or a folder of pictures",
        "duet train --data photos.csv --out runs/photos"},
       {"go on where a run was stopped, killed or cut off", "duet train --resume runs/photos"},
       {"see what a recipe would build, without training", "duet check configs/quickstart.toml"}});
  CLI::Option* recipe =
      add_value(app, "RECIPE", options->recipe, "FILE", "the recipe, a TOML file (see configs/)");
  CLI::Option* data = add_value(
      app, "--data", options->data, "PATH",
      "a .csv or .tsv of pictures and captions, or a folder of pictures; the recipe is picked by its size");
  CLI::Option* resume =
      add_value(app, "--resume", options->resume, "RUN",
                "continue this run from its last checkpoint, to the same bytes as if it had never stopped");
  CLI::Option* out = add_value(app, "--out", options->out, "DIR",
                               "the run's folder (default: runs/ and the name of the recipe or data)");
  add_value(app, "--init-image", options->init_image, "RUN",
            "start with the picture tower of this run, pretrained on pictures alone, say");
  add_value(app, "--init-text", options->init_text, "RUN",
            "start with the caption tower and the tokenizer of this run");
  add_sets(app, options->sets);
  add_root(app, options->root);
  add_device(app, options->device);
  add_threads(app, options->threads, "compute threads");
  app.callback([&grammar, &app, options, recipe, data, resume, out] {
    require_one_of(app, {recipe, data, resume});
    if (resume->count() > 0 &&
        (out->count() > 0 || !std::all_of(options->sets.begin(), options->sets.end(), may_change_on_resume))) {
      fail(Exit::usage, "duet train --resume", "a resumed run keeps its folder and its recipe",
           cat("leave out --out and --set, but for where the data is and how it is read: ",
               joined(kChangeOnResume)));
    }
    grammar.command = *options;
  });
}

void add_check(Grammar& grammar) {
  const auto options = std::make_shared<CheckOptions>();
  CLI::App& app =
      add_command(grammar.app, grammar, "check", "Train and judge",
                  "parse a recipe, build its model, print shapes and parameter counts",
                  {{"every mistake is named with its line", "duet check configs/quickstart.toml"},
                   {"with a wider text tower", "duet check configs/quickstart.toml --set text.width=384"}});
  add_value(app, "RECIPE", options->recipe, "FILE", "the recipe, a TOML file")->required();
  add_sets(app, options->sets);
  app.callback([&grammar, options] { grammar.command = *options; });
}

}  // namespace duet
