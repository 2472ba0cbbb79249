// Config::set: what --set puts into a recipe.
#include "tests/core/config_recipe.h"

namespace duet {
namespace {

TEST(ConfigSet, ReplacesAndInserts) {
  Config config = recipe();
  config.set("train.lr=1e-4");
  config.set("objective.1.weight = 2");
  config.set("data.train=/some where/pairs.tsv");
  config.set("train.betas.0=0.5");
  config.set("views.weak.size=64");
  EXPECT_EQ(config.table("train").number("lr", 0, {0, 1}), 1e-4);
  EXPECT_EQ(config.tables("objective")[1].number("weight", 1, {0, 9}), 2);
  EXPECT_EQ(config.tables("objective")[0].number("weight", 1, {0, 9}), 1);
  EXPECT_EQ(config.table("data").text("train", ""), "/some where/pairs.tsv");
  EXPECT_EQ(config.table("train").numbers("betas", {}, {0, 1}), (std::vector<double>{0.5, 1}));
  EXPECT_EQ(config.table("views").table("weak").integer("size", 0, 1, 99), 64);
}

TEST(ConfigSet, TheLastOneWins) {
  Config config = recipe();
  config.set("seed=4");
  config.set("seed=5");
  EXPECT_EQ(config.integer("seed", 0, 0, 9), 5);
  EXPECT_EQ(config.where("seed"), "--set seed=5");
}

TEST(ConfigSet, OfTheBudgetsTheLastOneStays) {
  Config config = Config::parse("[train]\nminutes = 6\nlr = 1\n[other]\nminutes = 6\n", "a.toml");
  config.set("train.steps=20");
  EXPECT_EQ(config.to_toml(), "[train]\nlr = 1\nsteps = 20\n\n[other]\nminutes = 6\n");
  config.set("train.steps=30");
  config.set("train.epochs=0.5");
  EXPECT_EQ(config.to_toml(), "[train]\nlr = 1\nepochs = 0.5\n\n[other]\nminutes = 6\n");
  EXPECT_EQ(config.table("train").where("epochs"), "--set train.epochs=0.5");
  config.set("train.minutes=0");
  EXPECT_EQ(config.to_toml(), "[train]\nlr = 1\nepochs = 0.5\nminutes = 0\n\n[other]\nminutes = 6\n");
}

TEST(ConfigSet, ItsTextIsThePlace) {
  Config config = recipe();
  config.set("train.lr=fast");
  config.set("train.ler=3");
  config.set("fresh.key=1");
  EXPECT_EQ(message_of([&] {
              config.table("train").number("lr", 0, {0, 1});
            }),
            "--set train.lr=fast: 'lr' in [train] is a string, expected a number between 0 and 1");
  read_all(config = recipe());
  config.set("train.ler=3");
  EXPECT_EQ(message_of([&] { config.finish(); }),
            "--set train.ler=3: unknown key 'ler' in [train]; did you mean 'lr'?");
  config = recipe();
  read_all(config);
  config.set("fresh.key=1");
  EXPECT_EQ(config.table("fresh").where(), "--set fresh.key=1");
}

TEST(ConfigSet, WholeListsAndTablesMayBeGiven) {
  Config config = recipe();
  config.set("objective=[{kind = \"sigmoid\", odd = 1}]");
  auto objectives = config.tables("objective");
  ASSERT_EQ(objectives.size(), 1u);
  EXPECT_EQ(objectives[0].text("kind", ""), "sigmoid");
  EXPECT_EQ(objectives[0].where("odd"), "--set objective=[{kind = \"sigmoid\", odd = 1}]");
}

TEST(ConfigSet, ABareWordIsText) {
  Config config = recipe();
  config.set("train.name=2024");
  config.set("a=3#4");
  config.set("b=\"quoted # text\"");
  config.set("c=");
  config.set("d=x=y");
  config.set("e=1\nf=2");
  EXPECT_EQ(config.table("train").text("name", ""), "2024");
  EXPECT_EQ(config.text("a", ""), "3#4");
  EXPECT_EQ(config.text("b", ""), "quoted # text");
  EXPECT_EQ(config.text("c", "z"), "");
  EXPECT_EQ(config.text("d", ""), "x=y");
  EXPECT_EQ(config.text("e", ""), "1\nf=2");
  EXPECT_FALSE(config.has("f"));
  // the resolved recipe must read the same
  Config again = Config::parse(config.to_toml(), "again");
  EXPECT_EQ(again.table("train").text("name", ""), "2024");
}

TEST(ConfigSet, RefusesWhatItCannotPlace) {
  Config config = recipe();
  EXPECT_EQ(message_of([&] { config.set("train.lr"); }),
            "--set train.lr: has no '='; write --set KEY=VALUE, such as train.lr=1e-4");
  EXPECT_EQ(message_of([&] { config.set("=3"); }),
            "--set =3: '' is no key; write --set KEY=VALUE, such as train.lr=1e-4");
  EXPECT_NE(message_of([&] { config.set("a b=3"); }).find("'a b' is no key"), std::string::npos);
  EXPECT_NE(message_of([&] { config.set("#=3"); }).find("'#' is no key"), std::string::npos);
  EXPECT_EQ(message_of([&] { config.set("objective.2.weight=1"); }),
            "--set objective.2.weight=1: 'objective' has 2 entries, '2' is none of them; write a position from "
            "0 to 1");
  EXPECT_EQ(message_of([&] { config.set("objective.first.weight=1"); }),
            "--set objective.first.weight=1: 'objective' has 2 entries, 'first' is none of them; write a "
            "position from 0 "
            "to 1");
  EXPECT_EQ(message_of([&] { config.set("seed.x=1"); }), "--set seed.x=1: 'seed' is an integer, not a table");
}

}  // namespace
}  // namespace duet
