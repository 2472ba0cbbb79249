#include "training/ablation_runner.h"

#include <algorithm>
#include <csignal>

#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "evaluation/retrieval.h"
#include "training/ablation_process.h"
#include "training/signals.h"
#include "training/training_data.h"

namespace duet {
namespace {

// What a folder holds of an earlier plan is no part of this one.
void begin_folder(const fs::path& folder, const std::string& identity) {
  const fs::path mark = folder / "identity";
  std::error_code none;
  if (fs::exists(mark, none) && read_file(mark) == identity) return;
  fs::remove_all(folder);
  fs::create_directories(folder);
  replace_file(mark, identity);
}

}  // namespace

std::vector<std::string> train_words(const RunnerSetting& setting, const std::vector<std::string>& what) {
  std::vector<std::string> words = {setting.program.string(), "train"};
  if (!setting.is_aloud) words.emplace_back("-q");
  words.insert(words.end(), what.begin(), what.end());
  if (!setting.root.empty()) words.insert(words.end(), {"--root", setting.root});
  words.insert(words.end(), {"--device", setting.device, "--threads", cat(setting.threads)});
  return words;
}

void fail_training(const std::string& name, int code, std::vector<std::string> words) {
  const bool is_known = code >= static_cast<int>(Exit::usage) && code <= static_cast<int>(Exit::artifact);
  const std::string how = code == 128 + SIGKILL ? std::string("was killed: memory may have been short")
                                                : cat("ended with exit code ", code);
  words.front() = "duet";
  words.erase(std::remove(words.begin(), words.end(), "-q"), words.end());
  fail(is_known ? static_cast<Exit>(code) : Exit::failed, name, how,
       cat("see why with\n  ", shell_line(words)));
}

std::optional<std::vector<SplitRanks>> AblationRunner::operator()(const AblationRun& run) const {
  const fs::path folder = folder_of(run);
  begin_folder(folder, run.identity);
  std::vector<std::string> more;
  if (run.arm->pretrain) {
    const fs::path pretrained = folder / "pretrain";
    if (!train(run, *run.arm->pretrain, run.pretrain_sets(), pretrained, {})) return std::nullopt;
    for (const std::string& tower : run.arm->carried)
      more.insert(more.end(), {cat("--init-", tower), pretrained.string()});
  }
  if (!train(run, run.arm->recipe, run.recipe_sets(), folder / "run", more)) return std::nullopt;
  return score(run, folder / "run");
}

void AblationRunner::remove(const AblationRun& run) const {
  if (!setting_.keep_runs) fs::remove_all(folder_of(run));
}

bool AblationRunner::train(const AblationRun& run, const AblationRecipe& recipe,
                           const std::vector<std::string>& sets, const fs::path& out,
                           const std::vector<std::string>& more) const {
  if (fs::exists(out / "model")) return true;
  std::vector<std::string> what = {"--resume", out.string()};
  if (!fs::exists(out / "recipe.toml")) {
    what = {recipe.file.string(), "--out", out.string()};
    for (const std::string& assignment : sets) what.insert(what.end(), {"--set", assignment});
    what.insert(what.end(), more.begin(), more.end());
  }
  const std::vector<std::string> words = train_words(setting_, what);
  const int code = run_program(words).code;
  if (code == 0) return true;
  if (SignalWatch::received() != 0 || code == 128 + SIGINT || code == 128 + SIGTERM) return false;
  fail_training(run.name(), code, words);
}

std::vector<SplitRanks> AblationRunner::score(const AblationRun& run, const fs::path& trained) const {
  const SavedModel saved = load_saved_model(trained, "best", setting_.device);
  Recipe recipe = saved.recipe;
  recipe.data.train.aloud = false;
  for (NamedSource& split : recipe.data.validation) split.options.aloud = false;
  std::vector<Source> sources;
  std::vector<Source> validation = read_training_data(recipe, setting_.root).validation;
  for (const std::string& name : plan_->splits)
    sources.push_back(*std::find_if(validation.begin(), validation.end(),
                                    [&](const Source& source) { return source.name == name; }));
  if (run.role == "confirm") {
    for (const NamedSource& split : plan_->confirm_splits) {
      SourceOptions options = recipe.data.train;
      options.data = split.options.data;
      options.format = "auto";
      if (!setting_.root.empty()) options.root = setting_.root;
      if (!recipe.data.query_columns.empty()) options.caption_columns = recipe.data.query_columns;
      sources.push_back(read_source(options));
      sources.back().name = split.name;
    }
  }
  std::vector<SplitRanks> scores;
  for (const Source& source : sources) {
    RetrievalResult result = evaluate_retrieval(embed_setting_of(saved), source);
    scores.push_back({.name = source.name,
                      .gallery = result.text_to_image.gallery,
                      .ranks = std::move(result.text_to_image.ranks)});
  }
  return scores;
}

}  // namespace duet
