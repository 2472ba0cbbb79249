// Pictures alone, texts alone, unpaired sources beside pairs, stages, and towers that are taken over.
#include <gmock/gmock.h>

#include "core/error.h"
#include "core/format.h"
#include "run/saved_model.h"
#include "tests/support/failure.h"
#include "tests/support/temporary_folder.h"
#include "tests/training/small_run.h"
#include "training/metrics_log.h"

namespace duet {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr const char* kPictures = R"(
seed = 3
[data]
train = "shapes"
shapes_count = 120
split = 0.25
[image]
kind = "convnet"
size = 24
widths = [8, 16]
[views.simclr]
count = 2
crop = [0.4, 1.0]
[[objective]]
kind = "simclr"
view = "simclr"
[train]
batch = 16
steps = 12
evaluations = 4
keep = 9
ema = 0.9
)";

constexpr const char* kTexts = R"(
seed = 3
[data]
train = "TEXTS"
split = 0.25
[tokenizer]
vocabulary = 300
[text]
kind = "transformer"
context = 16
width = 16
layers = 1
heads = 2
[[objective]]
kind = "masked_lm"
[train]
batch = 8
steps = 12
evaluations = 4
keep = 9
)";

// Twenty documents of three sentences.
std::string write_texts(const fs::path& file) {
  std::string text;
  for (const char* noun : {"cat", "dog", "bird", "fish", "tree"}) {
    for (const char* colour : {"red", "green", "blue", "black"})
      text += cat("a ", colour, " ", noun, " sits there\nthe ", noun, " is ", colour, "\nnobody owns that ",
                  noun, "\n\n");
  }
  write_file(file, text);
  return file.string();
}

std::string with_texts(const char* recipe, const std::string& file) {
  std::string text = recipe;
  return text.replace(text.find("TEXTS"), 5, file);
}

void expect_same_when_resumed(const Recipe& recipe, const fs::path& folder) {
  SmallRun whole(recipe, folder / "whole");
  ASSERT_EQ(whole.trainer->run(), Outcome::finished);
  for (const std::int64_t step : {3, 6, 9}) {
    const fs::path copy = folder / cat("from ", step);
    fs::copy(folder / "whole", copy, fs::copy_options::recursive);
    fs::remove_all(copy / "model");
    for (const std::int64_t later : {3, 6, 9, 12}) {
      if (later > step) fs::remove_all(checkpoint_folder(copy, later));
    }
    SmallRun resumed(recipe, copy);
    resumed.trainer->load(open_checkpoint(copy, step));
    ASSERT_EQ(resumed.trainer->run(), Outcome::finished);
    for (const char* file : {"model/model.safetensors", "model/objectives.safetensors", "metrics.jsonl"})
      EXPECT_EQ(read_file(folder / "whole" / file), read_file(copy / file)) << file << " from " << step;
  }
}

TEST(Pretraining, PicturesAloneChooseByLossAndResume) {
  TemporaryFolder folder;
  const Recipe recipe = recipe_with({}, kPictures);
  EXPECT_EQ(recipe.train.metric, "loss");
  expect_same_when_resumed(recipe, folder.path());
  const SavedModel saved = load_saved_model(folder / "whole", "best", "cpu");
  EXPECT_TRUE(saved.model->image);
  EXPECT_FALSE(saved.model->text);
  EXPECT_FALSE(saved.tokenizer);
  double best = 1e9;
  std::int64_t best_step = 0;
  for (const auto& line : read_metrics(folder / "whole")) {
    if (!line.contains("validation")) continue;
    const double loss = line["validation"]["objectives"]["simclr"]["loss"].get<double>();
    if (loss <= best) best = loss, best_step = line["step"].get<std::int64_t>();
  }
  EXPECT_EQ(saved.step, best_step);
  EXPECT_LT(best, 1e9);
}

TEST(Pretraining, TextsAloneResume) {
  TemporaryFolder folder;
  const std::string recipe = with_texts(kTexts, write_texts(folder / "texts.txt"));
  const std::vector<std::string> sets = {"text.segments=2",
                                         "objective=[{kind='masked_lm'}, {kind='next_sentence'}, "
                                         "{kind='denoising'}, {kind='word2vec', unit='word', "
                                         "min_count=1}]"};
  expect_same_when_resumed(recipe_with(sets, recipe.c_str()), folder.path());
  EXPECT_TRUE(fs::exists(folder / "whole/words-word2vec.txt"));
  const SavedModel saved = load_saved_model(folder / "whole", "best", "cpu");
  EXPECT_FALSE(saved.model->image);
  EXPECT_TRUE(saved.tokenizer);
}

TEST(Pretraining, TowersAreTakenOver) {
  TemporaryFolder folder;
  SmallRun pictures(recipe_with({}, kPictures), folder / "pictures");
  ASSERT_EQ(pictures.trainer->run(), Outcome::finished);
  const std::string texts_recipe = with_texts(kTexts, write_texts(folder / "texts.txt"));
  SmallRun texts(recipe_with({}, texts_recipe.c_str()), folder / "texts");
  ASSERT_EQ(texts.trainer->run(), Outcome::finished);
  const std::vector<std::string> sets = {cat("train.init_image='", (folder / "pictures").string(), "'"),
                                         cat("train.init_text='", (folder / "texts").string(), "'"),
                                         "text.kind=transformer",
                                         "text.context=16",
                                         "text.width=16",
                                         "text.layers=1",
                                         "text.heads=2",
                                         "train.lr=0",
                                         "train.ema=0"};
  const Recipe recipe = recipe_with(sets);
  SmallRun pairs(recipe, folder / "pairs");
  EXPECT_EQ(pairs.tokenizer->serialized(), texts.tokenizer->serialized());
  ASSERT_EQ(pairs.trainer->run(), Outcome::finished);
  const SavedModel saved = load_saved_model(folder / "pairs", "best", "cpu");
  const SavedModel image = load_saved_model(folder / "pictures", "best", "cpu");
  const SavedModel text = load_saved_model(folder / "texts", "best", "cpu");
  for (const auto& item : image.model->image->named_parameters())
    EXPECT_TRUE(saved.model->image->named_parameters()[item.key()].equal(item.value())) << item.key();
  for (const auto& item : text.model->text->named_parameters())
    EXPECT_TRUE(saved.model->text->named_parameters()[item.key()].equal(item.value())) << item.key();
  const std::string before = bytes_of(folder / "pairs/model/model.safetensors");
  // Resumed, it needs those runs no more.
  fs::remove_all(checkpoint_folder(folder / "pairs", 12));
  fs::remove_all(folder / "pairs/model");
  fs::rename(folder / "pictures", folder / "gone");
  Trainer resumed(recipe, pairs.data, pairs.tokenizer, folder / "pairs", torch::kCPU, 1, Start::resumed);
  resumed.load(open_checkpoint(folder / "pairs", 6));
  ASSERT_EQ(resumed.run(), Outcome::finished);
  EXPECT_EQ(bytes_of(folder / "pairs/model/model.safetensors"), before);
}

TEST(Pretraining, WeightsOfAnotherShapeAreNamedKeyByKey) {
  TemporaryFolder folder;
  SmallRun pictures(recipe_with({}, kPictures), folder / "pictures");
  ASSERT_EQ(pictures.trainer->run(), Outcome::finished);
  const std::string run = (folder / "pictures").string();
  const Failure other = failure_of([&] {
    SmallRun(recipe_with({"train.init_image='" + run + "'", "image.widths=[8, 24]"}), folder / "other");
  });
  EXPECT_EQ(other.exit, Exit::artifact);
  EXPECT_THAT(other.text, AllOf(HasSubstr(run), HasSubstr("stage1")));
  const Failure none = failure_of([&] {
    SmallRun(recipe_with({"train.init_text='" + run + "'", "text.kind=transformer", "text.width=16"}),
             folder / "none");
  });
  EXPECT_EQ(none.exit, Exit::usage);
  EXPECT_THAT(none.text, HasSubstr("has no text tower"));
}

constexpr const char* kBeside = R"(
objective=[{kind='info_nce'}, {kind='masked_lm', source='texts'}, {kind='simclr', source='drawings', view='simclr'}])";

std::vector<std::string> beside_sets(const std::string& texts) {
  return {"text.kind=transformer",
          "text.width=16",
          "text.layers=1",
          "text.heads=2",
          "views.simclr.count=2",
          std::string(kBeside).substr(1),
          cat("data.source=[{name='texts', data='", texts, "', share=0.25, validation='", texts,
              "'}, {name='drawings', data='shapes:40:7', share=0.25}]"),
          "train.evaluations=4",
          "train.keep=9",
          "train.log_every=1"};
}

TEST(Pretraining, UnpairedSourcesHaveTheirShareOfTheSteps) {
  TemporaryFolder folder;
  const Recipe recipe = recipe_with(beside_sets(write_texts(folder / "texts.txt")));
  expect_same_when_resumed(recipe, folder.path());
  std::map<std::string, int> steps;
  int held_out = 0;
  for (const auto& line : read_metrics(folder / "whole")) {
    for (const char* objective : {"info_nce", "masked_lm", "simclr"})
      steps[objective] += line.contains(objective);
    held_out += line.contains("texts");
  }
  EXPECT_EQ(steps["info_nce"], 6);
  EXPECT_EQ(steps["masked_lm"], 3);
  EXPECT_EQ(steps["simclr"], 3);
  EXPECT_EQ(held_out, 4);
}

// What a search sees is the plain picture: strongly changed ones of another source leave its statistics alone.
TEST(Pretraining, SourcesBesideThePairsMoveNoRunningStatistics) {
  TemporaryFolder folder;
  const std::vector<std::string> fixed = {"train.lr=0", "train.ema=0", "train.evaluations=1"};
  std::vector<std::string> alone = fixed, beside = fixed;
  alone.emplace_back("train.steps=6");
  for (const char* set : {"train.steps=12", "views.simclr={count=2, crop=[0.2, 0.5]}",
                          "objective=[{kind='info_nce'}, {kind='simclr', source='drawings'}]",
                          "data.source=[{name='drawings', data='shapes:40:7', share=0.5}]"})
    beside.emplace_back(set);
  SmallRun first(recipe_with(alone), folder / "alone"), second(recipe_with(beside), folder / "beside");
  ASSERT_EQ(first.trainer->run(), Outcome::finished);
  ASSERT_EQ(second.trainer->run(), Outcome::finished);
  const TensorMap expected = load_tensors(folder / "alone/model/model.safetensors");
  int compared = 0;
  for (const auto& [name, tensor] : load_tensors(folder / "beside/model/model.safetensors")) {
    if (!name.ends_with("running_mean")) continue;
    EXPECT_TRUE(tensor.equal(expected.at(name))) << name;
    EXPECT_GT(tensor.abs().max().item<double>(), 0) << name;
    ++compared;
  }
  EXPECT_GT(compared, 0);
}

// Of so few steps that a rehearsal would be longer: views are there when their objective begins.
TEST(Pretraining, AnObjectiveThatBeginsLateHasItsView) {
  TemporaryFolder folder;
  SmallRun run(recipe_with({"train.steps=10", "train.evaluations=1", "views.simclr.count=2",
                            "objective=[{kind='info_nce'}, {kind='simclr', from=0.8}]"}),
               folder / "run");
  EXPECT_GT(run.trainer->rehearse().seconds_per_step, 0);
  EXPECT_EQ(run.trainer->run(), Outcome::finished);
}

TEST(Pretraining, MistakesWithSourcesAreNamed) {
  const auto refusal = [](const std::vector<std::string>& sets) {
    return failure_of([&] { recipe_with(sets); });
  };
  const Failure unknown = refusal({"objective=[{kind='info_nce', source='pair'}]"});
  EXPECT_THAT(unknown.text,
              AllOf(HasSubstr("'pair'"), HasSubstr("did you mean 'pairs'"), HasSubstr("data.source")));
  const Failure idle = refusal({"data.source=[{name='texts', data='x.txt', share=0.2}]"});
  EXPECT_THAT(idle.text, AllOf(HasSubstr("'texts'"), HasSubstr("no objective sees it")));
  const Failure all = refusal({"data.source=[{name='texts', data='x.txt', share=1}]"});
  EXPECT_THAT(all.text, HasSubstr("leave something to the pairs"));
  TemporaryFolder folder;
  const std::string texts = write_texts(folder / "texts.txt");
  std::vector<std::string> sets = beside_sets(texts);
  sets.emplace_back("objective.2.source=texts");
  sets.emplace_back("data.source=[{name='texts', data='" + texts + "', share=0.25}]");
  const Failure pictures = failure_of([&] { SmallRun(recipe_with(sets), folder / "run"); });
  EXPECT_EQ(pictures.exit, Exit::usage);
  EXPECT_THAT(pictures.text, AllOf(HasSubstr("simclr"), HasSubstr("the source 'texts' has none")));
  const Failure small = failure_of(
      [&] { SmallRun(recipe_with({"train.batch=61"}, with_texts(kTexts, texts).c_str()), folder / "small"); });
  EXPECT_THAT(small.text, AllOf(HasSubstr("train.batch"), HasSubstr("45")));
}

TEST(Pretraining, StagesHaveTheirObjectivesAndTheirSchedule) {
  TemporaryFolder folder;
  const Recipe recipe = recipe_with({"objective=[{kind='info_nce'}, {kind='rotation'}]",
                                     "stage=[{name='alone', share=1, objectives=['rotation'], lr_scale=0.5}, "
                                     "{share=3, objectives=['info_nce']}]",
                                     "train.evaluations=4", "train.keep=9", "train.log_every=1",
                                     "train.warmup=0", "data.split=0.25"});
  expect_same_when_resumed(recipe, folder.path());
  for (const auto& line : read_metrics(folder / "whole")) {
    const auto step = line["step"].get<std::int64_t>();
    if (!line.contains("lr")) continue;
    EXPECT_EQ(line.contains("rotation"), step <= 3) << step;
    EXPECT_EQ(line.contains("info_nce"), step > 3) << step;
    if (step != 1 && step != 4) continue;
    EXPECT_DOUBLE_EQ(line["lr"].get<double>(), (step == 1 ? 0.5 : 1) * 2e-3);
  }
  const Failure unknown = failure_of([] { recipe_with({"stage=[{objectives=['info_nse']}]"}); });
  EXPECT_THAT(unknown.text, AllOf(HasSubstr("no objective 'info_nse'"), HasSubstr("did you mean 'info_nce'")));
  const Failure idle = failure_of([] {
    recipe_with({"objective=[{kind='info_nce'}, {kind='rotation'}]", "stage=[{objectives=['info_nce']}]"});
  });
  EXPECT_THAT(idle.text, HasSubstr("no [[stage]] names the objective 'rotation'"));
}

}  // namespace
}  // namespace duet
