#include "run/checkpoint.h"

#include <algorithm>
#include <charconv>

#include "core/error.h"
#include "core/files.h"
#include "core/format.h"

namespace duet {
namespace {

constexpr std::string_view kPrefix = "step-";

void save_sealed(const fs::path& target, std::string_view format, int version,
                 const CheckpointContent& content) {
  fs::create_directories(target.parent_path());
  remove_leftovers(target.parent_path());
  const fs::path temporary = temporary_beside(target);
  try {
    fs::create_directories(temporary);
    write_file(temporary / "recipe.toml", content.recipe_toml);
    if (!content.tokenizer_model.empty()) write_file(temporary / "tokenizer.model", content.tokenizer_model);
    for (const auto& [name, tensors] : content.tensors)
      save_tensors(temporary / (name + ".safetensors"), tensors);
    seal_folder(temporary, format, version, content.facts);
    publish_folder(temporary, target);
  } catch (...) {  // a full disk, say: give the space back; what was saved before is untouched
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    throw;
  }
}

}  // namespace

void save_checkpoint(const fs::path& run, std::int64_t step, const CheckpointContent& content) {
  save_sealed(checkpoint_folder(run, step), "duet-checkpoint", kCheckpointVersion, content);
}

void save_model(const fs::path& run, const CheckpointContent& content) {
  save_sealed(run / "model", "duet-model", kModelVersion, content);
}

fs::path checkpoint_folder(const fs::path& run, std::int64_t step) {
  return run / "checkpoints" / cat(kPrefix, step);
}

std::vector<std::int64_t> checkpoint_steps(const fs::path& run) {
  std::vector<std::int64_t> steps;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(run / "checkpoints", none)) {
    const std::string name = entry.path().filename().string();
    std::int64_t step = -1;
    if (!name.starts_with(kPrefix)) continue;
    const auto [end, problem] = std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), step);
    if (problem == std::errc() && end == name.data() + name.size()) steps.push_back(step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

Sealed open_checkpoint(const fs::path& run, std::int64_t step) {
  return open_sealed(checkpoint_folder(run, step), "duet-checkpoint", kCheckpointVersion);
}

void prune_checkpoints(const fs::path& run, std::int64_t keep, std::optional<std::int64_t> best) {
  std::vector<std::int64_t> steps = checkpoint_steps(run);
  const auto surplus = static_cast<std::int64_t>(steps.size()) - keep;
  for (std::int64_t i = 0; i < surplus; ++i) {
    if (steps[static_cast<std::size_t>(i)] == best) continue;
    // Renamed first: a half-removed checkpoint must not look like a damaged one.
    const fs::path folder = checkpoint_folder(run, steps[static_cast<std::size_t>(i)]);
    const fs::path doomed = temporary_beside(folder);
    fs::rename(folder, doomed);
    fs::remove_all(doomed);
  }
}

}  // namespace duet
