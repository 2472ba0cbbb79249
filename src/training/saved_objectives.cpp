#include "training/saved_objectives.h"

#include <algorithm>

#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "tensors/tensor_file.h"
#include "training/objectives.h"

namespace duet {

SavedObjectives::SavedObjectives(const SavedModel& saved)
    : saved_(saved), teachers_(std::make_unique<Teachers>(*saved.model)) {
  const Recipe& recipe = saved.recipe;
  const auto objectives =
      make_objectives(recipe, *saved.model, *teachers_,
                      unread_sources(recipe, std::max<std::int64_t>(1, saved.model->vocabulary())));
  for (std::size_t i = 0; i < objectives.size(); ++i)
    all_.push_back(
        {recipe.objectives[i].name, recipe.objectives[i].kind, &recipe.objectives[i].needs, objectives[i]});
}

void SavedObjectives::restore(const SavedObjective& one) {
  const fs::path file = saved_.folder / "objectives.safetensors";
  if (tensors_.empty()) {
    if (!fs::exists(file)) {
      fail(Exit::artifact, saved_.folder.string(), "keeps no heads of its objectives",
           "name a checkpoint of the run, which has them: --checkpoint last");
    }
    tensors_ = load_tensors(file);
  }
  const std::string prefix = cat("objective.", one.name, ".");
  TensorMap values;
  for (auto at = tensors_.lower_bound(prefix); at != tensors_.end() && at->first.starts_with(prefix); ++at)
    values[at->first.substr(prefix.size())] = at->second;
  const torch::NoGradGuard no_grad;
  // Buffers that were counted in the captions are as long as these made them.
  for (const auto& buffer : one.objective->named_buffers()) {
    if (const auto value = values.find(buffer.key()); value != values.end())
      buffer.value().resize_(value->second.sizes());
  }
  copy_into(tensors_of(*one.objective), values, cat(file.string(), ", ", one.name));
  one.objective->to(saved_.device);
  one.objective->eval();
}

void SavedObjectives::fail_without(std::string_view what, std::string_view name) const {
  std::vector<std::string> names;
  for (const SavedObjective& one : all_)
    names.push_back(one.name == one.kind ? one.name : cat(one.name, " (", one.kind, ")"));
  fail(Exit::usage, saved_.folder.string(),
       cat("has no ", what, name.empty() ? std::string() : cat(" called '", name, "'")),
       cat("its objectives: ", joined(names)));
}

}  // namespace duet
