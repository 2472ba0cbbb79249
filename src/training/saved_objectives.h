// The objectives of a saved model with what they learned, for looking at it. No data is needed: what an
// objective counted in the captions is kept beside its heads.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "losses/objective.h"
#include "run/saved_model.h"

namespace duet {

struct SavedObjective {
  std::string name, kind;
  const Needs* needs = nullptr;
  std::shared_ptr<Objective> objective;
};

class SavedObjectives {
 public:
  explicit SavedObjectives(const SavedModel& saved);  // `saved` outlives it

  template <class Ability>
  struct Able {
    std::string name, kind;
    Ability* ability = nullptr;
    const Needs* needs = nullptr;
  };
  // Those of this ability (losses/shown.h), in evaluation mode on the model's device, in the recipe's order; or
  // only the one called `name`. Error(usage) when there is none, naming those that the run has: `what` is
  // "objective that fills masks (masked_lm)". Error(artifact) when their heads are not kept.
  template <class Ability>
  std::vector<Able<Ability>> of(std::string_view what, std::string_view name = {}) {
    std::vector<Able<Ability>> able;
    for (const SavedObjective& one : all_) {
      auto* ability = dynamic_cast<Ability*>(one.objective.get());
      if (ability == nullptr || (!name.empty() && one.name != name)) continue;
      restore(one);
      able.push_back({one.name, one.kind, ability, one.needs});
    }
    if (able.empty()) fail_without(what, name);
    return able;
  }

 private:
  void restore(const SavedObjective& one);
  [[noreturn]] void fail_without(std::string_view what, std::string_view name) const;

  const SavedModel& saved_;
  std::unique_ptr<Teachers> teachers_;
  std::vector<SavedObjective> all_;
  TensorMap tensors_;  // of all, by their file names; read when the first is asked for
};

}  // namespace duet
