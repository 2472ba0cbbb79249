#include "losses/statistics.h"

#include <ATen/ops/log.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <set>

namespace duet {

torch::Tensor CorpusStatistics::idf() const {
  const auto df = document_frequency.to(torch::kFloat);
  const auto weight = at::log((1 + static_cast<double>(captions)) / df);
  return at::where(document_frequency > 0, weight, at::zeros_like(weight));
}

CorpusStatistics count_pieces(const Tokenizer& tokenizer, const std::vector<std::string>& captions,
                              const TextFormat& format) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(tokenizer.vocabulary())), holders(counts.size());
  for (const std::string& caption : captions) {
    std::set<std::int64_t> held;
    for (const std::int64_t id : encode_caption(tokenizer, caption, format)) {
      if (id >= tokenizer.pieces() || tokenizer.is_unknown(id)) continue;
      ++counts[static_cast<std::size_t>(id)];
      held.insert(id);
    }
    for (const std::int64_t id : held) ++holders[static_cast<std::size_t>(id)];
  }
  const auto tensor = [](const std::vector<std::int64_t>& values) {
    return torch::tensor(values, torch::kLong);
  };
  torch::Tensor word_start = torch::ones({tokenizer.vocabulary()}, torch::kBool);
  for (std::int64_t id = 0; id < tokenizer.pieces(); ++id) word_start[id] = tokenizer.starts_word(id);
  return {static_cast<std::int64_t>(captions.size()), tensor(counts), tensor(holders), word_start};
}

CorpusStatistics even_statistics(std::int64_t vocabulary) {
  const auto once = torch::ones(vocabulary, torch::kLong);
  return {1, once, once, torch::ones(vocabulary, torch::kBool)};
}

}  // namespace duet
