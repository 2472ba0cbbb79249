// A query without LibTorch gives what the trained model gives.
#include "encoders/plain/query_tower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../support/temporary_folder.h"
#include "core/error.h"
#include "core/files.h"
#include "encoders/export.h"
#include "towers.h"

namespace duet {
namespace {

const Tokenizer& tokenizer() {
  static const Tokenizer trained = [] {
    std::vector<std::string> captions;
    for (const std::string colour : {"red", "green", "blue", "yellow"}) {
      for (const std::string thing : {"heart", "apple", "circle", "flag of Zürich", "smiling face"})
        captions.push_back(colour + " " + thing);
    }
    TokenizerOptions options;
    options.vocabulary = 300;
    return Tokenizer::train(captions, options);
  }();
  return trained;
}

const std::vector<std::string> kQueries = {
    "red heart",
    "a smiling blue face with a flag",
    "日本",
    "x",
    "Green  APPLE, yellow circle",
    "red red red green blue flag apple heart circle face smiling yellow zürich"};

struct Case {
  std::string name, text;
  bool pad = false;
};
void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

const std::string kSpaces[] = {
    "[[space]]\ndimension = 7\n", "[[space]]\nkind = \"pieces\"\ndimension = 6\n",
    "[[space]]\nkind = \"ridge\"\n",
    "[[space]]\nweight = 0\n[[space]]\nkind = \"pieces\"\nweight = 0.3\n[[space]]\nkind = \"ridge\"\n"
    "[[space]]\nname = \"second\"\nweight = 0.7\n"};
const std::string kImage = "[image]\nkind = \"convnet\"\nsize = 32\nstem = 8\nwidths = [8]\nmap = 0\n";

std::shared_ptr<Model> trained_model(const std::string& toml) {
  const auto model = model_of(toml, tokenizer().vocabulary());
  randomise(*model);
  torch::NoGradGuard no_grad;
  auto idf = at::rand({tokenizer().vocabulary()}) + .5;
  idf.slice(0, tokenizer().pieces()).zero_();
  model->prepare_for_corpus(idf.gt(.6), idf);
  for (auto& item : model->named_buffers()) {
    if (item.key().ends_with(".table")) item.value().normal_();
  }
  model->eval();
  return model;
}

torch::Tensor expected_embedding(Model& model, const std::string& query) {
  torch::NoGradGuard no_grad;
  auto ids = encode_caption(tokenizer(), query, model.spec().text.format);
  const auto count = static_cast<std::int64_t>(ids.size());
  if (model.spec().text.pad_to_context) ids.resize(model.spec().text.format.context, tokenizer().id(kPad));
  return model.retrieval_texts(torch::tensor(ids).unsqueeze(0),
                               valid_of({count}, static_cast<std::int64_t>(ids.size())))[0];
}

class EveryTextTower : public testing::TestWithParam<Case> {};

TEST_P(EveryTextTower, GivesTheModelsEmbeddings) {
  for (const std::string& spaces : kSpaces) {
    const std::string recipe = kImage + "[text]\n" + GetParam().text + spaces;
    const auto model = trained_model(recipe);
    EXPECT_EQ(model->spec().text.pad_to_context, GetParam().pad);
    const TemporaryFolder folder;
    export_text_side(*model, tokenizer(), recipe, folder.path());
    const QueryTower tower = QueryTower::open(folder.path());
    EXPECT_EQ(tower.dimension(), model->retrieval_dimension());
    for (const std::string& query : kQueries) {
      EXPECT_LT(distance(torch::tensor(tower.embed(query)), expected_embedding(*model, query)), 1e-5)
          << query << "\n"
          << recipe;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, EveryTextTower,
    testing::Values(
        Case{"clip", "width = 24\nheads = 2\nlayers = 2\n"},
        Case{"long", "width = 20\nheads = 5\nlayers = 1\ncontext = 8\n"},
        Case{"mean", "width = 24\nheads = 2\nlayers = 2\ncausal = false\n"},
        Case{"causal_mean", "width = 24\nheads = 2\nlayers = 2\npool = \"mean\"\n"},
        Case{"cls", "width = 24\nheads = 2\nlayers = 2\ncausal = false\npool = \"cls\"\n"},
        Case{"bidirectional_eot", "width = 24\nheads = 2\nlayers = 1\ncausal = false\npool = \"eot\"\n"},
        Case{"padded",
             "width = 24\nheads = 2\nlayers = 2\ncausal = false\nattend_to_padding = true\ncontext = 20\n",
             true},
        Case{"bag", "kind = \"bag_of_tokens\"\nwidth = 12\n"},
        Case{"idf_bag", "kind = \"bag_of_tokens\"\nwidth = 12\nidf = true\ncontext = 8\n"}),
    [](const auto& test) { return test.param.name; });

class QueryTowerErrors : public testing::Test {
 protected:
  TemporaryFolder folder_;
  std::string recipe_ = kImage + "[text]\nkind = \"bag_of_tokens\"\nwidth = 12\n[[space]]\ndimension = 4\n";
  void SetUp() override { export_text_side(*trained_model(recipe_), tokenizer(), recipe_, folder_.path()); }

  Error error() {
    try {
      QueryTower::open(folder_.path()).embed("red");
    } catch (const Error& thrown) {
      return thrown;
    }
    return {Exit::ok, "no error"};
  }
};

TEST_F(QueryTowerErrors, AnEmptyQueryIsAUsageError) {
  const QueryTower tower = QueryTower::open(folder_.path());
  for (const std::string query : {"", "   "}) {
    try {
      tower.embed(query);
      FAIL() << "'" << query << "'";
    } catch (const Error& thrown) {
      EXPECT_EQ(thrown.exit(), Exit::usage);
    }
  }
}

TEST_F(QueryTowerErrors, AFileOfAnotherModelIsNamed) {
  const std::string other = kImage + "[text]\nkind = \"bag_of_tokens\"\nwidth = 16\n[[space]]\ndimension = 4\n";
  write_file(folder_ / "text.toml", other);
  EXPECT_EQ(error().exit(), Exit::artifact);
  EXPECT_THAT(error().what(), testing::AllOf(testing::HasSubstr("model.safetensors"),
                                             testing::HasSubstr("text.tokens"), testing::HasSubstr(", 16]")));
}

TEST_F(QueryTowerErrors, MissingTensorIsNamed) {
  write_file(folder_ / "text.toml", recipe_ + "[[space]]\nname = \"second\"\n");
  write_file(folder_ / "model.json",
             "{\"weights\": [1, 1], \"vocabulary\": " + std::to_string(tokenizer().vocabulary()) + "}");
  EXPECT_EQ(error().exit(), Exit::artifact);
  EXPECT_THAT(error().what(), testing::HasSubstr("spaces.second.text.weight"));
}

TEST_F(QueryTowerErrors, FactsMustFit) {
  for (const std::string& facts :
       {std::string("{}"), std::string("not json"), std::string("{\"weights\": [1], \"vocabulary\": 5}"),
        "{\"weights\": [1, 1], \"vocabulary\": " + std::to_string(tokenizer().vocabulary()) + "}"}) {
    write_file(folder_ / "model.json", facts);
    EXPECT_EQ(error().exit(), Exit::artifact) << facts;
  }
}

}  // namespace
}  // namespace duet
