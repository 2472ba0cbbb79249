// Makes one run of an ablation: trained by duet train in a process of its own, then scored.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "training/ablation_results.h"

namespace duet {

struct RunnerSetting {
  std::filesystem::path program;  // duet or duet-engine
  std::filesystem::path runs;     // a folder: the runs at hand live in it
  std::string root, device = "auto";
  int threads = 0;
  bool is_aloud = false;   // let the runs speak
  bool keep_runs = false;  // those that were scored
};

// duet train on these words, with the setting's pictures, device and threads.
std::vector<std::string> train_words(const RunnerSetting& setting, const std::vector<std::string>& what);
// `name`, the run, ended with this code; says how to see why.
[[noreturn]] void fail_training(const std::string& name, int code, std::vector<std::string> words);

class AblationRunner {
 public:
  AblationRunner(const AblationPlan& plan, RunnerSetting setting)
      : plan_(&plan), setting_(std::move(setting)) {}

  // Goes on with a run that was stopped or killed. Nothing: a signal stopped it, its state is saved. Error with
  // the command that shows why, when it failed.
  std::optional<std::vector<SplitRanks>> operator()(const AblationRun& run) const;
  // Of a run that has a row.
  void remove(const AblationRun& run) const;

 private:
  std::filesystem::path folder_of(const AblationRun& run) const { return setting_.runs / run.folder(); }
  bool train(const AblationRun& run, const AblationRecipe& recipe, const std::vector<std::string>& sets,
             const std::filesystem::path& out, const std::vector<std::string>& more) const;
  std::vector<SplitRanks> score(const AblationRun& run, const std::filesystem::path& trained) const;

  const AblationPlan* plan_;
  RunnerSetting setting_;
};

}  // namespace duet
