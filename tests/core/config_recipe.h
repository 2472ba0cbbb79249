// A small recipe, and what reads it whole: for the tests of Config.
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <string_view>

#include "core/config.h"
#include "tests/support/failure.h"

namespace duet {

inline constexpr std::string_view kRecipe = R"(seed = 3
[train]
lr = 1e-3
batch = 256
name = "a"
fast = true
betas = [0.9, 1]

[[objective]]
kind = "info_nce"
temperature = 0.07
[[objective]]
kind = "sigmoid"
)";

inline Config recipe() { return Config::parse(kRecipe, "slip.toml"); }

inline std::string message_of(const std::function<void()>& action) {
  const Failure failure = failure_of(action);
  EXPECT_EQ(failure.exit, Exit::usage);
  return failure.text;
}

inline void read_all(Config& config) {
  config.integer("seed", 1, 0, 10);
  Config train = config.table("train");
  train.number("lr", 0, {0, 1});
  train.integer("batch", 1, 1, 1000);
  train.text("name", "");
  train.flag("fast", false);
  train.numbers("betas", {}, {0, 1});
  for (Config& objective : config.tables("objective")) {
    objective.choice("kind", "info_nce", {"info_nce", "sigmoid"});
    objective.number("temperature", 0.1, {1e-3, 10});
  }
}

}  // namespace duet
