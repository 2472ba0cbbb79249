// Low-rank parts in a whole run: trained, resumed, merged.
#include <ATen/ops/allclose.h>
#include <gtest/gtest.h>

#include "encoders/low_rank.h"
#include "run/saved_model.h"
#include "tests/support/temporary_folder.h"
#include "tests/training/small_run.h"

namespace duet {
namespace {

constexpr const char* kLowRank = R"(
seed = 3
[data]
train = "shapes"
shapes_count = 64
[tokenizer]
vocabulary = 300
[image]
kind = "vit"
size = 16
patch = 8
width = 12
layers = 2
heads = 2
dropout = 0.1
[text]
kind = "transformer"
width = 8
layers = 2
heads = 2
context = 16
[[objective]]
kind = "info_nce"
[train]
batch = 16
steps = 12
lr = 2e-2
evaluations = 2
ema = 0.9
[[train.group]]
match = ["image", "text"]
frozen = true
[[train.group]]
match = ["image.blocks", "text.blocks"]
lora_rank = 2
lora_dropout = 0.1
)";

torch::Tensor text_rows(const SavedModel& saved) {
  const torch::NoGradGuard no_grad;
  const auto [ids, valid] = encode_captions(saved.texts(), {"a big red star"}, saved.recipe.model.text.format);
  return saved.model->retrieval_texts(ids, valid);
}

TEST(LowRankTraining, ResumesBitForBitAndEndsMerged) {
  const TemporaryFolder folder;
  const Recipe recipe = recipe_with({}, kLowRank);
  ASSERT_EQ(SmallRun(recipe, folder / "whole").trainer->run(), Outcome::finished);
  fs::create_directories(folder / "resumed");
  {
    SmallRun first(recipe, folder / "cut");
    ASSERT_EQ(first.trainer->run(), Outcome::finished);
  }
  fs::create_directories(folder / "resumed/checkpoints");
  fs::copy(checkpoint_folder(folder / "cut", 6), checkpoint_folder(folder / "resumed", 6),
           fs::copy_options::recursive);
  fs::copy(folder / "cut/metrics.jsonl", folder / "resumed/metrics.jsonl");
  for (const auto& entry : fs::directory_iterator(folder / "cut"))
    if (entry.path().filename().string().starts_with("events"))
      fs::copy(entry.path(), folder / "resumed" / entry.path().filename());
  SmallRun second(recipe, folder / "resumed");
  second.trainer->load(open_checkpoint(folder / "resumed", 6));
  ASSERT_EQ(second.trainer->run(), Outcome::finished);
  expect_equal_runs(folder / "whole", folder / "resumed");

  const TensorMap live = load_tensors(checkpoint_folder(folder / "whole", 12) / "model.safetensors");
  EXPECT_TRUE(live.contains("text.blocks.0.mlp.up.lora_b"));
  EXPECT_GT(live.at("text.blocks.0.mlp.up.lora_b").abs().max().item<float>(), 0);
  for (const auto& [name, tensor] : load_tensors(folder / "whole/model/model.safetensors"))
    EXPECT_EQ(name.find("lora"), std::string::npos) << name;
  const SavedModel best = load_saved_model(folder / "whole", "best", "cpu");
  const SavedModel same = load_saved_model(folder / "whole", best.step == 12 ? "last" : "step-6", "cpu");
  EXPECT_TRUE(at::allclose(text_rows(best), text_rows(same), 0, 1e-5));

  // and the finished towers start another run, which gives them parts of its own
  const Recipe next = recipe_with(
      {"train.init_image=" + (folder / "whole").string(), "train.init_text=" + (folder / "whole").string()},
      kLowRank);
  EXPECT_EQ(SmallRun(next, folder / "next").trainer->run(), Outcome::finished);
}

}  // namespace
}  // namespace duet
