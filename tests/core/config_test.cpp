#include "core/config.h"

#include <gtest/gtest.h>

#include <limits>

#include "core/files.h"
#include "tests/core/config_recipe.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

TEST(Config, ReadsEveryType) {
  Config config = recipe();
  Config train = config.table("train");
  EXPECT_EQ(config.integer("seed", 1, 0, 10), 3);
  EXPECT_EQ(train.number("lr", 0, {0, 1}), 1e-3);
  EXPECT_EQ(train.number("batch", 0, {0, 1000}), 256);
  EXPECT_EQ(train.text("name", ""), "a");
  EXPECT_TRUE(train.flag("fast", false));
  EXPECT_EQ(train.numbers("betas", {}, {0, 1}), (std::vector<double>{0.9, 1}));
  EXPECT_EQ(train.numbers("lr", {}, {0, 1}), (std::vector<double>{1e-3}));
  EXPECT_EQ(train.texts("name", {}), (std::vector<std::string>{"a"}));
  EXPECT_EQ(config.tables("objective").size(), 2u);
  EXPECT_EQ(config.tables("train").size(), 1u);
  EXPECT_EQ(train.required_text("name"), "a");
}

TEST(Config, GivesTheFallbackForWhatIsAbsent) {
  Config config = recipe();
  Config data = config.table("data");
  EXPECT_EQ(data.integer("x", -5, 0, 1), -5);  // the fallback may mean "not set"
  EXPECT_EQ(data.text("x", "y"), "y");
  EXPECT_EQ(data.choice("x", "", {"a"}), "");
  EXPECT_EQ(data.texts("x", {"a", "b"}).size(), 2u);
  EXPECT_TRUE(data.tables("x").empty());
  EXPECT_TRUE(data.keys().empty());
  EXPECT_FALSE(data.has("x"));
  EXPECT_EQ(data.table("deeper").number("x", 2, {0, 1}), 2);
}

TEST(Config, UnknownKeyIsNamedWithPlaceAndSuggestion) {
  Config config =
      Config::parse("seed = 1\n[[objective]]\nkind = \"a\"\n[[objective]]\n\n  temprature = 1\n", "slip.toml");
  config.integer("seed", 1, 0, 10);
  for (Config& objective : config.tables("objective")) {
    objective.text("kind", "");
    objective.number("temperature", 1, {0, 1});
  }
  EXPECT_EQ(message_of([&] { config.finish(); }),
            "slip.toml:6:3: unknown key 'temprature' in [[objective]]; did you mean 'temperature'?");
}

TEST(Config, UnknownKeyWithoutANeighbourListsWhatIsKnown) {
  Config config = Config::parse("[train]\nzebra = 1\n", "a.toml");
  Config train = config.table("train");
  train.number("lr", 0, {0, 1});
  train.has("batch");
  EXPECT_EQ(message_of([&] { config.finish(); }),
            "a.toml:2:1: unknown key 'zebra' in [train]; known here: lr, batch");
}

TEST(Config, UnknownTablesAreNamed) {
  Config one = Config::parse("[trian]\nlr = 1\n", "a.toml");
  one.table("train");
  EXPECT_EQ(message_of([&] { one.finish(); }), "a.toml:1:1: unknown table [trian]; did you mean 'train'?");
  Config two = Config::parse("[train]\n[[train.groups]]\nlr = 1\n", "a.toml");
  two.table("train").tables("group");
  EXPECT_EQ(message_of([&] { two.finish(); }),
            "a.toml:2:1: unknown table [[train.groups]]; did you mean 'group'?");
}

TEST(Config, FinishFindsTheFirstInFileOrder) {
  Config config = Config::parse("zz = 1\naa = 1\n", "a.toml");
  EXPECT_EQ(message_of([&] { config.finish(); }), "a.toml:1:1: unknown key 'zz'");
}

TEST(Config, FinishIsContentWhenAllWasRead) {
  Config config = recipe();
  read_all(config);
  config.finish();
}

TEST(Config, HasIsNoReading) {
  Config config = Config::parse("a = 1", "a.toml");
  EXPECT_TRUE(config.has("a"));
  EXPECT_EQ(message_of([&] { config.finish(); }), "a.toml:1:1: unknown key 'a'");
}

TEST(Config, AKeyReadInOneTableIsUnreadInItsNeighbour) {
  Config config = recipe();
  read_all(config);
  Config fresh = recipe();
  fresh.integer("seed", 1, 0, 10);
  fresh.table("train");
  EXPECT_EQ(message_of([&] { fresh.finish(); }), "slip.toml:3:1: unknown key 'lr' in [train]");
}

TEST(Config, WrongTypesSayWhatWasFoundAndWhatIsAllowed) {
  Config train = recipe().table("train");
  EXPECT_EQ(message_of([&] {
              train.number("name", 0, {0, 1});
            }),
            "slip.toml:5:1: 'name' in [train] is a string, expected a number between 0 and 1");
  EXPECT_EQ(message_of([&] { train.integer("lr", 0, 0, 10); }),
            "slip.toml:3:1: 'lr' in [train] is the fraction 0.001, expected an integer between 0 and 10");
  EXPECT_EQ(message_of([&] { train.flag("batch", false); }),
            "slip.toml:4:1: 'batch' in [train] is an integer, expected true or false");
  EXPECT_EQ(message_of([&] { train.text("fast", ""); }),
            "slip.toml:6:1: 'fast' in [train] is true or false, expected a string");
  EXPECT_EQ(message_of([&] { train.texts("betas", {}); }),
            "slip.toml:7:1: 'betas' in [train] holds a number, expected a string or a list of strings");
  EXPECT_EQ(message_of([&] {
              train.number("betas", 0, {0, 1});
            }),
            "slip.toml:7:1: 'betas' in [train] is a list, expected a number between 0 and 1");
  Config root = recipe();
  EXPECT_EQ(message_of([&] { root.text("train", ""); }),
            "slip.toml:2:1: 'train' is a table, expected a string");
  EXPECT_EQ(message_of([&] { root.table("objective"); }),
            "slip.toml:9:1: 'objective' is a list of tables, expected a table [objective]");
  EXPECT_EQ(message_of([&] { root.tables("seed"); }),
            "slip.toml:1:1: 'seed' is an integer, expected tables [[seed]]");
  Config dated = Config::parse("day = 2024-01-01\n", "a.toml");
  EXPECT_EQ(message_of([&] { dated.text("day", ""); }),
            "a.toml:1:1: 'day' is a date or time, expected a string");
}

TEST(Config, RangesAreChecked) {
  Config train = recipe().table("train");
  EXPECT_EQ(message_of([&] {
              train.number("batch", 0, {0, 1});
            }),
            "slip.toml:4:1: 'batch' in [train] is 256, expected a number between 0 and 1");
  EXPECT_EQ(message_of([&] { train.integer("batch", 0, 512, 1000); }),
            "slip.toml:4:1: 'batch' in [train] is 256, expected an integer between 512 and 1000");
  EXPECT_EQ(message_of([&] { train.integer("batch", 0, 512, std::numeric_limits<std::int64_t>::max()); }),
            "slip.toml:4:1: 'batch' in [train] is 256, expected an integer of at least 512");
  EXPECT_EQ(message_of([&] {
              train.numbers("betas", {}, {0.95, 1});
            }),
            "slip.toml:7:1: 'betas' in [train] holds 0.9, expected a number between 0.95 and 1");
  const double infinity = std::numeric_limits<double>::infinity();
  Config odd = Config::parse("a = nan\nb = -1.5\nc = inf\n", "a.toml");
  EXPECT_EQ(message_of([&] {
              odd.number("a", 0, {0, infinity});
            }),
            "a.toml:1:1: 'a' is nan, expected a number of at least 0");
  EXPECT_EQ(message_of([&] {
              odd.number("b", 0, {0, infinity});
            }),
            "a.toml:2:1: 'b' is -1.5, expected a number of at least 0");
  EXPECT_EQ(odd.number("c", 0, {0, infinity}), infinity);
}

TEST(Config, ChoicesAreListedAndSuggested) {
  Config objective = recipe().tables("objective").front();
  EXPECT_EQ(message_of([&] {
              objective.choice("kind", "", {"info_mce", "b"});
            }),
            "slip.toml:10:1: 'kind' in [[objective]] is 'info_nce', expected one of info_mce, b; did you mean "
            "'info_mce'?");
}

TEST(Config, RequiredTextSaysWhereItBelongs) {
  Config config = recipe();
  EXPECT_EQ(message_of([&] { config.table("train").required_text("data"); }),
            "slip.toml:2:1: [train] needs 'data'; it is a string");
  EXPECT_EQ(message_of([&] { config.table("data").required_text("train"); }),
            "slip.toml: [data] needs 'train'; it is a string");
}

TEST(Config, KnowsPlacesAndPaths) {
  Config config = recipe();
  auto objectives = config.tables("objective");
  EXPECT_EQ(config.where(), "slip.toml");
  EXPECT_EQ(config.where("seed"), "slip.toml:1:1");
  EXPECT_EQ(config.table("train").where(), "slip.toml:2:1");
  EXPECT_EQ(config.table("train").where("none"), "slip.toml:2:1");
  EXPECT_EQ(objectives[1].where(), "slip.toml:12:1");
  EXPECT_EQ(objectives[1].where("kind"), "slip.toml:13:1");
  EXPECT_EQ(config.path(), "");
  EXPECT_EQ(config.table("train").path(), "[train]");
  EXPECT_EQ(config.table("train").table("ema").path(), "[train.ema]");
  EXPECT_EQ(objectives[0].path(), "[[objective]]");
  EXPECT_EQ(objectives[0].table("schedule").path(), "[objective.schedule]");
  EXPECT_EQ(message_of([&] { objectives[1].fail("kind", "is odd", "change it"); }),
            "slip.toml:13:1: is odd; change it");
}

TEST(Config, KeysComeInFileOrder) {
  EXPECT_EQ(recipe().table("train").keys(), (std::vector<std::string>{"lr", "batch", "name", "fast", "betas"}));
  EXPECT_EQ(recipe().keys(), (std::vector<std::string>{"seed", "train", "objective"}));
}

TEST(Config, InlineTablesAndDottedKeysWork) {
  Config config =
      Config::parse("objective = [{kind = \"a\", x = 1}]\ntrain.lr = 1\nview = {size = 3, b = 1}\n", "a.toml");
  EXPECT_EQ(config.tables("objective")[0].text("kind", ""), "a");
  EXPECT_EQ(config.tables("objective")[0].path(), "[[objective]]");
  EXPECT_EQ(config.table("train").number("lr", 0, {0, 1}), 1);
  EXPECT_EQ(config.table("train").where(), "a.toml:2:1");
  EXPECT_EQ(config.table("view").where("size"), "a.toml:3:9");
  EXPECT_EQ(config.table("view").integer("size", 0, 0, 9), 3);
  EXPECT_EQ(message_of([&] { config.finish(); }),
            "a.toml:1:27: unknown key 'x' in [[objective]]; known here: kind");
}

TEST(Config, SyntaxErrorsHaveAPlace) {
  const std::string text = message_of([] { Config::parse("a = 1\nb = = 2\n", "bad.toml"); });
  EXPECT_EQ(text.find("bad.toml:2:5: "), 0u) << text;
  EXPECT_NE(message_of([] { Config::parse("a = 1\na = 2\n", "bad.toml"); }).find("bad.toml:2:"),
            std::string::npos);
  EXPECT_NE(message_of([] { Config::parse("a = \"\xff\"\n", "bad.toml"); }).find("bad.toml:1:"),
            std::string::npos);
}

TEST(Config, ReadsAFileAndNamesOneThatIsMissing) {
  const TemporaryFolder folder;
  write_file(folder / "a.toml",
             "\xef\xbb\xbf"
             "seed = 5\r\n");
  Config config = Config::read(folder / "a.toml");
  EXPECT_EQ(config.integer("seed", 0, 0, 9), 5);
  EXPECT_EQ(config.file(), folder / "a.toml");
  EXPECT_EQ(recipe().file(), "");
  EXPECT_NE(
      message_of([&] { Config::read(folder / "none.toml"); }).find("none.toml: cannot be read: No such file"),
      std::string::npos);
}

TEST(Config, ToTomlReadsBackEqual) {
  Config config = recipe();
  config.set("train.lr=0.1");
  config.set("train.note=\"line\\nbreak, 'quotes' and \\\"more\\\"\"");
  const std::string text = config.to_toml();
  Config again = Config::parse(text, "again");
  EXPECT_EQ(again.to_toml(), text);
  EXPECT_EQ(again.table("train").number("lr", 0, {0, 1}), 0.1);
  EXPECT_EQ(again.table("train").text("note", ""), "line\nbreak, 'quotes' and \"more\"");
  EXPECT_EQ(again.tables("objective")[0].number("temperature", 0, {0, 1}), 0.07);
}

// As the file has it: order, double quotes, short numbers, and the comment on top.
TEST(Config, ToTomlIsReadable) {
  Config config = Config::parse(
      "\xef\xbb\xbf# What this is.\r\n# And more.\n\n# not this\nseed = 1 # nor this\n"
      "[train]\nlr = 1e-3\nbatch = 8\n"
      "[[train.group]]\nmatch = 'text'\nscales = [0.1, 3, 1e30]\n"
      "[views.'a b']\ncrop = [0.5, 1.0]\nhue = {low = 0.2}\n[[train.group]]\n[empty]\n",
      "a.toml");
  config.set("train.decay=0.05");
  EXPECT_EQ(config.to_toml(),
            "# What this is.\n# And more.\nseed = 1\n\n[train]\nlr = 0.001\nbatch = 8\ndecay = 0.05\n\n"
            "[[train.group]]\nmatch = \"text\"\nscales = [0.1, 3, 1e+30]\n\n[[train.group]]\n\n"
            "[views.\"a b\"]\ncrop = [0.5, 1.0]\n\n[views.\"a b\".hue]\nlow = 0.2\n\n[empty]\n");
  EXPECT_EQ(Config::parse(config.to_toml(), "again").to_toml(), config.to_toml());
}

TEST(Config, NumbersSurviveToTomlBitForBit) {
  for (const double value : {0.1, 1e-300, 1.0 / 3, 123456789.123456789, 5e-324, 1e22, -0.0}) {
    std::ostringstream text;
    text.precision(17);
    text << "x = " << value << (value == 1e22 || value == 0 ? ".0" : "") << "\n";
    std::string toml = text.str();
    if (const auto at = toml.find("e+22.0"); at != std::string::npos) toml = "x = 1e22\n";
    Config once = Config::parse(toml, "a");
    Config twice = Config::parse(once.to_toml(), "b");
    EXPECT_EQ(twice.number("x", 7, {-1e30, 1e30}), value) << toml << once.to_toml();
  }
}

}  // namespace
}  // namespace duet
