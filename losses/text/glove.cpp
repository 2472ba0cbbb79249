// glove: how often do two words stand near each other? The logarithm is told by the product of their vectors
// (Pennington et al. 2014).
#include <ATen/ops/embedding.h>
#include <ATen/ops/randint.h>

#include <vector>

#include "core/config.h"
#include "losses/text/word_vectors.h"

namespace duet {
namespace {

struct Options {
  UnitOptions unit;
  std::int64_t window = 10;   // words to each side (the paper's 4.2)
  GloveWeight weight;         // keys x_max, alpha
  std::int64_t pairs = 4096;  // entries a step
};

class Glove : public WordVectors {
 public:
  Glove(const Setting& setting, const Options& options)
      : WordVectors(setting, options.unit),
        options_(options),
        counted_(shared_neighbours(setting.corpus, options.unit, options.window)),
        sampler_(corpus_->counts) {
    const std::int64_t size = input_.size(0), width = input_.size(1);
    const double reach = 0.5 / static_cast<double>(width);
    const auto start = [&](const char* name, at::IntArrayRef shape) {
      return register_parameter(name, setting.init.uniform(name, shape, -reach, reach));
    };
    output_ = start("output", {size, width});
    input_bias_ = start("input_bias", {size});
    output_bias_ = start("output_bias", {size});
  }

  // The loss is of the same counts when it is judged: those of a few other texts are no measure of what these
  // say. Other texts tell whether the vectors know which words stand together.
  LossTerms compute(EncodedBatch& batch, const StepInfo&) override {
    TORCH_CHECK(counted_->values.size(0) > 0, "glove was made without texts");
    const auto drawn =
        at::randint(counted_->values.size(0), {options_.pairs}, torch::TensorOptions(torch::kLong));
    const auto of = [&](const torch::Tensor& all) { return all.index_select(0, drawn).to(output_.device()); };
    LossTerms terms =
        glove_loss({input_, output_, input_bias_, output_bias_}, of(counted_->rows).to(torch::kLong),
                   of(counted_->columns).to(torch::kLong), of(counted_->values), options_.weight);
    if (!is_training()) terms.metrics.emplace_back("accuracy", neighbours_told(batch.batch()));
    return terms;
  }

 protected:
  torch::Tensor vectors() const override { return input_ + output_; }

 private:
  // Of words that stand near each other, how many of five words drawn for each pair have a smaller product with
  // the first than the second has. The biases are left out: they know how frequent a word is.
  torch::Tensor neighbours_told(const Batch& batch) const {
    const std::vector<double> all(corpus_->counts.size(), 1);
    const Windows near = held_out_windows(batch, all, options_.window, options_.pairs, false);
    const auto device = output_.device();
    const auto drawn = sampler_.draw({near.contexts.size(0), kDrawn}).to(device);
    const auto words = at::embedding(input_, near.centre_of_context().to(device));
    return negative_sampling(words, output_, near.contexts.to(device), drawn).metrics.front().second;
  }

  static constexpr std::int64_t kDrawn = 5;
  Options options_;
  std::shared_ptr<const Cooccurrences> counted_;
  UnigramSampler sampler_;
  torch::Tensor output_, input_bias_, output_bias_;
};

}  // namespace

ObjectivePlan read_glove(Config& config, const Surroundings&) {
  Options o;
  o.unit = read_unit(config);
  o.window = config.integer("window", o.window, 1, 1000);
  o.weight.most = config.number("x_max", o.weight.most, {1e-3, 1e9});
  o.weight.power = config.number("alpha", o.weight.power, {0, 10});
  o.pairs = config.integer("pairs", o.pairs, 1, 1 << 24);
  return {.needs = {.views = {}, .texts = true},
          .make = [o](const Setting& setting) { return std::make_shared<Glove>(setting, o); },
          .check_texts =
              [o, where = config.where("kind")](const Corpus& texts) {
                check_corpus(where, o.unit, *shared_word_corpus(texts, o.unit), 1);
              }};
}

}  // namespace duet
