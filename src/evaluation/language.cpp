#include "evaluation/language.h"

#include <ATen/ops/full.h>
#include <ATen/ops/multinomial.h>
#include <ATen/ops/softmax.h>

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "core/format.h"
#include "datasets/captions.h"

namespace duet {
namespace {

constexpr std::string_view kMaskWord = "[MASK]";
constexpr std::size_t kPairsAtOnce = 64;

using Ids = std::vector<std::int64_t>;

Batch batch_of(const SavedModel& saved, const Ids& ids) {
  Batch batch;
  const TextEncoderSpec& text = saved.recipe.model.text;
  std::tie(batch.tokens, batch.valid) =
      padded({ids}, saved.texts().id(kPad), text.format.context, text.pad_to_context);
  batch.rows = {0};
  return batch;
}

EncodedBatch encoded(const SavedModel& saved, const Batch& batch) {
  return {*saved.model, batch, Compute{.device = saved.device}};
}

// As encode_caption puts them around a caption's pieces; nothing is cut off. Error(usage).
Ids framed(const SavedModel& saved, std::string_view text, Ids ids, bool closed) {
  const TextFormat& format = saved.recipe.model.text.format;
  const Tokenizer& tokenizer = saved.texts();
  if (format.bos) ids.insert(ids.begin(), tokenizer.id(kBos));
  if (format.cls) ids.insert(ids.begin(), tokenizer.id(kCls));
  if (format.eos && closed) ids.push_back(tokenizer.id(kEos));
  const auto count = static_cast<std::int64_t>(ids.size());
  if (count > format.context) {
    fail(Exit::usage, cat("'", text, "'"),
         cat("is ", count, " pieces, more than the ", format.context, " that the tower reads"),
         "say it shorter");
  }
  return ids;
}

// User text never makes a special id, so the text is cut at its masks and each part encoded by itself.
Ids with_masks(const Tokenizer& tokenizer, std::string_view text) {
  Ids ids;
  for (std::string_view rest = text;;) {
    const std::size_t at = rest.find(kMaskWord);
    for (const std::int64_t id : tokenizer.encode(rest.substr(0, at))) ids.push_back(id);
    if (at == std::string_view::npos) return ids;
    ids.push_back(tokenizer.id(kMask));
    rest.remove_prefix(at + kMaskWord.size());
  }
}

// Minus infinity for what no text goes on with: specials but the end, and the piece for unknown characters.
torch::Tensor barred(const SavedModel& saved) {
  const Tokenizer& tokenizer = saved.texts();
  auto bar = torch::zeros({tokenizer.vocabulary()}, torch::kFloat);
  for (std::int64_t id = 0; id < tokenizer.vocabulary(); ++id) {
    const bool end = id == tokenizer.id(kEos) && saved.recipe.model.text.format.eos;
    if ((id >= tokenizer.pieces() && !end) || tokenizer.is_unknown(id))
      bar[id] = -std::numeric_limits<float>::infinity();
  }
  return bar;
}

std::int64_t chosen(const torch::Tensor& logits, const ContinueOptions& options) {
  if (options.temperature == 0) return logits.argmax().item<std::int64_t>();
  const std::int64_t all = logits.size(0);
  const auto [best, ids] = logits.topk(options.top_k > 0 ? std::min(options.top_k, all) : all);
  return ids[at::softmax(best / options.temperature, 0).multinomial(1).item<std::int64_t>()]
      .item<std::int64_t>();
}

}  // namespace

std::vector<std::vector<Candidate>> fill_masks(const SavedModel& saved, FillsMasks& objective,
                                               std::string_view text, std::int64_t top) {
  const torch::NoGradGuard no_grad;
  const Tokenizer& tokenizer = saved.texts();
  const Ids ids = framed(saved, text, with_masks(tokenizer, text), true);
  std::vector<std::size_t> masks;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] == tokenizer.id(kMask)) masks.push_back(i);
  }
  if (masks.empty()) fail(Exit::usage, cat("'", text, "'"), "holds no [MASK]", "say, \"a [MASK] heart\"");
  EncodedBatch batch = encoded(saved, batch_of(saved, ids));
  const auto fillings = objective.fillings(batch)[0].to(torch::kCPU);  // [L, V]
  const auto [values, pieces] = fillings.topk(std::min(top, fillings.size(1)), 1);
  const auto piece_at = [&pieces](std::size_t position, std::int64_t rank) {
    return pieces[static_cast<std::int64_t>(position)][rank].item<std::int64_t>();
  };
  Ids filled = ids;
  for (const std::size_t position : masks) filled[position] = piece_at(position, 0);
  std::vector<std::vector<Candidate>> candidates;
  for (const std::size_t position : masks) {
    candidates.emplace_back();
    for (std::int64_t rank = 0; rank < pieces.size(1); ++rank) {
      const double log_probability = values[static_cast<std::int64_t>(position)][rank].item<double>();
      if (std::isinf(log_probability)) break;
      Ids whole = filled;
      whole[position] = piece_at(position, rank);
      candidates.back().push_back(
          {tokenizer.piece(whole[position]), std::exp(log_probability), tokenizer.decode(whole)});
    }
  }
  return candidates;
}

Continuation continue_text(const SavedModel& saved, ContinuesTexts& objective, std::string_view prompt,
                           const ContinueOptions& options) {
  const torch::NoGradGuard no_grad;
  const Tokenizer& tokenizer = saved.texts();
  Ids ids = framed(saved, prompt, tokenizer.encode(prompt), false);
  if (ids.empty()) fail(Exit::usage, "the text", "is empty", "this tower needs a first word");
  const auto bar = barred(saved);
  torch::manual_seed(options.seed);
  Continuation continuation;
  const auto room = static_cast<std::size_t>(saved.recipe.model.text.format.context);
  for (std::int64_t i = 0; i < options.length && ids.size() < room && !continuation.ended; ++i) {
    EncodedBatch batch = encoded(saved, batch_of(saved, ids));
    const auto last = static_cast<std::int64_t>(ids.size()) - 1;
    const auto logits = objective.continuations(batch)[0][last].to(torch::kCPU) + bar;
    const std::int64_t next = chosen(logits, options);
    continuation.ended = next == tokenizer.id(kEos);
    continuation.added.push_back({tokenizer.piece(next), at::softmax(logits, 0)[next].item<double>()});
    ids.push_back(next);
  }
  continuation.text = tokenizer.decode(ids);
  return continuation;
}

std::vector<double> probabilities_of_next(const SavedModel& saved, JudgesNext& objective,
                                          const std::vector<std::pair<std::string, std::string>>& pairs) {
  const torch::NoGradGuard no_grad;
  const TextEncoderSpec& text = saved.recipe.model.text;
  std::vector<double> probabilities;
  for (std::size_t begin = 0; begin < pairs.size(); begin += kPairsAtOnce) {
    const std::size_t end = std::min(pairs.size(), begin + kPairsAtOnce);
    std::vector<std::string> first, second;
    Batch batch;
    for (std::size_t i = begin; i < end; ++i) {
      first.push_back(pairs[i].first);
      second.push_back(pairs[i].second);
      batch.rows.push_back(static_cast<std::int64_t>(i - begin));
    }
    std::tie(batch.tokens, batch.valid) =
        encode_captions(saved.texts(), first, text.format, text.pad_to_context);
    std::tie(batch.follows, batch.follows_valid) =
        encode_captions(saved.texts(), second, text.format, text.pad_to_context);
    EncodedBatch both = encoded(saved, batch);
    const auto answers = objective.follows(both).to(torch::kCPU, torch::kDouble).contiguous();
    probabilities.insert(probabilities.end(), answers.data_ptr<double>(),
                         answers.data_ptr<double>() + answers.numel());
  }
  return probabilities;
}

double probability_of_next(const SavedModel& saved, JudgesNext& objective, const std::string& first,
                           const std::string& second) {
  for (const std::string& sentence : {first, second}) {
    if (saved.texts().encode(sentence).empty())
      fail(Exit::usage, "a sentence", "is empty", "give two sentences");
  }
  return probabilities_of_next(saved, objective, {{first, second}}).front();
}

}  // namespace duet
