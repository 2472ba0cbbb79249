#include "cli/neighbours.h"

#include "cli/engine.h"
#include "core/error.h"
#include "core/format.h"
#include "core/log.h"
#include "run/saved_model.h"
#include "text/unicode.h"

namespace duet {
namespace {

constexpr std::string_view kWordStart = "\u2581";

// A piece that begins a word is that word; one from within is marked as BERT marks it: "##art".
std::string name_of(const Tokenizer& tokenizer, std::int64_t id) {
  const std::string piece = tokenizer.piece(id);
  return tokenizer.starts_word(id) ? piece.substr(kWordStart.size()) : "##" + piece;
}

// Pieces that some caption holds; rows of the others stayed at zero.
WordTable vectors_of(const Tokenizer& tokenizer, const torch::Tensor& table) {
  WordTable vectors(static_cast<std::size_t>(table.size(1)));
  for (std::int64_t id = 0; id < tokenizer.pieces(); ++id) {
    const std::string name = name_of(tokenizer, id);
    if (name.empty() || tokenizer.is_unknown(id) || !table[id].any().item<bool>()) continue;
    vectors.add(name, {table[id].const_data_ptr<float>(), vectors.dimension()});
  }
  return vectors;
}

}  // namespace

int run_neighbours(const NeighboursOptions& options) {
  const SavedModel saved = load_saved_model(options.run, options.checkpoint, "cpu");
  const Tokenizer& tokenizer = saved.texts();
  const torch::Tensor table =
      saved.model->text->token_table().detach().to(torch::kFloat).contiguous();  // [V, D]
  const auto vectors = std::make_shared<WordTable>(vectors_of(tokenizer, table));
  const auto of = [&](const std::string& word) {
    const std::vector<std::int64_t> ids = tokenizer.encode(word);
    std::vector<std::string> pieces;
    auto mean = torch::zeros({table.size(1)});
    for (const std::int64_t id : ids) {
      pieces.push_back(tokenizer.piece(id));
      mean += table[id] / static_cast<double>(ids.size());
    }
    if (!mean.any().item<bool>()) {
      fail(Exit::usage, options.run, cat("'", word, "' is made of pieces that no caption held"),
           "ask for a word of the captions");
    }
    if (ids.size() > 1) log_info(cat("'", word, "' is the mean of ", joined(pieces, " ")));
    const float* numbers = mean.const_data_ptr<float>();
    return std::pair(folded(word), std::vector<float>(numbers, numbers + mean.numel()));
  };
  return show_neighbours(
      {.name = "the text tower's tokens", .vectors = vectors, .of = of, .text = vectors->text()}, options);
}

}  // namespace duet
