// Few-shot methods compared without a leak: all on the same splits, hyperparameters and the epoch chosen on the
// few-shot validation part (CoOp's protocol, Zhou et al. 2022), the test asked once when all is fitted. Methods
// are handed items without labels, and beside them the labels of support and validation alone.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "adaptation/few_shot_data.h"
#include "adaptation/few_shot_results.h"
#include "adaptation/method.h"

namespace duet {

struct FewShotFit {
  Adapted adapted;
  double validation = 0;    // accuracy there
  bool falls_back = false;  // zero-shot does better there: it counts
  double seconds = 0;       // of fitting
};

class FewShotBench {
 public:
  // `data` outlives it; its features are there. `model`: the identity of the task's.
  FewShotBench(const FewShotData& data, AdaptationTask task, std::string model);

  // Why the method has no meaning here: Error(usage)'s words; nothing where it has one.
  std::optional<std::string> refusal(const MethodKind& kind) const;
  // Error(failed) when a row of the split is one of the test's.
  FewShotFit fit(const MethodKind& kind, const FewShotSplit& split) const;
  // What its row holds, the test being asked for it.
  FewShotRow row(const MethodKind& kind, const FewShotSplit& split) const;
  // None: without the classes' names.
  std::optional<FewShotRow> zero_shot_row() const;

  Part labelled(const std::vector<std::int64_t>& rows) const;
  Part asked() const;
  const FewShotData& data() const { return *data_; }
  const AdaptationTask& task() const { return task_; }

  // Checksum of all that a row depends on: model, test, names, templates, method and split, and the epochs of a
  // method that trains for some.
  std::string identity(std::string_view method, const FewShotSplit& split) const;

 private:
  const FewShotData* data_;
  AdaptationTask task_;
  Labelled items_, test_;  // without labels
  std::string study_;      // what the identities of all rows begin with
};

struct FewShotPlan {
  std::vector<const MethodKind*> methods;
  std::vector<FewShotSplit> splits;
  bool by_name = false;  // the methods were asked for: one that has no meaning here is refused, else left out
};

// The plan without methods that have no meaning here, with one warning; or Error(usage) when they were asked
// for by name.
FewShotPlan usable(const FewShotBench& bench, FewShotPlan plan);

// Makes the rows that are missing, each on the disk as soon as it is there, and tells how far it is. A method
// that refuses its first split (Error(usage)) is left out with a warning, unless it was asked for by name.
// Whether all of them are there now; else `is_stopped` said so.
bool run_few_shot(const FewShotBench& bench, FewShotPlan& plan, FewShotResults& results,
                  const std::function<bool()>& is_stopped);

}  // namespace duet
