// Runs of seconds: drawn shapes, two small towers.
#pragma once
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "core/files.h"
#include "run/checkpoint.h"
#include "tensors/device.h"
#include "training/take_over.h"
#include "training/trainer.h"

namespace duet {

inline constexpr const char* kShapes = R"(
seed = 3
[data]
train = "shapes"
shapes_count = 64
[tokenizer]
vocabulary = 300
[image]
kind = "convnet"
size = 24
widths = [8, 16]
[text]
kind = "bag_of_tokens"
context = 16
[[space]]
name = "joint"
dimension = 16
[views.main]
crop = [0.8, 1.0]
rotation = 5
[[objective]]
kind = "info_nce"
[train]
batch = 16
steps = 12
lr = 2e-3
evaluations = 2
log_every = 3
ema = 0.9
)";

inline Recipe recipe_with(const std::vector<std::string>& sets, const char* text = kShapes) {
  Config config = Config::parse(text, "test");
  for (const std::string& assignment : sets) config.set(assignment);
  return read_recipe(config);
}

struct SmallRun {
  explicit SmallRun(const Recipe& with, const fs::path& folder)
      : recipe(with), data(read_training_data(recipe, "")), tokenizer(make_tokenizer()) {
    fs::create_directories(folder);
    trainer.emplace(recipe, data, tokenizer, folder, torch::kCPU, set_compute_threads(1));
  }
  std::optional<Tokenizer> make_tokenizer() const {
    if (!recipe.model.text.make) return {};
    if (!recipe.train.init_text.empty()) return taken_over_tokenizer(recipe);
    return Tokenizer::train(training_texts(data), recipe.tokenizer);
  }
  Recipe recipe;
  TrainingData data;
  std::optional<Tokenizer> tokenizer;
  std::optional<Trainer> trainer;
};

inline std::string bytes_of(const fs::path& file) { return read_file(file); }

inline void expect_equal_runs(const fs::path& a, const fs::path& b) {
  EXPECT_EQ(bytes_of(a / "model/model.safetensors"), bytes_of(b / "model/model.safetensors"));
  EXPECT_EQ(bytes_of(a / "metrics.jsonl"), bytes_of(b / "metrics.jsonl"));
  std::vector<std::string> files = {"model", "ema", "optimizer", "objectives"};
  if (fs::exists(checkpoint_folder(a, 12) / "teachers.safetensors")) files.push_back("teachers");
  for (const std::string& file : files) {
    const std::string name = file + ".safetensors";
    EXPECT_EQ(bytes_of(checkpoint_folder(a, 12) / name), bytes_of(checkpoint_folder(b, 12) / name)) << name;
  }
}

}  // namespace duet
