// What a run saves: a sealed folder "duet-checkpoint" with everything that a step depends on, so that a resumed
// run goes on bit for bit; and at the end a sealed folder "duet-model" with the chosen weights alone.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/sealed.h"
#include "tensors/tensor_file.h"

namespace duet {

inline constexpr int kCheckpointVersion = 1;
inline constexpr int kModelVersion = 1;

// The files of a checkpoint: recipe.toml, tokenizer.model and one safetensors file per entry of `tensors`
// ("model", "ema", "optimizer", "objectives").
struct CheckpointContent {
  std::string recipe_toml;
  std::string tokenizer_model;  // "" without texts
  std::map<std::string, TensorMap> tensors;
  nlohmann::json facts;  // step, steps, best, log offsets, threads, precision, ...
};

// Writes RUN/checkpoints/step-N under a temporary name, seals and publishes it. There must be none of that step.
void save_checkpoint(const std::filesystem::path& run, std::int64_t step, const CheckpointContent& content);
void save_model(const std::filesystem::path& run,
                const CheckpointContent& content);  // RUN/model, tensors: "model"

// Steps of the checkpoints there are, ascending; temporary left-overs are not among them.
std::vector<std::int64_t> checkpoint_steps(const std::filesystem::path& run);
std::filesystem::path checkpoint_folder(const std::filesystem::path& run, std::int64_t step);
// Verified whole. Error(artifact).
Sealed open_checkpoint(const std::filesystem::path& run, std::int64_t step);
// Removes all but the newest `keep` and `best`.
void prune_checkpoints(const std::filesystem::path& run, std::int64_t keep, std::optional<std::int64_t> best);

}  // namespace duet
