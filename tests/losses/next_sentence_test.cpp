// next_sentence: what it reads, whom it asks, and how it judges two texts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "decoder_objectives.h"
#include "losses/shown.h"
#include "recorded_texts.h"

namespace duet {
namespace {

using ::testing::AllOf;
using testing::computed;
using ::testing::HasSubstr;
using testing::Ids;
using testing::kBosId;
using testing::kClsId;
using testing::kEosId;
using testing::kReadsTwo;
using testing::kSepId;
using testing::loss_of;
using testing::make_objective;
using testing::metric;
using testing::reader;
using testing::Recorded;
using testing::refusal;
using testing::texts;

// Row r says 10 + r, and is followed by r alone; rows 0 and 1 are of one document, 2 and 3 of one picture, and
// row 6 has nothing behind it.
Batch documents(const TextFormat& format) {
  std::vector<Ids> first, second;
  for (std::int64_t row = 0; row < 7; ++row) {
    const auto framed = [&format](std::int64_t id) {
      return format.cls ? Ids{kClsId, id} : Ids{kBosId, id, kEosId};
    };
    first.push_back(framed(10 + row));
    second.push_back(row == 6 ? Ids{} : framed(row));
  }
  Batch batch = texts(first, 8);
  const Batch behind = texts(second, 8);
  batch.follows = behind.tokens;
  batch.follows_valid = behind.valid;
  batch.concept_id[1].copy_(batch.concept_id[0]);
  batch.image_id[3].copy_(batch.image_id[2]);
  return batch;
}

TEST(NextSentence, ReadsBothTextsEachWithItsSegment) {
  for (const TextFormat& format : {TextFormat{.cls = true}, TextFormat{.bos = true, .eos = true}}) {
    Recorded recorded(format);
    const auto objective = make_objective("kind = \"next_sentence\"\n", *recorded.model);
    loss_of(*objective, *recorded.model, documents(format));
    EXPECT_FALSE(recorded.tower->causal);
    for (std::int64_t row = 0; row < 6; ++row) {
      const Ids read = recorded.row(row);
      ASSERT_EQ(read.size(), 5u);
      EXPECT_EQ(read, (Ids{kClsId, 10 + row, kSepId, read[3], kSepId}));
      EXPECT_TRUE(torch::equal(recorded.tower->segments[row].slice(0, 0, 5),
                               torch::tensor({0, 0, 0, 1, 1}, torch::kLong)));
    }
  }
}

TEST(NextSentence, HalfTheirOwnAndNeverOneThatBelongsToThem) {
  const TextFormat format{.cls = true};
  Recorded recorded(format);
  const auto objective = make_objective("kind = \"next_sentence\"\n", *recorded.model);
  EncodedBatch batch(*recorded.model, documents(format), {});
  torch::manual_seed(4);
  double own = 0;
  std::set<std::pair<std::int64_t, std::int64_t>> seen;
  for (int step = 0; step < 300; ++step) {
    objective->compute(batch, {});
    for (std::int64_t row = 0; row < 6; ++row) {
      const std::int64_t next = recorded.row(row)[3];
      own += next == row;
      if (next != row) seen.emplace(row, next);
    }
  }
  EXPECT_NEAR(own / 1800, .5, .05);
  for (const auto& [row, next] : seen) {
    EXPECT_FALSE((row < 2 && next < 2) || ((row == 2 || row == 3) && (next == 2 || next == 3))) << row << next;
    EXPECT_LT(next, 6);
  }
  EXPECT_EQ(seen.size(), 30u - 4u);  // every other one, sooner or later
}

TEST(NextSentence, ATextThatGoesOnWithTheSameWordsIsNoStranger) {
  Recorded recorded({});
  const auto objective = make_objective("kind = \"next_sentence\"\n", *recorded.model);
  const torch::NoGradGuard no_grad;
  objective->named_parameters()["head.bias"][1] += 1000;  // says of every text that it goes on
  Batch batch = texts({{4}, {5}, {6}}, 4);
  const std::vector<Ids> behind = {{7}, {7}, {8}};
  batch.follows = texts(behind, 4).tokens;
  batch.follows_valid = texts(behind, 4).valid;
  EncodedBatch encoded(*recorded.model, batch, {});
  torch::manual_seed(4);
  int strange = 0;
  for (int step = 0; step < 50; ++step) {
    const double right = metric(objective->compute(encoded, {}), "accuracy");
    int own = 0;
    for (std::int64_t row = 0; row < 3; ++row)
      own += recorded.row(row)[3] == behind[static_cast<std::size_t>(row)][0];
    EXPECT_NEAR(right * 3, own, 1e-5);
    strange += 3 - own;
  }
  EXPECT_GT(strange, 40);
}

TEST(NextSentence, LeavesOutWhatCannotBeAsked) {
  const TextFormat format{.cls = true};
  Recorded recorded(format);
  const auto objective = make_objective("kind = \"next_sentence\"\n", *recorded.model);
  Batch batch = documents(format), other = documents(format);
  other.tokens[6][1].fill_(3);  // the row that nothing follows
  EXPECT_EQ(loss_of(*objective, *recorded.model, batch), loss_of(*objective, *recorded.model, other));
  Batch nothing = documents(format);
  nothing.follows_valid.fill_(false);
  const auto none = computed(*objective, *recorded.model, nothing);
  none.loss.backward();
  EXPECT_EQ(none.loss.item<double>(), 0);
}

TEST(NextSentence, ABatchOfOneDocumentHasNoStrangers) {
  const TextFormat format{.cls = true};
  Recorded recorded(format);
  const auto objective = make_objective("kind = \"next_sentence\"\n", *recorded.model);
  const torch::NoGradGuard no_grad;
  objective->named_parameters()["head.bias"][1] += 1000;  // says of every text that it goes on
  Batch batch = documents(format);
  batch.concept_id.fill_(1);
  EncodedBatch encoded(*recorded.model, batch, {});
  torch::manual_seed(4);
  for (int step = 0; step < 20; ++step) EXPECT_EQ(metric(objective->compute(encoded, {}), "accuracy"), 1);
}

TEST(NextSentence, JudgesTwoTextsByTheirProbability) {
  const auto model = reader(kReadsTwo);
  const auto objective = make_objective("kind = \"next_sentence\"\n", *model);
  Batch batch = texts({{kClsId, 4, 5}, {kClsId, 6}}, 3);
  const Batch behind = texts({{kClsId, 7}, {kClsId, 8, 9}}, 3);
  batch.follows = behind.tokens;
  batch.follows_valid = behind.valid;
  batch.image_id = batch.caption_id = batch.concept_id = torch::Tensor();
  EncodedBatch encoded(*model, batch, {});
  const torch::NoGradGuard no_grad;
  auto head = objective->named_parameters()["head.bias"];
  const auto before = dynamic_cast<JudgesNext&>(*objective).follows(encoded);
  ASSERT_EQ(before.sizes(), (std::vector<std::int64_t>{2}));
  head[1] += 2;
  const auto after = dynamic_cast<JudgesNext&>(*objective).follows(encoded);
  EXPECT_TRUE(torch::allclose(at::logit(after) - at::logit(before), torch::full({2}, 2.0F), 1e-4, 1e-4));
}

TEST(NextSentence, NeedsSegmentsAndRoomForTwo) {
  const std::string table = "kind = \"next_sentence\"\n";
  const auto without = reader("causal = false\n"), one = reader("causal = false\nsegments = 1\n"),
             narrow = reader("causal = false\nsegments = 2\ncontext = 4\n");
  EXPECT_THAT(refusal(table, *without),
              AllOf(HasSubstr("r.toml:2"), HasSubstr("0 segments"), HasSubstr("set text.segments = 2")));
  EXPECT_THAT(refusal(table, *one), HasSubstr("1 segments"));
  EXPECT_THAT(refusal(table, *narrow), AllOf(HasSubstr("r.toml:2"), HasSubstr("text.context = 4")));
}

}  // namespace
}  // namespace duet
