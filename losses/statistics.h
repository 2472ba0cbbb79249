// Counts over the training captions, for objectives and spaces that weight pieces.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace duet {

struct CorpusStatistics {
  std::int64_t captions = 0;
  torch::Tensor counts;              // [V] int64, occurrences of each piece
  torch::Tensor document_frequency;  // [V] int64, captions that hold it
  torch::Tensor word_start;          // [V] bool; specials start a word
  torch::Tensor idf() const;  // [V] float: ln((1 + captions) / df), which a piece of every caption hardly has;
                              // 0 for pieces never seen and specials
};

// As the text tower will see the captions: what `format` cuts off is not counted. Specials and <unk> stay at 0.
CorpusStatistics count_pieces(const Tokenizer& tokenizer, const std::vector<std::string>& captions,
                              const TextFormat& format);

// As if one caption had held every piece: for a model without data.
CorpusStatistics even_statistics(std::int64_t vocabulary);

struct CorpusCounts;  // losses/text/word_corpus.h

// The training texts themselves, for objectives that count in them (word2vec, GloVe). Only while objectives are
// made.
struct Corpus {
  std::function<std::vector<std::string>()> texts = {};  // null: there is no text
  const Tokenizer* tokenizer = nullptr;
  TextFormat format = {};
  std::shared_ptr<CorpusCounts> counts = {};  // of what was counted once; null: each counts anew
};

}  // namespace duet
