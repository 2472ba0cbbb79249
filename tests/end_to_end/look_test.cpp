// The commands that show what a run has learned, on one run of many objectives.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/format.h"
#include "tests/end_to_end/program.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

using nlohmann::json;

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

int count_of(const std::string& part, const std::string& text) {
  int count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

class Look : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    manifest_ = make_pictures(folder_->path(), 60);
    run_ = *folder_ / "run";
    const Finished train = duet_program(
        {"train", make_recipe(folder_->path(), manifest_, 20).string(), "--out", run_.string(), "--set",
         "text={kind='transformer', context=24, width=16, layers=1, heads=2}", "--set",
         "objective=[{kind='info_nce'}, {kind='inpainting'}, {kind='autoencoder', name='bottle'}, "
         "{kind='jigsaw'}, "
         "{kind='rotation'}, {kind='masked_patch'}, {kind='masked_lm'}, {kind='autoregressive_lm'}, "
         "{kind='word2vec', min_count=1, unit='word', dimension=8}]"});
    ASSERT_EQ(train.exit, 0) << train.err;
  }
  static void TearDownTestSuite() { delete folder_; }
  static Finished look(Arguments arguments) {
    arguments.insert(arguments.begin() + 1, run_.string());
    return duet_program(arguments);
  }

  static inline TemporaryFolder* folder_ = nullptr;
  static inline fs::path manifest_, run_;
};

TEST_F(Look, ReconstructWritesAPageWithEachObjectivesPictures) {
  const Finished looked =
      look({"reconstruct", "--images", (*folder_ / "pictures").string(), "--count", "5", "--json"});
  ASSERT_EQ(looked.exit, 0) << looked.err;
  const json results = json::parse(looked.out);
  EXPECT_EQ(results["schema_version"], 1);
  EXPECT_EQ(results["pictures"], 5);
  const json& objectives = results["objectives"];
  ASSERT_EQ(objectives.size(), 5u) << objectives;
  EXPECT_EQ(objectives["bottle"]["kind"], "autoencoder");
  for (const char* name : {"inpainting", "bottle", "masked_patch"})
    EXPECT_GT(objectives[name]["mean_error"].get<double>(), 0) << name;
  for (const char* name : {"jigsaw", "rotation"}) {
    const double fifths = 5 * objectives[name]["accuracy"].get<double>();
    EXPECT_NEAR(fifths, std::round(fifths), 1e-5) << name;
  }
  const std::string page = read_file(run_ / "reconstruct.html");
  EXPECT_EQ(count_of("data:image/png;base64,", page), 5 * (3 + 2 + 3 + 1 + 3));
  for (const char* part : {"inpainting", "bottle (autoencoder)", "jigsaw", "shape "})
    EXPECT_TRUE(contains(page, part));
  EXPECT_FALSE(contains(page, "http://") || contains(page, "https://")) << "needs a network";
}

TEST_F(Look, ReconstructIsAFunctionOfItsSeed) {
  const auto numbers = [](const char* seed) {
    const Finished looked =
        look({"reconstruct", "--images", manifest_.string(), "--count", "3", "--seed", seed, "--objective",
              "inpainting", "--json", "--out", (*folder_ / "page.html").string()});
    EXPECT_EQ(looked.exit, 0) << looked.err;
    EXPECT_EQ(count_of("data:image/png;base64,", read_file(*folder_ / "page.html")), 9);
    return json::parse(looked.out)["objectives"]["inpainting"]["mean_error"].get<double>();
  };
  EXPECT_EQ(numbers("4"), numbers("4"));
  EXPECT_NE(numbers("4"), numbers("5"));
}

TEST_F(Look, UnreadablePicturesAreLeftOut) {
  const fs::path some = *folder_ / "some";
  fs::create_directories(some);
  for (const char* name : {"shape 1.png", "shape 2.png"}) fs::copy(*folder_ / "pictures" / name, some / name);
  write_file(some / "broken.png", "not a picture");
  const Finished looked = look({"reconstruct", "--images", some.string(), "--json"});
  ASSERT_EQ(looked.exit, 0) << looked.err;
  EXPECT_EQ(json::parse(looked.out)["pictures"], 2);
  EXPECT_TRUE(contains(looked.err, "broken.png")) << looked.err;
}

TEST_F(Look, FillAndCompleteAnswerInTextAndJson) {
  const Finished filled = look({"fill", "a red [MASK]", "--top", "3", "--json"});
  ASSERT_EQ(filled.exit, 0) << filled.err;
  const json masks = json::parse(filled.out)["masks"];
  ASSERT_EQ(masks.size(), 1u);
  EXPECT_EQ(masks[0].size(), 3u);
  EXPECT_EQ(count_of("\n", look({"fill", "a [MASK] [MASK]", "--top", "3"}).out),
            7);  // two threes, a blank line
  const Finished completed = look({"complete", "a red", "--length", "4", "--json"});
  ASSERT_EQ(completed.exit, 0) << completed.err;
  const json text = json::parse(completed.out);
  EXPECT_EQ(text["prompt"], "a red");
  EXPECT_EQ(look({"complete", "a red", "--length", "4"}).out, text["text"].get<std::string>() + "\n");
}

TEST_F(Look, NeighboursOfTrainedWordsAndOfTheTextTower) {
  const Finished words = look({"neighbours", "red", "--top", "3"});
  ASSERT_EQ(words.exit, 0) << words.err;
  EXPECT_EQ(count_of("\n", words.out), 3);
  const fs::path exported = *folder_ / "exported.txt", tower = *folder_ / "tower.txt";
  ASSERT_EQ(look({"neighbours", "--export", exported.string()}).exit, 0);
  EXPECT_EQ(read_file(exported), read_file(run_ / "words-word2vec.txt"));
  ASSERT_EQ(look({"neighbours", "--of", "tower", "--export", tower.string()}).exit, 0);
  const Finished own = look({"neighbours", "a", "--of", "tower", "--top", "3"});
  EXPECT_EQ(own.exit, 0) << own.err;
  EXPECT_EQ(duet_program({"neighbours", tower.string(), "a", "--top", "3"}).out, own.out);
}

TEST_F(Look, RunWithoutTheObjectiveSaysWhichItHas) {
  const Finished refused = look({"follows", "a red circle", "a blue square"});
  EXPECT_EQ(refused.exit, 2);
  EXPECT_TRUE(contains(refused.err,
                       "has no objective that judges what comes next (next_sentence); its objectives: "
                       "info_nce, inpainting, bottle (autoencoder), jigsaw, rotation"))
      << refused.err;
  const Finished other = look({"reconstruct", "--images", manifest_.string(), "--objective", "masked_lm"});
  EXPECT_EQ(other.exit, 2);
  EXPECT_TRUE(contains(other.err, "called 'masked_lm'")) << other.err;
}

// Paired by batch, against the network before its first step.
TEST_F(Look, ObjectivesAreJudgedAgainstTheUntrainedNetwork) {
  const Finished judged = look({"evaluate", "--objectives", "--json"});
  ASSERT_EQ(judged.exit, 0) << judged.err;
  const json results = json::parse(judged.out);
  EXPECT_EQ(results["schema_version"], 1);
  int splits = 0;
  for (const auto& [name, split] : results.items()) {
    if (!split.is_object()) continue;
    ++splits;
    EXPECT_EQ(split.size(), 9u);
    const json& loss = split["masked_lm"]["loss"];
    EXPECT_NEAR(loss["difference"].get<double>(),
                loss["trained"].get<double>() - loss["untrained"].get<double>(), 1e-9);
    EXPECT_LE(loss["interval"][0], loss["difference"]);
    EXPECT_GE(loss["interval"][1], loss["difference"]);
    EXPECT_LT(loss["trained"], loss["untrained"]);
    EXPECT_GT(loss["batches"].get<int>(), 1);
  }
  EXPECT_EQ(splits, 1);
  const Finished first = look({"evaluate", "--objectives", "--json", "--checkpoint", "step-1"});
  EXPECT_EQ(first.exit, 2);
  EXPECT_TRUE(contains(first.err, "'step-1' is not there")) << first.err;
  const Finished other = look({"evaluate", "--objectives", "--data", manifest_.string()});
  EXPECT_EQ(other.exit, 2);
  EXPECT_TRUE(contains(other.err, "leave out --data")) << other.err;
}

}  // namespace
}  // namespace duet
