// word2vec and glove: equal to plain PyTorch (golden/make_word_vectors.py), what they learn, are judged on and
// write.
#include "losses/text/word_vectors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <sstream>

#include "core/error.h"
#include "core/format.h"
#include "core/random.h"
#include "encoders/blocks.h"
#include "golden_values.h"
#include "tests/support/failure.h"
#include "tiny_model.h"

namespace duet {
namespace {

using ::testing::AllOf;
using testing::GoldenValues;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using testing::tiny_model;

using Texts = std::vector<std::string>;

// Pieces of kVocabulary ids, as the tiny caption tower has them.
const Tokenizer& tokenizer() {
  static const Tokenizer trained = [] {
    TokenizerOptions options;
    options.kind = "bpe";
    options.vocabulary = testing::kPadId;
    options.byte_fallback = false;
    return Tokenizer::train({"a b c d", "b c d e", "abcde edcba", "e d c b a", "aa bb cc dd ee"}, options);
  }();
  return trained;
}

std::shared_ptr<Objective> make(const std::string& keys, const Texts& texts, Model& model) {
  const ObjectiveSpec spec = testing::read_objective(keys, model.spec());
  Setting setting{.model = &model};
  setting.corpus = {.texts = [texts] { return texts; }, .tokenizer = &tokenizer(), .format = {.eos = true}};
  spec.check_texts(setting.corpus);
  return spec.make(setting);
}

LossTerms loss_of(Objective& objective, Model& model, std::uint64_t seed) {
  EncodedBatch batch(model, testing::tiny_batch(2, 1), {});
  torch::manual_seed(seed);
  LossTerms terms = objective.compute(batch, {});
  EXPECT_EQ(batch.encoder_passes(), 0);
  return terms;
}

struct Case {
  std::string name, keys;
  int gradients;
};
class WordVectorsGolden : public ::testing::TestWithParam<Case> {};

TEST_P(WordVectorsGolden, EqualsPlainPyTorch) {
  const Case& one = GetParam();
  const GoldenValues golden("word_vectors.safetensors");
  const auto &ids = golden.at("corpus/ids"), &ends = golden.at("corpus/ends");
  Texts texts(1);
  for (std::int64_t i = 0; i < ids.size(0); ++i) {
    texts.back() += cat("w", ids[i].item<std::int64_t>(), " ");
    if (ends[i].item<std::int64_t>() == 1) texts.emplace_back();
  }
  const auto model = tiny_model();
  const auto objective =
      make("unit = \"word\"\nmin_count = 2\ndimension = 6\nwindow = 3\npairs = 64\n" + one.keys, texts, *model);
  golden.set(*objective, one.name + "/weight/", "objective.");
  const LossTerms terms = loss_of(*objective, *model, 11);
  EXPECT_NEAR(terms.loss.item<double>(), golden.at(one.name + "/loss").item<double>(), 1e-5);
  terms.loss.backward();
  EXPECT_EQ(golden.expect_gradients(*model, one.name, "") +
                golden.expect_gradients(*objective, one.name, "objective."),
            one.gradients);
}

const std::string kWord2vec = "kind = \"word2vec\"\nnegatives = 4\nsubsample = 0.02\n";
INSTANTIATE_TEST_SUITE_P(Kinds, WordVectorsGolden,
                         ::testing::Values(Case{"skip_gram", kWord2vec, 2},
                                           Case{"cbow", kWord2vec + "mode = \"cbow\"\n", 2},
                                           Case{"glove", "kind = \"glove\"\nx_max = 2\n", 4}),
                         [](const auto& one) { return one.param.name; });

TEST(NegativeSampling, KnowingNothingCostsOneQuestionEach) {
  const auto hidden = torch::ones({3, 4}), output = torch::zeros({9, 4});
  const auto targets = torch::tensor({0, 1, 2}, torch::kLong);
  const auto negatives = torch::tensor({{3, 4}, {5, 6}, {7, 8}}, torch::kLong);
  EXPECT_NEAR(negative_sampling(hidden, output, targets, negatives).loss.item<double>(), 3 * std::log(2), 1e-6);
  const auto own = torch::tensor({{3, 4}, {1, 1}, {7, 2}}, torch::kLong);  // three of them are targets
  EXPECT_NEAR(negative_sampling(hidden, output, targets, own).loss.item<double>(), 2 * std::log(2), 1e-6);
}

TEST(PieceVectors, TrainTheTowersTableAndNoSpecial) {
  const Texts texts = {"a b c d", "b c d e", "abcde edcba", "a b \u2603"};
  for (const std::string kind : {"word2vec", "glove"}) {
    const auto model = tiny_model();
    const auto objective = make("kind = \"" + kind + "\"\n", texts, *model);
    {
      const torch::NoGradGuard no_grad;
      objective->named_parameters()["output"].fill_(.1);  // from zeros, the input vectors get no gradient
    }
    loss_of(*objective, *model, 5).loss.backward();
    const auto moved = model->text->token_table().grad().abs().sum(1) > 0;  // [V]
    ASSERT_GT(moved.sum().item<std::int64_t>(), 4);
    std::set<std::int64_t> held;
    for (const auto& text : texts) {
      for (const std::int64_t id : tokenizer().encode(text)) held.insert(id);
    }
    for (std::int64_t id = 0; id < tokenizer().vocabulary(); ++id) {
      if (held.contains(id) && !tokenizer().is_unknown(id)) continue;
      EXPECT_FALSE(moved[id].item<bool>()) << kind << " " << tokenizer().piece(id);
    }
    EXPECT_FALSE(objective->named_parameters().contains("input"));
  }
}

Batch batch_of(const Texts& texts) {
  Batch batch = testing::tiny_batch(std::ssize(texts), 1);
  batch.tokens.fill_(tokenizer().id(kPad));
  batch.valid.fill_(false);
  for (std::int64_t row = 0; row < std::ssize(texts); ++row) {
    const auto ids = encode_caption(tokenizer(), texts[static_cast<std::size_t>(row)], {.eos = true});
    const auto count = std::ssize(ids);
    TORCH_CHECK(count <= batch.tokens.size(1));
    batch.tokens[row].slice(0, 0, count).copy_(torch::tensor(ids));
    batch.valid[row].slice(0, 0, count).fill_(true);
  }
  return batch;
}

TEST(WordVectors, AreJudgedOnTheBatchsTexts) {
  const Texts texts = {"a b c d", "b c d e", "e d c b a"};
  const auto model = tiny_model();
  const Batch batch = batch_of({"a e", "c"});
  for (const std::string keys : {"unit = \"piece\"\n", "unit = \"word\"\nmin_count = 1\n"}) {
    const auto objective = make("kind = \"word2vec\"\nnegatives = 2\nsubsample = 0\n" + keys, texts, *model);
    auto named = objective->named_parameters();
    {
      const torch::NoGradGuard no_grad;
      named["output"].fill_(.1);
    }
    for (const bool trains : {true, false}) {
      objective->train(trains);
      EncodedBatch encoded(*model, batch, {});
      torch::manual_seed(1);
      objective->compute(encoded, {}).loss.backward();
      auto table = named.contains("input") ? named["input"] : model->text->token_table();
      EXPECT_EQ((table.grad().abs().sum(1) > 0).sum().item<std::int64_t>(), trains ? 5 : 2) << keys;
      table.mutable_grad() = torch::Tensor();
    }
  }
}

TEST(Glove, IsToldApartOnTheBatchsTextsByProductsAlone) {
  const auto model = tiny_model();
  const auto objective = make("kind = \"glove\"\nunit = \"word\"\nmin_count = 1\ndimension = 5\n",
                              {"a b c d", "b c d e", "e d c b"}, *model);
  auto named = objective->named_parameters();
  {
    const torch::NoGradGuard no_grad;
    named["input"].copy_(torch::eye(5));
    named["output"].zero_();  // of all pairs, a and e alone have a product
    const auto place = [&](const std::string& word) {
      std::istringstream text(objective->word_vectors());
      std::string line;
      std::int64_t row = -1;
      for (std::getline(text, line); std::getline(text, line) && line.substr(0, 1) != word;) ++row;
      return row + 1;
    };
    named["output"][place("a")][place("e")] = 1;
    named["output"][place("e")][place("a")] = 1;
    named["output_bias"].normal_(0, 9);  // how frequent a word is does not matter
  }
  const Batch batch = batch_of({"a e", "c"});
  EncodedBatch encoded(*model, batch, {});
  EXPECT_EQ(objective->compute(encoded, {}).metrics.size(), 1u);
  objective->eval();
  const auto terms = objective->compute(encoded, {});
  ASSERT_EQ(terms.metrics.back().first, "accuracy");
  EXPECT_EQ(terms.metrics.back().second.item<double>(), 1);
}

TEST(WordVectors, AreWrittenAsWord2vecsTextFormat) {
  const auto model = tiny_model();
  const auto objective = make("kind = \"glove\"\nunit = \"word\"\nmin_count = 1\ndimension = 3\n",
                              {"Rot blau", "blau grün", "blau"}, *model);
  const auto named = objective->named_parameters();
  std::istringstream text(objective->word_vectors());
  std::int64_t count = 0, dimension = 0;
  text >> count >> dimension;
  EXPECT_EQ(count, 3);
  EXPECT_EQ(dimension, 3);
  const auto sum = named["input"] + named["output"];
  for (const std::string expected : {"blau", "grün", "rot"}) {
    std::string word;
    text >> word;
    EXPECT_EQ(word, expected);
    const std::int64_t row = expected == "blau" ? 0 : expected == "grün" ? 1 : 2;
    for (std::int64_t i = 0; i < dimension; ++i) {
      float value = 0;
      text >> value;
      EXPECT_EQ(value, sum[row][i].item<float>());
    }
  }
  const auto pieces = make("kind = \"word2vec\"\nnegatives = 2\n", {"a b c d", "b c d e"}, *model);
  EXPECT_THAT(pieces->word_vectors(),
              AllOf(HasSubstr(" 10\n"), HasSubstr("\n\u2581b "), ::testing::Not(HasSubstr("[PAD]"))));
}

TEST(WordVectors, WordsOfOneTopicComeNearEachOther) {
  Texts texts;
  duet::Random random(6);
  for (int i = 0; i < 300; ++i) {  // ten words, of which one to five and six to ten go together
    const std::uint64_t first = random.below(2) * 5;
    std::string text;
    for (int k = 0; k < 6; ++k) text += cat("w", first + random.below(5), " ");
    texts.push_back(text);
  }
  const auto model = tiny_model();
  const auto objective =
      make("kind = \"word2vec\"\nunit = \"word\"\ndimension = 8\npairs = 500\nsubsample = 0\n", texts, *model);
  for (int step = 0; step < 150; ++step) {
    loss_of(*objective, *model, static_cast<std::uint64_t>(step)).loss.backward();
    const torch::NoGradGuard no_grad;
    for (auto& p : objective->parameters()) {
      p -= 2 * p.grad();
      p.mutable_grad() = torch::Tensor();
    }
  }
  std::istringstream text(objective->word_vectors());
  std::string word;
  std::getline(text, word);
  std::vector<torch::Tensor> groups[2];
  while (text >> word) {
    std::vector<float> vector(8);
    for (float& value : vector) text >> value;
    groups[word < "w5" ? 0 : 1].push_back(unit(torch::tensor(vector)));
  }
  const auto a = torch::stack(groups[0]), b = torch::stack(groups[1]);
  ASSERT_EQ(a.size(0), 5);
  ASSERT_EQ(b.size(0), 5);
  EXPECT_GT(a.mm(a.t()).min().item<double>(), a.mm(b.t()).max().item<double>() + .3);
}

std::string message(const std::function<void()>& action) {
  const Failure failure = failure_of(action);
  EXPECT_EQ(failure.exit, Exit::usage);
  return failure.text;
}

TEST(WordVectors, Refusals) {
  const auto model = tiny_model();
  const auto of = [&](const std::string& keys, const Texts& texts) {
    return message([&] { make(keys, texts, *model); });
  };
  const std::string words = "kind = \"word2vec\"\nunit = \"word\"\n";
  EXPECT_THAT(of(words + "min_count = 2\n", {"a b a b", "c a d"}),
              AllOf(StartsWith("r.toml:2:1: "), HasSubstr("2 different words that occur at least 2 times"),
                    HasSubstr("5 negatives"), HasSubstr("'min_count'")));
  EXPECT_THAT(of(words + "min_count = 1\n", {"a", "b", "c"}),
              AllOf(StartsWith("r.toml:2:1: "), HasSubstr("no text holds two words")));
  EXPECT_THAT(of("kind = \"glove\"\n", {"", "."}), HasSubstr("no text holds two pieces"));
  EXPECT_THAT(of("kind = \"word2vec\"\nnegatives = 50\n", {"a b c d"}), HasSubstr("different pieces, too few"));
  EXPECT_THAT(of(words + "min_count = 1\nsubsample = 1e-9\n", {"a b c d e f g h"}),
              AllOf(StartsWith("r.toml:2:1: "), HasSubstr("subsample = 1e-09 leaves 0.0 %")));
  EXPECT_THAT(message([&] { testing::read_objective("kind = \"glove\"\nmin_count = 3\n", model->spec()); }),
              AllOf(StartsWith("r.toml:3:1: "), HasSubstr("min_count")));
}

TEST(WordVectors, AreMadeWithoutTexts) {  // for `duet check`
  for (const std::string kind : {"word2vec", "glove"}) {
    for (const std::string unit : {"word", "piece"}) {
      const auto model = tiny_model();
      const std::string table = "kind = \"" + kind + "\"\nunit = \"" + unit + "\"\n";
      EXPECT_TRUE(testing::read_objective(table, model->spec()).needs.texts);
      const auto objective = testing::make_objective(table, *model);
      EXPECT_GT(objective->parameters().size(), 0u);
    }
  }
}

}  // namespace
}  // namespace duet
