#include "optim/optimizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace duet {
namespace {

using testing::HasSubstr;

OptimizerOptions read(const std::string& keys) {
  Config recipe = Config::parse("[train]\n" + keys, "r.toml");
  Config train = recipe.table("train");
  const auto options = read_optimizer(train);
  recipe.finish();
  return options;
}

std::string message(const std::string& keys) {
  try {
    read(keys);
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::usage);
    return error.what();
  }
  return "no error";
}

TEST(ReadOptimizer, DefaultsAreClips) {
  const auto o = read("");
  EXPECT_EQ(o.adamw.lr, 5e-4);
  EXPECT_EQ(o.adamw.weight_decay, 0.2);
  EXPECT_EQ(o.adamw.beta2, 0.98);
  EXPECT_EQ(o.schedule.kind, "cosine");
  EXPECT_EQ(o.ema, 0);
  EXPECT_TRUE(o.groups.empty());
}

TEST(ReadOptimizer, ReadsEveryKey) {
  const auto o = read(
      "lr = 1e-3\nweight_decay = 0.05\nbetas = [0.8, 0.95]\neps = 1e-8\nclip = 0.5\nwarmup = 20\n"
      "schedule = \"constant\"\nlr_end = 0.01\nema = 0.999\n[[train.group]]\nmatch = \"text\"\nlr_scale = 3\n");
  EXPECT_EQ(o.adamw.lr, 1e-3);
  EXPECT_EQ(o.adamw.weight_decay, 0.05);
  EXPECT_EQ(o.adamw.beta1, 0.8);
  EXPECT_EQ(o.adamw.beta2, 0.95);
  EXPECT_EQ(o.adamw.eps, 1e-8);
  EXPECT_EQ(o.clip, 0.5);
  EXPECT_EQ(o.schedule.warmup, 20);
  EXPECT_EQ(o.schedule.kind, "constant");
  EXPECT_EQ(o.schedule.lr_end, 0.01);
  EXPECT_EQ(o.ema, 0.999);
  ASSERT_EQ(o.groups.size(), 1u);
  EXPECT_EQ(o.groups[0].lr_scale, 3);
}

TEST(ReadOptimizer, ErrorsNameTheKey) {
  EXPECT_THAT(message("lr = -1.0\n"), testing::AllOf(HasSubstr("r.toml:2"), HasSubstr("lr")));
  EXPECT_THAT(message("betas = [0.9]\n"), testing::AllOf(HasSubstr("r.toml:2"), HasSubstr("betas")));
  EXPECT_THAT(message("betas = [0.9, 1.0]\n"), HasSubstr("betas"));
  EXPECT_THAT(message("schedule = \"cosin\"\n"), HasSubstr("cosine"));
  EXPECT_THAT(message("warm_up = 3\n"), testing::AllOf(HasSubstr("r.toml:2"), HasSubstr("warmup")));
}

}  // namespace
}  // namespace duet
