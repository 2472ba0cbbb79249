// A source's texts as numbers of words or pieces, and what stands near what in them: for objectives that learn
// vectors of words (word2vec, GloVe).
#pragma once
#include <torch/types.h>

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/config.h"
#include "losses/statistics.h"

namespace duet {

struct UnitOptions {
  bool words = false;            // unit = "word": a vocabulary of its own; "piece": the tokenizer's
  std::int64_t min_count = 5;    // rarer words are left out, as if they did not stand in the text (word2vec)
  std::int64_t most = 50000;     // and all but so many of the most frequent
  std::int64_t dimension = 100;  // of words' vectors (word2vec, fastText); pieces have the text tower's
  auto operator<=>(const UnitOptions&) const = default;
};
UnitOptions read_unit(Config& objective);  // keys unit; with unit = "word": min_count, max_words, dimension

struct WordCorpus {
  static constexpr std::int32_t kBetween = -1;  // before the first text, after each
  std::vector<std::string> names;               // [V]: words by falling count; pieces by their id
  std::vector<std::int64_t> counts;             // [V]; 0 for specials, <unk> and pieces never seen
  std::vector<std::int32_t> ids;                // of all texts of two units and more; empty: there is no text
  std::int64_t size() const { return static_cast<std::int64_t>(names.size()); }
  std::int64_t different() const;  // units that occur
};
// A text's units behind others, as WordCorpus::ids; one of a single unit has no neighbours and is left out.
void append_text(std::vector<std::int32_t>& ids, const std::vector<std::int32_t>& text);
// Words are folded runs of letters and digits; pieces those that the text tower sees. Without texts (`duet
// check`) there is one word and nothing to learn.
WordCorpus read_word_corpus(const Corpus& corpus, const UnitOptions& options);

// The probability with which word2vec keeps an occurrence, sqrt(t / f) + t / f for a share f of all occurrences
// (word2vec.c; the paper's formula lacks the second term), at most 1. [V]; threshold 0: all are kept.
std::vector<double> keep_probabilities(const WordCorpus& corpus, double threshold);

// Places in texts (ids as WordCorpus::ids) with their neighbours, [N] centres of which centre i has
// contexts[offsets[i]] and those before offsets[i + 1]. int64.
struct Windows {
  torch::Tensor centres, contexts, offsets;
  std::int64_t next = 0;                    // the place after the last centre's
  torch::Tensor centre_of_context() const;  // of each context; [contexts]
};
// Words are dropped by `keep` before windows are made, so that these reach further; each reaches 1 to `window`
// words to both sides, drawn, and not over its text's ends. As many centres as hold `pairs` neighbours
// together, or, with `each`, `pairs` centres. From place `start` on in an order that jumps through the texts
// and comes to every place once before it comes to any again: of places drawn with replacement some would be
// left out, and vectors of rare words be the worse for it. Draws from the default generator.
Windows draw_windows(const std::vector<std::int32_t>& ids, const std::vector<double>& keep, std::int64_t window,
                     std::int64_t pairs, bool each, std::int64_t start);

// Draws units by their count to the power 3/4 (Mikolov et al. 2013).
class UnigramSampler {
 public:
  explicit UnigramSampler(const std::vector<std::int64_t>& counts);
  torch::Tensor draw(at::IntArrayRef shape) const;  // int64, from the default generator

 private:
  torch::Tensor cumulative_;  // [V] double
};

// How often units stand near each other, each time counted as 1 / distance (Pennington et al. 2014), both ways.
struct Cooccurrences {
  torch::Tensor rows, columns;  // [E] int32, by row and then column
  torch::Tensor values;         // [E] float, > 0
};
Cooccurrences count_neighbours(const WordCorpus& corpus, std::int64_t window);

// What was read and counted in the texts of one source: once, however many objectives ask and however often a
// run is built anew.
struct CorpusCounts {
  std::map<UnitOptions, std::shared_ptr<const WordCorpus>> words;
  std::map<std::pair<UnitOptions, std::int64_t>, std::shared_ptr<const Cooccurrences>> neighbours;
};
// read_word_corpus(), and count_neighbours() in it, from corpus.counts where it has them.
std::shared_ptr<const WordCorpus> shared_word_corpus(const Corpus& corpus, const UnitOptions& options);
std::shared_ptr<const Cooccurrences> shared_neighbours(const Corpus& corpus, const UnitOptions& options,
                                                       std::int64_t window);

}  // namespace duet
