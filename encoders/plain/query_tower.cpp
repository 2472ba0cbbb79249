#include "encoders/plain/query_tower.h"

#include <cmath>
#include <functional>

#include "core/config.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "encoders/plain/plain_ops.h"
#include "encoders/text/bag_of_tokens.h"
#include "encoders/text/caption_space.h"
#include "encoders/text/transformer.h"

namespace duet {
namespace {

struct PlainTower {
  TextFormat format;
  bool pad_to_context = false;
  std::function<PlainOps::Tensor(PlainOps::Ids, PlainOps::Valid)> pooled;  // [1, width]
};

PlainTower open_transformer(Config& config, const PlainWeights& source, std::int64_t vocabulary) {
  const TransformerOptions o = read_transformer_options(config);
  const auto weights = make_transformer<PlainOps>(source, o, vocabulary);
  return {format_of(o), o.attend_to_padding, [o, weights](PlainOps::Ids ids, PlainOps::Valid valid) {
            const PlainOps ops;
            auto tokens = embed_transformer(ops, weights, ids);
            return ops.pool(encode_transformer(ops, weights, o, std::move(tokens), valid, o.causal), valid,
                            o.pooling);
          }};
}

PlainTower open_bag(Config& config, const PlainWeights& source, std::int64_t vocabulary) {
  const BagOptions o = read_bag_options(config);
  const auto weights = make_bag<PlainOps>(source, o, vocabulary);
  return {format_of(o), false, [o, weights](PlainOps::Ids ids, PlainOps::Valid valid) {
            const PlainOps ops;
            return pool_bag(ops, weights, embed_bag(ops, weights, o, ids), valid);
          }};
}

// In the order of text_encoder.cpp's list: the first is the default of both.
struct PlainTowerKind {
  std::string_view name;
  PlainTower (*open)(Config&, const PlainWeights&, std::int64_t vocabulary);
};
constexpr PlainTowerKind kTowers[] = {{"transformer", open_transformer}, {"bag_of_tokens", open_bag}};

PlainTower open_tower(Config& config, const PlainWeights& source, std::int64_t vocabulary) {
  std::vector<std::string> names;
  for (const auto& kind : kTowers) names.emplace_back(kind.name);
  const std::string chosen = config.choice("kind", names.front(), names);
  for (const auto& kind : kTowers) {
    if (kind.name == chosen) return kind.open(config, source, vocabulary);
  }
  config.fail("kind", "unknown kind");
}

struct PlainSpace {
  std::string kind;
  double weight = 0;
  CaptionSpace<PlainOps> weights;
  std::int64_t dimension = 0;
};

PlainSpace open_space(const SpaceOptions& options, double weight, const SafetensorsFile& file,
                      std::int64_t vocabulary) {
  const PlainWeights source(file, "spaces." + options.name);
  PlainSpace space{.kind = options.kind, .weight = weight, .weights = {}, .dimension = options.dimension};
  if (options.kind == "projection") {
    space.weights.text = source.linear("text", source.width_of("text.weight"), options.dimension, 0, false);
    return space;
  }
  if (options.kind == "ridge") space.dimension = source.width_of("table");
  space.weights.table = source.table("table", vocabulary, space.dimension, 0);
  space.weights.idf = source.ones("idf", vocabulary);
  return space;
}

std::vector<SpaceOptions> read_options(Config& recipe) {
  std::vector<SpaceOptions> spaces;
  for (Config& table : recipe.tables("space")) spaces.push_back(read_space_options(table));
  if (spaces.empty()) spaces.emplace_back();
  return spaces;
}

struct ModelFacts {
  std::vector<double> weights;
  std::int64_t vocabulary = 0;
};

ModelFacts read_facts(const std::filesystem::path& file) {
  try {
    const auto json = nlohmann::json::parse(read_file(file));
    return {json.at("weights").get<std::vector<double>>(), json.at("vocabulary").get<std::int64_t>()};
  } catch (const nlohmann::json::exception& e) {
    fail(Exit::artifact, file.string(), "not the model.json of an exported model", "export the model again");
  }
}

}  // namespace

struct QueryTower::Impl {
  Tokenizer tokenizer;
  SafetensorsFile file;
  PlainTower tower;
  std::vector<PlainSpace> spaces;  // those with a weight
};

QueryTower::QueryTower(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

QueryTower QueryTower::open(const std::filesystem::path& folder) {
  Config recipe = Config::read(folder / "text.toml");
  const ModelFacts facts = read_facts(folder / "model.json");
  auto impl = std::make_shared<Impl>(
      Impl{Tokenizer::load(folder / "tokenizer.model"), SafetensorsFile(folder / "model.safetensors"), {}, {}});
  if (impl->tokenizer.vocabulary() != facts.vocabulary) {
    fail(Exit::artifact, (folder / "tokenizer.model").string(),
         cat("has ", impl->tokenizer.vocabulary(), " ids, the model ", facts.vocabulary),
         "export the model again");
  }
  Config text = recipe.table("text");
  impl->tower = open_tower(text, PlainWeights(impl->file, "text"), facts.vocabulary);
  const std::vector<SpaceOptions> options = read_options(recipe);
  if (options.size() != facts.weights.size()) {
    fail(Exit::artifact, (folder / "model.json").string(),
         cat("has ", facts.weights.size(), " weights for ", options.size(), " embedding spaces"),
         "export the model again");
  }
  for (std::size_t i = 0; i < options.size(); ++i) {
    if (facts.weights[i] > 0)
      impl->spaces.push_back(open_space(options[i], facts.weights[i], impl->file, facts.vocabulary));
  }
  if (impl->spaces.empty())
    fail(Exit::artifact, (folder / "model.json").string(), "no embedding space has a weight");
  return QueryTower(std::move(impl));
}

std::vector<float> QueryTower::embed(std::string_view text) const {
  if (impl_->tokenizer.encode(text).empty()) {
    fail(Exit::usage, cat("query '", text, "'"), "holds no word that can be looked for",
         "type at least one word");
  }
  std::vector<std::int64_t> ids = encode_caption(impl_->tokenizer, text, impl_->tower.format);
  const PlainOps::Valid valid{static_cast<std::int64_t>(ids.size())};
  if (impl_->tower.pad_to_context) ids.resize(impl_->tower.format.context, impl_->tokenizer.id(kPad));
  const PlainOps ops;
  const auto pooled = impl_->tower.pooled(ids, valid);
  double sum = 0;
  for (const PlainSpace& space : impl_->spaces) sum += space.weight;
  std::vector<float> embedding;
  for (const PlainSpace& space : impl_->spaces) {
    const auto part =
        ops.normalize(caption_vector(ops, space.weights, space.kind, pooled, PlainOps::Ids(ids), valid));
    const auto share = static_cast<float>(std::sqrt(space.weight / sum));
    for (const float value : part.values) embedding.push_back(share * value);
  }
  return embedding;
}

std::int64_t QueryTower::dimension() const {
  std::int64_t sum = 0;
  for (const PlainSpace& space : impl_->spaces) sum += space.dimension;
  return sum;
}

const Tokenizer& QueryTower::tokenizer() const { return impl_->tokenizer; }

}  // namespace duet
