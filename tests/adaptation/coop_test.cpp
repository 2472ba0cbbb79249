#include <ATen/ops/embedding.h>
#include <gtest/gtest.h>

#include "adaptation/classifiers.h"
#include "adaptation/methods/feature_training.h"
#include "adaptation/methods/kinds.h"
#include "adaptation/methods/prompts.h"
#include "core/config.h"
#include "datasets/captions.h"
#include "encoders/blocks.h"
#include "losses/functional.h"
#include "tensors/tensor_file.h"

namespace duet {
namespace {

const std::string kImage = "[image]\nkind = \"convnet\"\nsize = 32\nstem = 8\nwidths = [8, 8]\nmap = 0\n";
const std::string kCausal = "[text]\nkind = \"transformer\"\ncontext = 16\nwidth = 16\nlayers = 2\nheads = 2\n";

ModelSpec spec_of(const std::string& toml) {
  Config config = Config::parse(toml, "test.toml");
  ModelSpec spec = read_model(config);
  config.finish();
  return spec;
}

Tokenizer small_tokenizer() {
  std::vector<std::string> captions;
  for (const char* start : {"a photo of a ", "the drawing of one ", ""}) {
    for (const char* name : {"dog", "red heart", "cat", "tree", "house"})
      captions.push_back(std::string(start) + name);
  }
  TokenizerOptions options;
  options.vocabulary = 120;
  options.byte_fallback = false;
  return Tokenizer::train(captions, options);
}

double distance(const torch::Tensor& a, const torch::Tensor& b) { return (a - b).abs().max().item<double>(); }

// A drawn model of two towers, and its task of three classes.
struct Drawn {
  explicit Drawn(const std::string& toml)
      : tokenizer(small_tokenizer()),
        spec(spec_of(kImage + toml)),
        model(std::make_shared<Model>(spec, tokenizer.vocabulary(), 3)) {
    const torch::NoGradGuard no_grad;
    torch::manual_seed(5);
    model->text->token_table().normal_(0, .5);  // names that differ
    model->eval();
    task.setting.model = model.get();
    task.setting.tokenizer = &tokenizer;
    task.setting.text_format = spec.text.format;
    task.setting.pad_to_context = spec.text.pad_to_context;
    task.classes = 3;
    task.names = {{"dog", {"dog"}}, {"heart", {"red heart"}}, {"cat", {"cat"}}};
    task.name_vectors = one_name_each(told(""));
    task.name_vectors.names = {"dog", "red heart", "cat"};
    task.templates = {"{}"};
    task.logit_scale = 20;
  }

  // [3, D] of the names with `words` before them
  torch::Tensor told(const std::string& words) const {
    std::vector<std::string> texts;
    for (const auto& names : task.names) texts.push_back(words + names.names.front());
    return embed_texts(task.setting, texts);
  }
  Prompts prompts(const std::vector<std::int64_t>& words) const {
    return {task.setting, prompt_texts(task, words), task.name_vectors};
  }

  Tokenizer tokenizer;
  ModelSpec spec;
  std::shared_ptr<Model> model;
  AdaptationTask task;
};

class PromptsOfTowers : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, PromptsOfTowers,
                         ::testing::Values(kCausal, kCausal + "causal = false\n",
                                           kCausal + "causal = false\npool = \"cls\"\n",
                                           kCausal + "causal = false\nattend_to_padding = true\n",
                                           "[text]\nkind = \"bag_of_tokens\"\nwidth = 16\n"));

TEST_P(PromptsOfTowers, VectorsOfRealWordsAreThePlainText) {
  const Drawn drawn(GetParam());
  const auto words = drawn.tokenizer.encode("a photo of a");
  const auto texts = prompt_texts(drawn.task, words);
  const auto [ids, valid] =
      encode_captions(drawn.tokenizer, {"a photo of a dog", "a photo of a red heart", "a photo of a cat"},
                      drawn.spec.text.format, drawn.spec.text.pad_to_context);
  EXPECT_TRUE(torch::equal(texts.ids, ids.narrow(1, 0, texts.ids.size(1))));
  EXPECT_EQ(texts.valid.sum().item<std::int64_t>(), valid.sum().item<std::int64_t>());
  const Prompts prompts = drawn.prompts(words);
  const auto vectors = prompts.word_vectors();
  TextEncoder& tower = *drawn.model->text;
  const auto tokens = tower.encode(tower.embed(texts.ids), texts.valid, tower.causal_by_default());
  const auto pooled = tower.pool(tokens, texts.valid);
  const auto plain = unit(drawn.model->text_embedding("joint", pooled, texts.ids, texts.valid));
  EXPECT_TRUE(torch::equal(prompts.name_vectors(torch::zeros_like(vectors)), plain));
  EXPECT_LT(distance(plain, drawn.told("a photo of a ")), 1e-5);
  EXPECT_GT(distance(plain, drawn.told("")), 1e-3);
}

// Other words in the places of the context, by their vectors alone.
TEST_P(PromptsOfTowers, VectorsOfOtherWordsAreTheirText) {
  const Drawn drawn(GetParam());
  const auto words = drawn.tokenizer.encode("the drawing of one");
  const Prompts prompts = drawn.prompts(std::vector<std::int64_t>(words.size(), drawn.tokenizer.id(kMask)));
  const auto vectors = at::embedding(drawn.model->text->token_table(), torch::tensor(words));
  EXPECT_LT(distance(prompts.name_vectors(vectors - prompts.word_vectors()), drawn.told("the drawing of one ")),
            1e-5);
}

// "heart" has two names, which come after the one of "dog".
void name_twice(Drawn& drawn) {
  drawn.task.names[1].names = {"red heart", "house"};
  drawn.task.name_vectors = {
      embed_texts(drawn.task.setting, {"dog", "red heart", "house", "cat"}),
      torch::tensor({0, 1, 1, 2}, torch::kLong),
      {"dog", "red heart", "house", "cat"},
  };
}

TEST(Prompts, WordsOfAClassStandBeforeAllOfItsNames) {
  Drawn drawn(kCausal);
  name_twice(drawn);
  const Prompts prompts = drawn.prompts(drawn.tokenizer.encode("a photo of a"));
  const auto words = prompts.word_vectors();
  const auto none = torch::zeros_like(words);
  torch::manual_seed(7);
  const auto other = torch::randn_like(words);
  const auto plain = prompts.name_vectors(none), moved = prompts.name_vectors(other);
  const auto one = prompts.name_vectors(torch::stack({none, other, none}));
  ASSERT_EQ(plain.size(0), 4);
  const auto each = embed_texts(drawn.task.setting, {"a photo of a dog", "a photo of a red heart",
                                                     "a photo of a house", "a photo of a cat"});
  EXPECT_LT(distance(plain, each), 1e-5);
  for (const std::int64_t of_others : {0, 3}) EXPECT_LT(distance(one[of_others], plain[of_others]), 1e-6);
  for (const std::int64_t own : {1, 2}) {
    EXPECT_LT(distance(one[own], moved[own]), 1e-6);
    EXPECT_GT(distance(one[own], plain[own]), 1e-2);
  }
}

TEST(Prompts, ALongNameLeavesRoomForTheWords) {
  Drawn drawn(kCausal);
  drawn.task.name_vectors.names[0] =
      "dog cat tree house dog cat tree house dog cat tree house dog cat tree house";
  const auto texts = prompt_texts(drawn.task, drawn.tokenizer.encode("a photo of a"));
  EXPECT_EQ(texts.ids.size(1), 16);
  EXPECT_EQ(texts.ids[0][15].item<std::int64_t>(), drawn.tokenizer.id(kEos));
}

// A space of pieces reads ids: no vector changes it.
TEST(Prompts, OtherSpacesKeepTheNames) {
  const Drawn drawn(kCausal +
                    "[[space]]\ndimension = 4\n[[space]]\nkind = \"pieces\"\ndimension = 3\nweight = 3\n");
  const Prompts prompts = drawn.prompts(drawn.tokenizer.encode("a photo of a"));
  EXPECT_TRUE(prompts.can_learn());
  torch::manual_seed(7);
  const auto moved = prompts.name_vectors(torch::randn_like(prompts.word_vectors()));
  EXPECT_LT(distance(moved.narrow(1, 4, 3), drawn.task.name_vectors.vectors.narrow(1, 4, 3)), 1e-5);
  EXPECT_GT(distance(moved.narrow(1, 0, 4), drawn.task.name_vectors.vectors.narrow(1, 0, 4)), 1e-2);
}

TEST(Coop, GradientsOfTheContextAreThePapers) {
  const TensorMap golden = load_tensors(std::string(DUET_GOLDEN) + "/few_shot.safetensors");
  Model model(spec_of(kImage + "[text]\nkind = \"transformer\"\ncontext = 8\nwidth = 8\nlayers = 1\nheads = 2\n"
                               "[[space]]\ndimension = 10\n"),
              20, 1);
  const std::string weights = "coop/weights/";
  for (const auto& [name, value] : tensors_of(model)) {
    const torch::NoGradGuard no_grad;
    const auto found = golden.find(weights + name);
    if (found != golden.end()) torch::Tensor(value).copy_(found->second);
    EXPECT_TRUE(found != golden.end() || !name.starts_with("text.")) << name;
  }
  model.eval();
  EmbedSetting setting;
  setting.model = &model;
  const Prompts prompts(
      setting, {.ids = golden.at("coop/ids"), .valid = golden.at("coop/valid"), .first = 1, .words = 2},
      one_name_each(torch::zeros({4, 10})));
  const auto change = (golden.at("coop/vectors") - prompts.word_vectors()).requires_grad_(true);
  const auto vectors = prompts.name_vectors(change);
  EXPECT_LT(distance(vectors, golden.at("coop/class_vectors")), 1e-5);
  set_gradients(class_cross_entropy(golden.at("support").matmul(vectors.t()) * 20, golden.at("labels")),
                {change});
  EXPECT_LT(distance(change.grad(), golden.at("coop/gradient")), 1e-5);
  for (const auto& item : model.named_parameters()) EXPECT_FALSE(item.value().grad().defined()) << item.key();
}

// Rows that lie around what other words before the names would say.
Part told_by(const torch::Tensor& vectors, std::int64_t each, std::uint64_t seed) {
  torch::manual_seed(seed);
  Part part;
  part.labels = torch::arange(vectors.size(0)).repeat_interleave(each);
  const auto around = vectors.index_select(0, part.labels);
  part.rows = unit(around + torch::randn_like(around) * .02);
  return part;
}

struct CoopTask : Drawn {
  explicit CoopTask(std::int64_t shots) : Drawn(kCausal) {
    const auto vectors = told("the drawing of one ");
    support = told_by(vectors, shots, 1);
    validation = told_by(vectors, 8, 2);
    asked = told_by(vectors, 40, 3);
  }
  Part support, validation, asked;
};

TEST(Coop, LearnsWordsAndLeavesTheModelAlone) {
  const CoopTask coop(4);
  const TensorMap before = [&] {
    TensorMap copies;
    for (const auto& [name, value] : tensors_of(*coop.model)) copies[name] = value.clone();
    return copies;
  }();
  const auto adapted = fit_coop(coop.task, coop.support, coop.validation, 1);
  const auto named = zero_shot_classifier(coop.task);
  EXPECT_LT(cross_entropy_of(adapted.classifier->logits(coop.asked), coop.asked.labels),
            cross_entropy_of(named->logits(coop.asked), coop.asked.labels) * .8);
  EXPECT_GT(adapted.chosen["epoch"], 0);
  for (const auto& [name, value] : tensors_of(*coop.model)) {
    EXPECT_TRUE(torch::equal(value, before.at(name))) << name;
    EXPECT_FALSE(value.grad().defined()) << name;
  }
}

TEST(Coop, FollowsFromTheSeedAlone) {
  const CoopTask coop(1);
  const auto logits = [&](std::uint64_t seed) {
    return fit_coop(coop.task, coop.support, coop.validation, seed).classifier->logits(coop.asked);
  };
  const auto first = logits(1);
  torch::manual_seed(99);
  EXPECT_TRUE(torch::equal(first, logits(1)));
  EXPECT_FALSE(torch::equal(first, logits(2)));
}

TEST(Coop, ValidationMayChooseTheNames) {
  CoopTask coop(4);
  coop.validation = told_by(coop.task.name_vectors.vectors, 8, 2);
  coop.support.labels = (coop.support.labels + 1).remainder(3);
  const auto adapted = fit_coop(coop.task, coop.support, coop.validation, 1);
  EXPECT_EQ(adapted.chosen["epoch"], 0);
  EXPECT_TRUE(torch::equal(adapted.classifier->logits(coop.asked),
                           zero_shot_classifier(coop.task)->logits(coop.asked)));
}

// The names as alternatives are what it begins with, as zero-shot has them.
TEST(Coop, SeveralNamesStayAlternatives) {
  CoopTask coop(4);
  name_twice(coop);
  coop.support.labels = (coop.support.labels + 1).remainder(3);
  const auto adapted = fit_coop(coop.task, coop.support, coop.validation, 1);
  EXPECT_EQ(adapted.classifier->tensors().at("names").size(0), 4);
  EXPECT_LE(
      judged(adapted.classifier->logits(coop.validation), coop.validation.labels).cross_entropy,
      judged(zero_shot_classifier(coop.task)->logits(coop.validation), coop.validation.labels).cross_entropy);
}

// Items of the first class lie where other words before its name are, those of the others before theirs.
TEST(Coop, AClassMayHaveWordsOfItsOwn) {
  CoopTask coop(8);
  const auto vectors = torch::stack(
      {coop.told("the drawing of one ")[0], coop.told("a photo of a ")[1], coop.told("house tree ")[2]});
  coop.support = told_by(vectors, 8, 1);
  coop.validation = told_by(vectors, 8, 2);
  EXPECT_EQ(fit_coop(coop.task, coop.support, coop.validation, 1).chosen["context"], "of each class");
}

// Words change nothing in a model that compares pieces alone.
TEST(Coop, WithoutALearnedSpaceTheNamesRemain) {
  const Drawn drawn(kCausal + "[[space]]\nkind = \"pieces\"\ndimension = 5\n");
  const Part rows = told_by(drawn.task.name_vectors.vectors, 2, 1);
  EXPECT_FALSE(drawn.prompts({1, 2}).can_learn());
  EXPECT_EQ(fit_coop(drawn.task, rows, rows, 1).chosen["epoch"], 0);
}

}  // namespace
}  // namespace duet
