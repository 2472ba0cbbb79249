#include "losses/text/word_corpus.h"

#include <ATen/ops/cumsum.h>
#include <ATen/ops/diff.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/searchsorted.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "text/unicode.h"

namespace duet {
namespace {

std::size_t slot(std::int64_t index) { return static_cast<std::size_t>(index); }

WordCorpus corpus_of_pieces(const Corpus& source) {
  const Tokenizer& tokenizer = *source.tokenizer;
  WordCorpus corpus;
  for (std::int64_t id = 0; id < tokenizer.vocabulary(); ++id) corpus.names.push_back(tokenizer.piece(id));
  corpus.counts.resize(corpus.names.size());
  for (const std::string& text : source.texts()) {
    std::vector<std::int32_t> units;
    for (const std::int64_t id : encode_caption(tokenizer, text, source.format)) {
      if (id >= tokenizer.pieces() || tokenizer.is_unknown(id)) continue;
      ++corpus.counts[slot(id)];
      units.push_back(static_cast<std::int32_t>(id));
    }
    append_text(corpus.ids, units);
  }
  return corpus;
}

struct CountedWords {
  std::vector<std::string> names;  // by first occurrence
  std::vector<std::int64_t> counts;
  std::vector<std::vector<std::int32_t>> texts;
};

CountedWords count_words(const std::vector<std::string>& texts) {
  CountedWords counted;
  std::unordered_map<std::string, std::int32_t> numbers;
  for (const std::string& text : texts) {
    auto& ids = counted.texts.emplace_back();
    for (std::string& word : words(text)) {
      const auto next = static_cast<std::int32_t>(counted.names.size());
      const auto [known, is_new] = numbers.try_emplace(word, next);
      if (is_new) {
        counted.names.push_back(std::move(word));
        counted.counts.push_back(0);
      }
      ++counted.counts[slot(known->second)];
      ids.push_back(known->second);
    }
  }
  return counted;
}

WordCorpus corpus_of_words(const std::vector<std::string>& texts, const UnitOptions& options) {
  const CountedWords counted = count_words(texts);
  std::vector<std::int32_t> order(counted.names.size());
  std::iota(order.begin(), order.end(), 0);
  const auto rank = [&](std::int32_t id) {
    return std::pair(-counted.counts[slot(id)], std::string_view(counted.names[slot(id)]));
  };
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return rank(a) < rank(b); });
  WordCorpus corpus;
  std::vector<std::int32_t> place(order.size(), WordCorpus::kBetween);
  for (const std::int32_t id : order) {
    if (counted.counts[slot(id)] < options.min_count || corpus.size() == options.most) break;
    place[slot(id)] = static_cast<std::int32_t>(corpus.size());
    corpus.names.push_back(counted.names[slot(id)]);
    corpus.counts.push_back(counted.counts[slot(id)]);
  }
  for (const auto& text : counted.texts) {
    std::vector<std::int32_t> known;
    for (const std::int32_t id : text) {
      if (place[slot(id)] >= 0) known.push_back(place[slot(id)]);
    }
    append_text(corpus.ids, known);
  }
  return corpus;
}

// Numbers in [0, 1) from the default generator, drawn by the thousand.
class Draws {
 public:
  double next() {
    if (used_ == kBlock) {
      block_ = at::rand({kBlock}, torch::TensorOptions(torch::kDouble));
      used_ = 0;
    }
    return block_.const_data_ptr<double>()[used_++];
  }
  std::int64_t below(std::int64_t count) {
    return static_cast<std::int64_t>(next() * static_cast<double>(count));
  }

 private:
  static constexpr std::int64_t kBlock = 4096;
  torch::Tensor block_;
  std::int64_t used_ = kBlock;
};

// The golden section of the length, so that what comes one after the other lies apart, and coprime to it.
std::int64_t stride_of(std::int64_t length) {
  auto stride = std::max<std::int64_t>(1, std::llround(0.6180339887 * static_cast<double>(length)));
  while (std::gcd(stride, length) != 1) ++stride;
  return stride;
}

}  // namespace

UnitOptions read_unit(Config& objective) {
  UnitOptions o;
  o.words = objective.choice("unit", "piece", {"piece", "word"}) == "word";
  if (!o.words) return o;
  o.min_count = objective.integer("min_count", o.min_count, 1, 1 << 30);
  o.most = objective.integer("max_words", o.most, 2, 1 << 30);
  o.dimension = objective.integer("dimension", o.dimension, 1, 65536);
  return o;
}

std::int64_t WordCorpus::different() const {
  return std::count_if(counts.begin(), counts.end(), [](std::int64_t count) { return count > 0; });
}

void append_text(std::vector<std::int32_t>& ids, const std::vector<std::int32_t>& text) {
  if (text.size() < 2) return;
  if (ids.empty()) ids.push_back(WordCorpus::kBetween);
  ids.insert(ids.end(), text.begin(), text.end());
  ids.push_back(WordCorpus::kBetween);
}

WordCorpus read_word_corpus(const Corpus& corpus, const UnitOptions& options) {
  if (!corpus.texts) return {.names = {"word"}, .counts = {1}, .ids = {}};
  return options.words ? corpus_of_words(corpus.texts(), options) : corpus_of_pieces(corpus);
}

std::vector<double> keep_probabilities(const WordCorpus& corpus, double threshold) {
  std::vector<double> keep(corpus.counts.size(), 1);
  if (threshold == 0) return keep;
  const double all =
      static_cast<double>(std::accumulate(corpus.counts.begin(), corpus.counts.end(), std::int64_t{0}));
  for (std::size_t id = 0; id < keep.size(); ++id) {
    if (corpus.counts[id] == 0) continue;
    const double rarity = threshold * all / static_cast<double>(corpus.counts[id]);
    keep[id] = std::min(1.0, std::sqrt(rarity) + rarity);
  }
  return keep;
}

Windows draw_windows(const std::vector<std::int32_t>& ids, const std::vector<double>& keep, std::int64_t window,
                     std::int64_t pairs, bool each, std::int64_t start) {
  TORCH_CHECK(!ids.empty(), "there are no texts to draw words from");
  std::vector<std::int64_t> centres, contexts, offsets;
  const std::int64_t length = std::ssize(ids), stride = stride_of(length);
  std::int64_t next = start % length;
  Draws draws;
  const auto kept = [&](std::int32_t id) {
    const double share = keep[slot(id)];
    return share >= 1 || draws.next() < share;
  };
  while (std::ssize(each ? centres : contexts) < pairs) {
    const std::int64_t place = std::exchange(next, (next + stride) % length);
    const std::int32_t centre = ids[slot(place)];
    if (centre == WordCorpus::kBetween || !kept(centre)) continue;
    const std::int64_t reach = 1 + draws.below(window);
    const auto begin = std::ssize(contexts);
    for (const std::int64_t step : {-1, 1}) {
      std::int64_t found = 0;
      for (std::int64_t i = place + step; found < reach && ids[slot(i)] != WordCorpus::kBetween; i += step) {
        if (!kept(ids[slot(i)])) continue;
        contexts.push_back(ids[slot(i)]);
        ++found;
      }
    }
    if (std::ssize(contexts) == begin) continue;
    centres.push_back(centre);
    offsets.push_back(begin);
  }
  if (!each) contexts.resize(slot(pairs));
  return {torch::tensor(centres), torch::tensor(contexts), torch::tensor(offsets), next};
}

torch::Tensor Windows::centre_of_context() const {
  const auto ends = torch::tensor({contexts.size(0)}, torch::kLong);
  return centres.repeat_interleave(at::diff(offsets, 1, 0, {}, ends));
}

UnigramSampler::UnigramSampler(const std::vector<std::int64_t>& counts) {
  cumulative_ = torch::tensor(counts).to(torch::kDouble).pow(0.75).cumsum(0);
  cumulative_ = cumulative_ / cumulative_[-1].clone();  // the last is 1, which is never drawn
}

torch::Tensor UnigramSampler::draw(at::IntArrayRef shape) const {
  return at::searchsorted(cumulative_, at::rand(shape, torch::TensorOptions(torch::kDouble)), false, true);
}

Cooccurrences count_neighbours(const WordCorpus& corpus, std::int64_t window) {
  // Word by word, so that no more than a row of the (sparse) matrix is held open.
  std::vector<std::vector<std::int64_t>> places(corpus.names.size());
  for (std::int64_t i = 0; i < std::ssize(corpus.ids); ++i) {
    if (corpus.ids[slot(i)] != WordCorpus::kBetween) places[slot(corpus.ids[slot(i)])].push_back(i);
  }
  std::vector<std::int32_t> rows, columns, touched;
  std::vector<float> values;
  std::vector<double> row(corpus.names.size());
  for (std::int32_t word = 0; word < corpus.size(); ++word) {
    for (const std::int64_t place : places[slot(word)]) {
      for (const std::int64_t step : {-1, 1}) {
        for (std::int64_t distance = 1; distance <= window; ++distance) {
          const std::int32_t other = corpus.ids[slot(place + step * distance)];
          if (other == WordCorpus::kBetween) break;
          if (row[slot(other)] == 0) touched.push_back(other);
          row[slot(other)] += 1 / static_cast<double>(distance);
        }
      }
    }
    std::sort(touched.begin(), touched.end());
    for (const std::int32_t other : touched) {
      rows.push_back(word);
      columns.push_back(other);
      values.push_back(static_cast<float>(std::exchange(row[slot(other)], 0)));
    }
    touched.clear();
  }
  const auto whole = torch::TensorOptions(torch::kInt);
  return {torch::tensor(rows, whole), torch::tensor(columns, whole), torch::tensor(values)};
}

namespace {

// The dimension of the vectors changes nothing about what is counted.
UnitOptions as_counted(UnitOptions options) {
  options.dimension = 0;
  return options;
}

}  // namespace

std::shared_ptr<const WordCorpus> shared_word_corpus(const Corpus& corpus, const UnitOptions& options) {
  const auto read = [&] { return std::make_shared<const WordCorpus>(read_word_corpus(corpus, options)); };
  if (!corpus.counts) return read();
  auto& kept = corpus.counts->words[as_counted(options)];
  if (!kept) kept = read();
  return kept;
}

std::shared_ptr<const Cooccurrences> shared_neighbours(const Corpus& corpus, const UnitOptions& options,
                                                       std::int64_t window) {
  const auto count = [&] {
    return std::make_shared<const Cooccurrences>(
        count_neighbours(*shared_word_corpus(corpus, options), window));
  };
  if (!corpus.counts) return count();
  auto& kept = corpus.counts->neighbours[{as_counted(options), window}];
  if (!kept) kept = count();
  return kept;
}

}  // namespace duet
