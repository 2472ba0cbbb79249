#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/command_line.h"

namespace duet {
namespace {

using testing::HasSubstr;

TEST(ParseAblate, Options) {
  const auto o = parse_to<AblateOptions>({"ablate", "plan.toml", "--confirm", "--results", "r.jsonl", "--csv",
                                          "t.csv", "--latex", "t.tex", "--keep-runs", "--root", "pics",
                                          "--device", "cpu", "--threads", "2"});
  EXPECT_EQ(o.plan, "plan.toml");
  EXPECT_EQ(o.results, "r.jsonl");
  EXPECT_EQ(o.csv, "t.csv");
  EXPECT_EQ(o.latex, "t.tex");
  EXPECT_TRUE(o.confirm && o.keep_runs);
  EXPECT_FALSE(o.dry_run || o.table || o.measure);
  EXPECT_EQ(o.root, "pics");
  EXPECT_EQ(o.device, "cpu");
  EXPECT_EQ(o.threads, 2);
  const auto plain = parse_to<AblateOptions>({"ablate", "plan.toml"});
  EXPECT_FALSE(plain.confirm || plain.keep_runs);
  EXPECT_EQ(plain.results, "");
}

TEST(ParseAblate, WorksOnOnePlanInOneWay) {
  EXPECT_EQ(parse_words({"ablate"}).exit_code, 2);
  const Parsed both = parse_words({"ablate", "plan.toml", "--table", "--confirm"});
  EXPECT_EQ(both.exit_code, 2);
  EXPECT_THAT(both.err, HasSubstr("exclude each other"));
  EXPECT_EQ(parse_words({"ablate", "plan.toml", "--dry-run", "--csv", "t.csv"}).exit_code, 2);
  EXPECT_EQ(parse_words({"ablate", "plan.toml", "--measure", "--latex", "t.tex"}).exit_code, 2);
  EXPECT_EQ(parse_words({"ablate", "plan.toml", "--table", "--csv", "t.csv"}).exit_code, 0);
}

}  // namespace
}  // namespace duet
