// captioning, denoising, image_text_matching and next_sentence against plain PyTorch
// (golden/make_decoder_objectives.py), and what must hold for each of them.
#include <ATen/ops/embedding.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "core/error.h"
#include "core/format.h"
#include "golden_values.h"
#include "losses/objective.h"
#include "losses/shown.h"
#include "tiny_model.h"

namespace duet {
namespace {

using ::testing::AllOf;
using testing::GoldenValues;
using ::testing::HasSubstr;
using testing::kPadId;
using testing::kVocabulary;
using testing::tiny_batch;
using testing::tiny_model;

constexpr std::uint64_t kSeed = 11;
constexpr std::int64_t kBosId = kPadId + kBos, kEosId = kPadId + kEos, kSepId = kPadId + kSep,
                       kClsId = kPadId + kCls;

const GoldenValues& golden() {
  static const GoldenValues values("decoder_objectives.safetensors");
  return values;
}

std::shared_ptr<Model> reader(const std::string& keys) {
  Config recipe = Config::parse("[text]\nwidth = 8\nheads = 2\nlayers = 1\n" + keys, "m.toml");
  return std::make_shared<Model>(read_model(recipe), kVocabulary, 1);
}

const std::string kReadsTwo = "causal = false\npool = \"cls\"\ncontext = 10\nsegments = 2\n";

std::shared_ptr<Objective> made(const std::string& table, Model& model) {
  const ObjectiveSpec spec = testing::read_objective(table, model.spec());
  Setting setting;
  setting.model = &model;
  setting.init = Init(1) / "objective" / spec.name;
  return spec.make(setting);
}

Batch golden_batch() {
  Batch batch;
  batch.source = "pairs";
  batch.views["main"] = golden().at("batch/pictures").contiguous(at::MemoryFormat::ChannelsLast);
  batch.tokens = golden().at("batch/tokens");
  batch.valid = golden().at("batch/valid").to(torch::kBool);
  batch.follows = golden().at("batch/follows");
  batch.follows_valid = golden().at("batch/follows_valid").to(torch::kBool);
  batch.image_id = golden().at("batch/image_id");
  batch.caption_id = golden().at("batch/caption_id");
  batch.concept_id = golden().at("batch/concept_id");
  batch.rows = {0, 1, 2, 3, 4};
  return batch;
}

LossTerms computed(Objective& objective, EncodedBatch& batch) {
  torch::manual_seed(kSeed);
  return objective.compute(batch, {});
}

LossTerms computed(Objective& objective, Model& model, const Batch& batch) {
  EncodedBatch encoded(model, batch, {});
  return computed(objective, encoded);
}

double loss_of(Objective& objective, Model& model, const Batch& batch) {
  return computed(objective, model, batch).loss.item<double>();
}

double metric(const LossTerms& terms, const std::string& name) {
  for (const auto& [key, value] : terms.metrics) {
    if (key == name) return value.item<double>();
  }
  ADD_FAILURE() << "no metric " << name;
  return 0;
}

struct Case {
  std::string name, table;
  int gradients, passes;
};

class DecoderObjective : public ::testing::TestWithParam<Case> {};

TEST_P(DecoderObjective, EqualsPlainPyTorch) {
  const Case& one = GetParam();
  const auto model = one.name == "next_sentence" ? reader(kReadsTwo) : tiny_model();
  golden().set(*model, "tower/", "");
  const auto objective = made(one.table, *model);
  golden().set(*objective, one.name + "/head/", "objective.");
  EncodedBatch encoded(*model, golden_batch(), {});
  const LossTerms terms = computed(*objective, encoded);
  EXPECT_NEAR(terms.loss.item<double>(), golden().at(one.name + "/loss").item<double>(), 1e-5);
  terms.loss.backward();
  // Attention to one token alone leaves its query a gradient of rounding errors.
  for (auto& parameter : objective->parameters()) {
    if (parameter.grad().abs().max().item<double>() < 1e-6) parameter.mutable_grad().reset();
  }
  EXPECT_EQ(golden().expect_gradients(*model, one.name, "") +
                golden().expect_gradients(*objective, one.name, "objective."),
            one.gradients);
  EXPECT_EQ(encoded.encoder_passes(), one.passes);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, DecoderObjective,
    ::testing::Values(Case{"captioning", "kind = \"captioning\"\ndecoder_heads = 2\n", 53, 1},
                      Case{"parallel_captioning",
                           "kind = \"captioning\"\ndecoder_heads = 2\ndecoder_layers = 1\nparallel = 1\n", 33,
                           1},
                      Case{"denoising",
                           "kind = \"denoising\"\ndecoder_heads = 2\ndecoder_layers = 1\ndelete_share = 0.5\n"
                           "shuffle_distance = 2\n",
                           31, 1},
                      Case{"pooled_denoising",
                           "kind = \"denoising\"\ndecoder_heads = 2\ndecoder_layers = 1\ndelete_share = 0.5\n"
                           "shuffle_distance = 2\nmemory = \"pooled\"\n",
                           27, 1},
                      Case{"image_text_matching",
                           "kind = \"image_text_matching\"\ndecoder_heads = 2\ndecoder_layers = 1\n", 30, 2},
                      Case{"next_sentence", "kind = \"next_sentence\"\n", 21, 1}),
    [](const auto& one) { return one.param.name; });

// A text tower that notes what it reads.
class Recorder : public TextEncoder {
 public:
  explicit Recorder(const Init& init) {
    table_ = register_parameter("table", init.normal("table", {kVocabulary, 8}, 1));
    register_parameter("segments", init.normal("segments", {2, 8}, 1));
  }
  torch::Tensor embed(const torch::Tensor& read, const torch::Tensor& of_segments) override {
    ids = read;
    segments = of_segments;
    return at::embedding(table_, read);
  }
  torch::Tensor encode(const torch::Tensor& tokens, const torch::Tensor& read, bool was_causal) override {
    valid = read;
    causal = was_causal;
    return tokens;
  }
  torch::Tensor pool(const torch::Tensor& tokens, const torch::Tensor&) override { return tokens.select(1, 0); }
  std::int64_t width() const override { return 8; }
  torch::Tensor token_table() const override { return table_; }

  torch::Tensor ids, valid, segments;
  bool causal = false;

 private:
  torch::Tensor table_;
};

using Ids = std::vector<std::int64_t>;

struct Recorded {
  explicit Recorded(TextFormat format) {
    ModelSpec spec;
    spec.text.make = [this](const Init& init, std::int64_t) {
      return tower = std::make_shared<Recorder>(init);
    };
    spec.text.format = format;
    spec.text.width = 8;
    spec.text.mixes_tokens = true;
    spec.text.segments = 2;
    model = std::make_shared<Model>(spec, kVocabulary, 1);
  }
  Ids row(std::int64_t at) const {  // what was read, without padding
    const auto read = tower->ids[at].masked_select(tower->valid[at]);
    return {read.const_data_ptr<std::int64_t>(), read.const_data_ptr<std::int64_t>() + read.numel()};
  }
  std::shared_ptr<Recorder> tower;
  std::shared_ptr<Model> model;
};

Batch texts(const std::vector<Ids>& rows, std::int64_t length) {
  Batch batch;
  const auto count = static_cast<std::int64_t>(rows.size());
  batch.tokens = torch::full({count, length}, kPadId, torch::kLong);
  for (std::int64_t row = 0; row < count; ++row) {
    const Ids& ids = rows[static_cast<std::size_t>(row)];
    batch.tokens[row]
        .slice(0, 0, static_cast<std::int64_t>(ids.size()))
        .copy_(torch::tensor(ids, torch::kLong));
    batch.rows.push_back(row);
  }
  batch.valid = batch.tokens != kPadId;
  batch.image_id = 1000 + torch::arange(count, torch::kLong);
  batch.caption_id = 2000 + torch::arange(count, torch::kLong);
  batch.concept_id = 3000 + torch::arange(count, torch::kLong);
  return batch;
}

TEST(Captioning, IsTheSameWhateverSpecialsTheTowerReads) {
  const auto model = tiny_model();
  const auto objective = made("kind = \"captioning\"\ndecoder_heads = 2\n", *model);
  Batch plain = tiny_batch(2, 3);
  const auto with_texts = [&plain](const Batch& read) {
    Batch batch = plain;
    batch.tokens = read.tokens;
    batch.valid = read.valid;
    return batch;
  };
  const double expected = loss_of(*objective, *model, with_texts(texts({{4, 7, 2}, {9}}, 3)));
  for (const Batch& read : {texts({{kBosId, 4, 7, 2, kEosId}, {kBosId, 9, kEosId}}, 8),
                            texts({{kClsId, 4, 7, 2}, {kClsId, 9}}, 4), texts({{4, 7, 2}, {9}}, 16)}) {
    EXPECT_NEAR(loss_of(*objective, *model, with_texts(read)), expected, 1e-6);
  }
}

// The gradient of a class's bias is negative only where the class is a target.
TEST(Captioning, TellsNoPaddingAndNoSpecialButTheEnd) {
  const auto model = tiny_model();
  for (const std::string parallel : {"0", "1"}) {
    const auto objective =
        made("kind = \"captioning\"\ndecoder_heads = 2\nparallel = " + parallel + "\n", *model);
    Batch batch = tiny_batch(3, 3);
    const Batch read =
        texts({{kBosId, 4, 7, 2, kEosId}, {kBosId, 9, kEosId}, {kClsId, 3, kSepId, 4, kSepId}}, 6);
    batch.tokens = read.tokens;
    batch.valid = read.valid;
    computed(*objective, *model, batch).loss.backward();
    const auto gradient = objective->named_parameters()["teller.head.bias"].grad();
    for (std::int64_t id = 0; id < kVocabulary; ++id) {
      const bool is_target = id == 2 || id == 3 || id == 4 || id == 7 || id == 9 || id == kEosId;
      EXPECT_EQ(gradient[id].item<double>() < 0, is_target) << id;
    }
  }
}

TEST(Captioning, EveryCopyOfAPictureTellsTheCaption) {
  const auto model = tiny_model();
  const auto objective = made("kind = \"captioning\"\ndecoder_heads = 2\n", *model);
  const Batch both = tiny_batch(3, 5, 2);
  Batch first = both, second = both;
  first.views["main"] = both.views.at("main").slice(0, 0, 3);
  second.views["main"] = both.views.at("main").slice(0, 3, 6);
  EXPECT_NEAR(loss_of(*objective, *model, both),
              (loss_of(*objective, *model, first) + loss_of(*objective, *model, second)) / 2, 1e-5);
}

TEST(Captioning, ParallelIsAShareOfTheBatchesOfTrainingAlone) {
  const auto model = tiny_model();
  const std::string table = "kind = \"captioning\"\ndecoder_heads = 2\nparallel = ";
  const auto mixed = made(table + "0.25\n", *model), causal = made(table + "0\n", *model),
             parallel = made(table + "1\n", *model);
  EncodedBatch batch(*model, tiny_batch(2, 5), {});
  const double one = computed(*causal, batch).loss.item<double>();
  const double other = computed(*parallel, batch).loss.item<double>();
  ASSERT_GT(std::abs(one - other), 1e-3);
  int at_once = 0;
  for (int step = 0; step < 200; ++step) {
    const double loss = mixed->compute(batch, {}).loss.item<double>();
    at_once += std::abs(loss - other) < 1e-6;
    EXPECT_TRUE(std::abs(loss - one) < 1e-6 || std::abs(loss - other) < 1e-6);
  }
  EXPECT_NEAR(at_once, 50, 25);
  mixed->eval();
  for (int step = 0; step < 20; ++step) EXPECT_NEAR(mixed->compute(batch, {}).loss.item<double>(), one, 1e-6);
}

TEST(Captioning, TellsACaptionThatFillsTheContext) {
  const auto model = tiny_model();  // a context of 32, no specials
  const auto objective = made("kind = \"captioning\"\ndecoder_heads = 2\n", *model);
  Batch batch = tiny_batch(1, 5);
  batch.tokens = torch::full({1, 32}, 4, torch::kLong);
  batch.valid = torch::ones({1, 32}, torch::kBool);
  EXPECT_TRUE(std::isfinite(loss_of(*objective, *model, batch)));
}

TEST(Denoising, WithoutDamageTheTowerReadsTheCaption) {
  Recorded recorded({.bos = true, .eos = true});
  const auto objective =
      made("kind = \"denoising\"\ndelete_share = 0\nshuffle_distance = 0\n", *recorded.model);
  const std::vector<Ids> rows = {{kBosId, 4, 7, 2, 7, kEosId}, {kBosId, 9, kEosId}, {kBosId, kEosId}};
  loss_of(*objective, *recorded.model, texts(rows, 8));
  for (std::size_t row = 0; row < rows.size(); ++row)
    EXPECT_EQ(recorded.row(static_cast<std::int64_t>(row)), rows[row]);
}

TEST(Denoising, LosesAShareOfThePiecesAndKeepsTheEnds) {
  Recorded recorded({.bos = true, .eos = true});
  const auto objective = made("kind = \"denoising\"\ndelete_share = 0.4\n", *recorded.model);
  const std::vector<Ids> rows(500, Ids{kBosId, 0, 1, 2, 3, 4, 5, 6, 7, kEosId});
  loss_of(*objective, *recorded.model, texts(rows, 16));
  double kept = 0;
  bool was_moved = false;
  for (std::int64_t row = 0; row < 500; ++row) {
    Ids read = recorded.row(row);
    ASSERT_GE(read.size(), 3u);
    EXPECT_EQ(read.front(), kBosId);
    EXPECT_EQ(read.back(), kEosId);
    read = {read.begin() + 1, read.end() - 1};
    kept += static_cast<double>(read.size());
    was_moved |= !std::is_sorted(read.begin(), read.end());
    for (std::size_t i = 0; i < read.size();
         ++i) {  // of two pieces, one moves up to three places past the other
      for (std::size_t j = i + 1; j < read.size(); ++j) EXPECT_LE(read[i] - read[j], 3);
    }
    std::sort(read.begin(), read.end());
    EXPECT_EQ(std::adjacent_find(read.begin(), read.end()), read.end());
    EXPECT_TRUE(read.front() >= 0 && read.back() <= 7);
  }
  EXPECT_NEAR(kept / (500 * 8), .6, .03);
  EXPECT_TRUE(was_moved);
}

TEST(Denoising, KeepsOnePieceAtLeast) {
  Recorded recorded({.cls = true});
  const auto objective = made("kind = \"denoising\"\ndelete_share = 0.95\n", *recorded.model);
  loss_of(*objective, *recorded.model, texts(std::vector<Ids>(200, Ids{kClsId, 3, 8}), 4));
  for (std::int64_t row = 0; row < 200; ++row) EXPECT_GE(recorded.row(row).size(), 2u);
}

TEST(ImageTextMatching, ABatchOfOneConceptHasMatchesAlone) {
  const auto model = tiny_model();
  const auto objective = made("kind = \"image_text_matching\"\ndecoder_heads = 2\n", *model);
  Batch batch = tiny_batch(4, 3);
  batch.concept_id.fill_(5);
  const auto terms = computed(*objective, *model, batch);
  EXPECT_EQ(metric(terms, "matching"), 1);
  EXPECT_EQ(metric(terms, "preferred"), 0);
  terms.loss.backward();
  EXPECT_TRUE(std::isfinite(terms.loss.item<double>()));
  for (const auto& parameter : objective->parameters())
    EXPECT_TRUE(parameter.grad().isfinite().all().item<bool>());
}

TEST(ImageTextMatching, AsksOneNegativeOfEachSide) {
  const auto model = tiny_model();
  const auto objective = made("kind = \"image_text_matching\"\ndecoder_heads = 2\n", *model);
  EXPECT_NEAR(metric(computed(*objective, *model, tiny_batch(6, 3)), "matching"), 6.0 / 18, 1e-6);
  EXPECT_NEAR(metric(computed(*objective, *model, tiny_batch(6, 3, 2)), "matching"), 12.0 / 30, 1e-6);
}

TEST(ImageTextMatching, TheHardestIsAskedInTrainingAloneUnlessAnyWillDo) {
  const auto model = tiny_model();
  {
    const torch::NoGradGuard no_grad;
    model->named_parameters()["spaces.joint.logit_scale"].fill_(12);  // the most alike is drawn, always
  }
  const auto is_always_one = [&](const std::string& keys, bool trains) {
    const auto objective = made("kind = \"image_text_matching\"\ndecoder_heads = 2\n" + keys, *model);
    objective->train(trains);
    std::set<double> losses;
    for (const std::uint64_t seed : {1, 2, 3, 4}) {
      EncodedBatch batch(*model, tiny_batch(8, 3), {});
      torch::manual_seed(seed);
      losses.insert(objective->compute(batch, {}).loss.item<double>());
    }
    return losses.size() == 1;
  };
  EXPECT_TRUE(is_always_one("", true));
  EXPECT_FALSE(is_always_one("", false));
  EXPECT_FALSE(is_always_one("negatives = \"any\"\n", true));
}

TEST(ImageTextMatching, PrefersWhatPlainPyTorchPrefers) {
  const auto model = tiny_model();
  golden().set(*model, "tower/", "");
  const auto objective =
      made("kind = \"image_text_matching\"\ndecoder_heads = 2\ndecoder_layers = 1\n", *model);
  golden().set(*objective, "image_text_matching/head/", "objective.");
  EXPECT_NEAR(metric(computed(*objective, *model, golden_batch()), "preferred"),
              golden().at("image_text_matching/preferred").item<double>(), 1e-6);
  const torch::NoGradGuard no_grad;
  objective->named_parameters()["head.weight"].zero_();  // the same answer to all
  EXPECT_EQ(metric(computed(*objective, *model, golden_batch()), "preferred"), .5);
}

TEST(ImageTextMatching, SharesItsPassesWithAGradientForOthers) {
  const auto model = tiny_model();
  const auto matching = made("kind = \"image_text_matching\"\ndecoder_heads = 2\n", *model),
             info_nce = made("kind = \"info_nce\"\n", *model);
  EncodedBatch encoded(*model, tiny_batch(5, 3), {});
  computed(*matching, encoded);
  info_nce->compute(encoded, {}).loss.backward();
  EXPECT_EQ(encoded.encoder_passes(), 2);
  EXPECT_TRUE(model->named_parameters()["image.kernel"].grad().defined());
}

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
    const auto objective = made("kind = \"next_sentence\"\n", *recorded.model);
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
  const auto objective = made("kind = \"next_sentence\"\n", *recorded.model);
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
  const auto objective = made("kind = \"next_sentence\"\n", *recorded.model);
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
  const auto objective = made("kind = \"next_sentence\"\n", *recorded.model);
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
  const auto objective = made("kind = \"next_sentence\"\n", *recorded.model);
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
  const auto objective = made("kind = \"next_sentence\"\n", *model);
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

std::string message(const std::string& table, Model& model) {
  try {
    made(table, model);
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::usage);
    return error.what();
  }
  return "no error";
}

TEST(NextSentence, NeedsSegmentsAndRoomForTwo) {
  const std::string table = "kind = \"next_sentence\"\n";
  const auto without = reader("causal = false\n"), one = reader("causal = false\nsegments = 1\n"),
             narrow = reader("causal = false\nsegments = 2\ncontext = 4\n");
  EXPECT_THAT(message(table, *without),
              AllOf(HasSubstr("r.toml:2"), HasSubstr("0 segments"), HasSubstr("set text.segments = 2")));
  EXPECT_THAT(message(table, *one), HasSubstr("1 segments"));
  EXPECT_THAT(message(table, *narrow), AllOf(HasSubstr("r.toml:2"), HasSubstr("text.context = 4")));
}

TEST(DecoderObjectives, RefuseWhatTheModelLacks) {
  const auto model = tiny_model();  // a width of 10
  for (const std::string kind : {"captioning", "denoising", "image_text_matching"}) {
    EXPECT_THAT(message("kind = \"" + kind + "\"\ndecoder_heads = 4\n", *model),
                AllOf(HasSubstr("r.toml:3"), HasSubstr("width of 10"), HasSubstr("decoder_heads")));
  }
  const auto text_only = reader("");
  EXPECT_THAT(message("kind = \"captioning\"\n", *text_only),
              AllOf(HasSubstr("r.toml:2"), HasSubstr("[image]")));
  EXPECT_THAT(message("kind = \"image_text_matching\"\n", *text_only), HasSubstr("spaces need both"));
  EXPECT_THAT(message("kind = \"denoising\"\nmemory = \"all\"\n", *model),
              AllOf(HasSubstr("r.toml:3"), HasSubstr("pooled")));
}

// A convnet's pooled feature is wider than the cells of its map.
TEST(DecoderObjectives, LookAtTheCellsOfAConvolutionTower) {
  Config recipe = Config::parse(
      "[image]\nkind = \"convnet\"\nstem = 8\nwidths = [8, 16]\nsize = 16\n"
      "[text]\nkind = \"bag_of_tokens\"\nwidth = 8\n",
      "m.toml");
  Model model(read_model(recipe), kVocabulary, 1);
  ASSERT_NE(model.image->width(), 16);
  Batch batch = tiny_batch(3, 5);
  batch.views["main"] = torch::randint(256, {3, 3, 16, 16}, torch::kLong).to(torch::kByte);
  for (const std::string kind : {"captioning", "image_text_matching"}) {
    const auto objective = made("kind = \"" + kind + "\"\n", model);
    const double loss = loss_of(*objective, model, batch);
    EXPECT_TRUE(std::isfinite(loss) && loss > 0) << kind;
  }
}

TEST(DecoderObjectives, AskForWhatTheyRead) {
  const auto pairs = tiny_model(), two = reader(kReadsTwo);
  const auto needs_of = [](const std::string& table, const Model& model) {
    return testing::read_objective(table, model.spec()).needs;
  };
  const Needs captioning = needs_of("kind = \"captioning\"\nview = \"big\"\ndecoder_heads = 2\n", *pairs);
  EXPECT_EQ(captioning.views, std::vector<std::string>{"big"});
  EXPECT_TRUE(captioning.tokens && captioning.texts);
  const Needs matching = needs_of("kind = \"image_text_matching\"\ndecoder_heads = 2\n", *pairs);
  EXPECT_TRUE(matching.tokens && matching.texts);
  const Needs denoising = needs_of("kind = \"denoising\"\ndecoder_heads = 2\n", *pairs);
  EXPECT_TRUE(denoising.mixed_tokens && denoising.edits && denoising.texts);
  const Needs next = needs_of("kind = \"next_sentence\"\n", *two);
  EXPECT_TRUE(next.mixed_tokens && next.edits && next.texts && next.follows);
}

}  // namespace
}  // namespace duet
