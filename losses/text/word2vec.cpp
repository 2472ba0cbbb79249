// word2vec: which words stand near a word? (Mikolov et al. 2013: skip-gram and CBOW, negative sampling,
// frequent words dropped at random, windows of random reach.)
#include <ATen/ops/embedding.h>
#include <ATen/ops/embedding_bag.h>
#include <ATen/ops/zeros.h>

#include <utility>
#include <vector>

#include "core/config.h"
#include "core/error.h"
#include "core/format.h"
#include "losses/text/word_vectors.h"

namespace duet {
namespace {

struct Options {
  UnitOptions unit;
  bool skip_gram = true;       // a word tells each neighbour; cbow: the neighbours' mean tells the word
  std::int64_t window = 5;     // words to each side, at most (word2vec.c, fastText)
  std::int64_t negatives = 5;  // words drawn a pair (the paper: 5 to 20 for small texts)
  double subsample = 1e-4;     // (fastText; the paper: 1e-5, of billions of words)
  std::int64_t pairs = 4096;   // a step; cbow: words
};

// What is told from what: pair i's inputs, the mean of which tells its target.
struct Pairs {
  torch::Tensor inputs, offsets;  // [M], [N]; skip-gram: [N] and undefined
  torch::Tensor targets;          // [N]
};

class Word2vec : public WordVectors {
 public:
  Word2vec(const Setting& setting, const Options& options)
      : WordVectors(setting, options.unit),
        options_(options),
        keep_(keep_probabilities(*corpus_, options.subsample)),
        sampler_(corpus_->counts) {
    output_ = register_parameter("output", at::zeros(input_.sizes()));
    place_ = register_buffer("place", at::zeros({}, torch::kLong));
  }

  // Trained on all texts, judged on the batch's (on all if none of those holds two known words).
  LossTerms compute(EncodedBatch& batch, const StepInfo&) override {
    const auto device = output_.device();
    const Pairs pairs = is_training() ? next_pairs() : held_out_pairs(batch.batch());
    const auto negatives = sampler_.draw({pairs.targets.size(0), options_.negatives}).to(device);
    const auto inputs = pairs.inputs.to(device);
    const auto hidden =
        options_.skip_gram
            ? at::embedding(input_, inputs)
            : std::get<0>(at::embedding_bag(input_, inputs, pairs.offsets.to(device), false, kMean));
    return negative_sampling(hidden, output_, pairs.targets.to(device), negatives);
  }

 protected:
  torch::Tensor vectors() const override { return input_; }

 private:
  static constexpr std::int64_t kMean = 1;

  // Goes on through all texts where the last step ended.
  Pairs next_pairs() {
    const Windows w = draw_windows(corpus_->ids, keep_, options_.window, options_.pairs, !options_.skip_gram,
                                   place_.item<std::int64_t>());
    place_.fill_(w.next);
    return told(w);
  }

  Pairs held_out_pairs(const Batch& batch) const {
    return told(held_out_windows(batch, keep_, options_.window, options_.pairs, !options_.skip_gram));
  }

  Pairs told(const Windows& w) const {
    if (!options_.skip_gram) return {w.contexts, w.offsets, w.centres};
    return {w.centre_of_context(), {}, w.contexts};
  }

  Options options_;
  std::vector<double> keep_;
  UnigramSampler sampler_;
  torch::Tensor output_;
  torch::Tensor place_;  // [] int64: in the texts
};

// Of a word or two in a hundred, a step would search long for pairs.
void check_subsample(const std::string& where, const Options& o, const WordCorpus& corpus) {
  const auto keep = keep_probabilities(corpus, o.subsample);
  double kept = 0, all = 0;
  for (const std::int32_t id : corpus.ids) {
    if (id == WordCorpus::kBetween) continue;
    kept += keep[static_cast<std::size_t>(id)];
    ++all;
  }
  if (all == 0 || kept >= 0.02 * all) return;
  fail(Exit::usage, where,
       cat("subsample = ", o.subsample, " leaves ", fixed(100 * kept / all, 1), " % of the texts"),
       "set a larger 'subsample', or 0 to keep every word");
}

}  // namespace

ObjectivePlan read_word2vec(Config& config, const Surroundings&) {
  Options o;
  o.unit = read_unit(config);
  o.skip_gram = config.choice("mode", "skip_gram", {"skip_gram", "cbow"}) == "skip_gram";
  o.window = config.integer("window", o.window, 1, 1000);
  o.negatives = config.integer("negatives", o.negatives, 1, 1000);
  o.subsample = config.number("subsample", o.subsample, {0, 1});
  o.pairs = config.integer("pairs", o.pairs, 1, 1 << 24);
  return {.needs = {.views = {}, .texts = true},
          .make = [o](const Setting& setting) { return std::make_shared<Word2vec>(setting, o); },
          .check_texts =
              [o, where = config.where("kind")](const Corpus& texts) {
                const auto corpus = shared_word_corpus(texts, o.unit);
                check_corpus(where, o.unit, *corpus, o.negatives + 1);
                check_subsample(where, o, *corpus);
              }};
}

}  // namespace duet
