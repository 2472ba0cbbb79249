#include "tiny_model.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/randint.h>

namespace duet::testing {
namespace {

// 8x8 pictures -> 4 patches of 12 numbers.
class TinyImage : public ImageEncoder {
 public:
  TinyImage(const Init& init, const TinyOptions& options) : options_(options) {
    kernel_ = register_parameter("kernel", init.normal("kernel", {12, 3, 4, 4}, 0.3));
    mix_ = register_parameter("mix", init.normal("mix", {12, 12}, 0.4));
    mean_ = register_buffer("mean", torch::zeros({12}));
    variance_ = register_buffer("variance", torch::ones({12}));
  }
  torch::Tensor embed(const torch::Tensor& images) override {
    return at::conv2d(images, kernel_, {}, 4).flatten(2).transpose(1, 2);
  }
  torch::Tensor encode(const torch::Tensor& tokens) override {
    return tokens + at::dropout(at::gelu(tokens.matmul(mix_)), options_.dropout, is_training());
  }
  torch::Tensor pool(const torch::Tensor& tokens) override {
    const auto pooled = tokens.mean(1);
    if (!options_.batch_norm) return pooled;
    return at::batch_norm(pooled, {}, {}, mean_, variance_, is_training(), 0.1, 1e-5, false);
  }
  std::int64_t width() const override { return 12; }

 private:
  TinyOptions options_;
  torch::Tensor kernel_, mix_, mean_, variance_;
};

class TinyText : public TextEncoder {
 public:
  TinyText(const Init& init, std::int64_t vocabulary, const TinyOptions& options) : options_(options) {
    table_ = register_parameter("table", init.normal("table", {vocabulary, 10}, 1));
  }
  torch::Tensor embed(const torch::Tensor& ids, const torch::Tensor&) override {
    return at::embedding(table_, ids);
  }
  torch::Tensor encode(const torch::Tensor& tokens, const torch::Tensor&, bool) override {
    return at::dropout(at::gelu(tokens), options_.dropout, is_training());
  }
  torch::Tensor pool(const torch::Tensor& tokens, const torch::Tensor& valid) override {
    const auto mask = valid.unsqueeze(2).to(tokens.scalar_type());
    return (tokens * mask).sum(1) / mask.sum(1);
  }
  std::int64_t width() const override { return 10; }
  torch::Tensor token_table() const override { return table_; }

 private:
  TinyOptions options_;
  torch::Tensor table_;
};

}  // namespace

ModelSpec tiny_spec(const TinyOptions& options) {
  ModelSpec spec;
  spec.image = {.make = [options](const Init& init) { return std::make_shared<TinyImage>(init, options); },
                .has_patches = true,
                .stride = 4};
  spec.text.make = [options](const Init& init, std::int64_t vocabulary) {
    return std::make_shared<TinyText>(init, vocabulary, options);
  };
  spec.text.width = 10;
  Config recipe = Config::parse(
      "[[space]]\nname = \"joint\"\ndimension = 6\n[[space]]\nname = \"pieces\"\nkind = \"pieces\"\ndimension "
      "= 7\n"
      "[[space]]\nname = \"ridge\"\nkind = \"ridge\"\n",
      "spaces.toml");
  spec.spaces = read_spaces(recipe);
  spec.image_size = 8;
  return spec;
}

std::shared_ptr<Model> tiny_model(const TinyOptions& options) {
  auto model = std::make_shared<Model>(tiny_spec(options), kVocabulary, 1);
  const auto statistics = tiny_statistics();
  model->prepare_for_corpus(statistics.counts > 0, statistics.idf());
  return model;
}

Batch tiny_batch(std::int64_t rows, std::uint64_t seed, std::int64_t copies) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  Batch batch;
  batch.source = "pairs";
  const auto bytes =
      at::randint(0, 256, {copies * rows, 3, 8, 8}, generator, torch::TensorOptions(torch::kLong));
  batch.views["main"] = bytes.to(torch::kByte).contiguous(at::MemoryFormat::ChannelsLast);
  batch.tokens = at::randint(0, kPadId, {rows, 5}, generator, torch::TensorOptions(torch::kLong));
  batch.valid = torch::ones({rows, 5}, torch::kBool);
  for (std::int64_t row = 0; row < rows; ++row) {  // lengths 3, 4, 5, 3, ...
    const std::int64_t length = 3 + row % 3;
    batch.tokens[row].slice(0, length).fill_(kPadId);
    batch.valid[row].slice(0, length).fill_(false);
    batch.rows.push_back(row);
  }
  const auto ids = at::arange(rows, torch::kLong);
  batch.image_id = 1000 + ids;
  batch.caption_id = 2000 + ids;
  batch.concept_id = 3000 + ids;
  if (rows > 1) batch.concept_id[1].copy_(batch.concept_id[0]);
  if (rows > 3) batch.image_id[3].copy_(batch.image_id[2]);
  return batch;
}

CorpusStatistics tiny_statistics() {
  CorpusStatistics statistics;
  statistics.captions = 10;
  statistics.document_frequency = at::arange(kVocabulary, torch::kLong).remainder(9) + 1;
  statistics.document_frequency[5].fill_(0);
  statistics.document_frequency.slice(0, kPadId).fill_(0);
  statistics.counts = statistics.document_frequency.clone();
  statistics.word_start = torch::ones({kVocabulary}, torch::kBool);
  return statistics;
}

ObjectiveSpec read_objective(const std::string& table, const ModelSpec& model, std::int64_t batch) {
  Config recipe = Config::parse("[[objective]]\n" + table, "r.toml");
  ObjectiveSpec spec = read_objectives(recipe, {.model = &model, .batch = batch}).front();
  recipe.finish();
  return spec;
}

std::shared_ptr<Objective> make_objective(const std::string& table, Model& model) {
  const ObjectiveSpec spec = read_objective(table, model.spec());
  const auto statistics = tiny_statistics();
  Setting setting;
  setting.model = &model;
  setting.statistics = &statistics;
  setting.init = Init(1) / "objective" / spec.name;
  return spec.make(setting);
}

double relative_distance(const torch::Tensor& a, const torch::Tensor& b) {
  return ((a - b).abs().sum() / a.abs().sum().clamp_min(1e-12)).item<double>();
}

}  // namespace duet::testing
