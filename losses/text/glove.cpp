// glove: how often do two words stand near each other? The logarithm is told by the product of their vectors
// (Pennington et al. 2014).
#include <ATen/ops/randint.h>

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
        counted_(shared_neighbours(setting.corpus, options.unit, options.window)) {
    const std::int64_t size = input_.size(0), width = input_.size(1);
    const double reach = 0.5 / static_cast<double>(width);
    const auto start = [&](const char* name, at::IntArrayRef shape) {
      return register_parameter(name, setting.init.uniform(name, shape, -reach, reach));
    };
    output_ = start("output", {size, width});
    input_bias_ = start("input_bias", {size});
    output_bias_ = start("output_bias", {size});
  }

  // Judged on the same counts: those of a few other texts are no measure of what these say.
  LossTerms compute(EncodedBatch&, const StepInfo&) override {
    TORCH_CHECK(counted_->values.size(0) > 0, "glove was made without texts");
    const auto drawn =
        at::randint(counted_->values.size(0), {options_.pairs}, torch::TensorOptions(torch::kLong));
    const auto of = [&](const torch::Tensor& all) { return all.index_select(0, drawn).to(output_.device()); };
    return glove_loss({input_, output_, input_bias_, output_bias_}, of(counted_->rows).to(torch::kLong),
                      of(counted_->columns).to(torch::kLong), of(counted_->values), options_.weight);
  }

 protected:
  torch::Tensor vectors() const override { return input_ + output_; }

 private:
  Options options_;
  std::shared_ptr<const Cooccurrences> counted_;
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
