#include "losses/text/word_vectors.h"

#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/randint.h>

#include <charconv>
#include <utility>

#include "core/error.h"
#include "core/format.h"
#include "text/unicode.h"

namespace duet {
namespace {

void append_number(std::string& text, float value) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  text.append(digits, end);
}

}  // namespace

LossTerms negative_sampling(const torch::Tensor& hidden, const torch::Tensor& output,
                            const torch::Tensor& targets, const torch::Tensor& negatives) {
  const auto rows = at::embedding(output, at::cat({targets.unsqueeze(1), negatives}, 1));  // [N, 1 + K, D]
  const auto scores = at::bmm(rows, hidden.unsqueeze(2)).squeeze(2);
  const auto right = scores.slice(1, 0, 1), wrong = scores.slice(1, 1);
  const auto counts = (negatives != targets.unsqueeze(1)).to(torch::kFloat);
  const auto loss = -(at::log_sigmoid(right).sum() + (at::log_sigmoid(-wrong) * counts).sum()) /
                    static_cast<double>(targets.size(0));
  const auto above = ((right > wrong).to(torch::kFloat) * counts).sum() / counts.sum().clamp_min(1);
  return {loss, {{"accuracy", above.detach()}}};
}

LossTerms glove_loss(const GloveTables& tables, const torch::Tensor& rows, const torch::Tensor& columns,
                     const torch::Tensor& values, const GloveWeight& weight) {
  const auto product = at::embedding(tables.input, rows) * at::embedding(tables.output, columns);  // [N, D]
  const auto biases = tables.input_bias.index_select(0, rows) + tables.output_bias.index_select(0, columns);
  const auto truth = values.log();
  const auto trust = (values / weight.most).pow(weight.power).clamp_max(1);
  const auto loss = (trust * (product.sum(1) + biases - truth).square()).mean();
  const auto middle = (trust * truth).sum() / trust.sum();
  const auto spread = (trust * (truth - middle).square()).mean();
  return {loss, {{"explained", 1 - loss.detach() / spread.clamp_min(1e-12)}}};
}

WordVectors::WordVectors(const Setting& setting, const UnitOptions& unit)
    : corpus_(shared_word_corpus(setting.corpus, unit)) {
  if (setting.corpus.tokenizer) tokenizer_ = *setting.corpus.tokenizer;
  if (!unit.words) {
    input_ = setting.model->text->token_table();
    return;
  }
  for (const std::string& name : corpus_->names) places_.emplace(name, places_.size());
  const double reach = 0.5 / static_cast<double>(unit.dimension);  // word2vec.c, glove.c
  input_ = register_parameter("input",
                              setting.init.uniform("input", {corpus_->size(), unit.dimension}, -reach, reach));
}

std::vector<std::int32_t> WordVectors::ids_of(const Batch& batch) const {
  TORCH_CHECK(tokenizer_, "word vectors were made without texts");
  const auto tokens = batch.tokens.to(torch::kCPU).contiguous(),
             valid = batch.valid.to(torch::kCPU).contiguous();
  std::vector<std::int32_t> ids;
  for (std::int64_t row = 0; row < tokens.size(0); ++row) {
    const auto* id = tokens[row].const_data_ptr<std::int64_t>();
    const auto* is_there = valid[row].const_data_ptr<bool>();
    std::vector<std::int64_t> pieces;
    std::vector<std::int32_t> known;
    for (std::int64_t i = 0; i < tokens.size(1); ++i) {
      if (is_there[i] && id[i] < tokenizer_->pieces()) pieces.push_back(id[i]);
    }
    if (places_.empty()) {
      for (const std::int64_t piece : pieces) {
        if (corpus_->counts[static_cast<std::size_t>(piece)] > 0)
          known.push_back(static_cast<std::int32_t>(piece));
      }
    } else {
      for (const std::string& word : words(tokenizer_->decode(pieces))) {
        if (const auto place = places_.find(word); place != places_.end()) known.push_back(place->second);
      }
    }
    append_text(ids, known);
  }
  return ids;
}

Windows WordVectors::held_out_windows(const Batch& batch, const std::vector<double>& keep, std::int64_t window,
                                      std::int64_t pairs, bool each) const {
  const std::vector<std::int32_t> texts = ids_of(batch);
  const auto& ids = texts.empty() ? corpus_->ids : texts;
  const auto start = at::randint(std::ssize(ids), {}, torch::TensorOptions(torch::kLong));
  return draw_windows(ids, keep, window, pairs, each, start.item<std::int64_t>());
}

std::string WordVectors::word_vectors() const {
  const auto table = vectors().detach().to(torch::kCPU, torch::kFloat).contiguous();
  const std::int64_t dimension = table.size(1);
  std::string text = cat(corpus_->different(), " ", dimension, "\n");
  const float* value = table.const_data_ptr<float>();
  for (std::int64_t id = 0; id < corpus_->size(); ++id, value += dimension) {
    if (corpus_->counts[static_cast<std::size_t>(id)] == 0) continue;
    text += corpus_->names[static_cast<std::size_t>(id)];
    for (std::int64_t i = 0; i < dimension; ++i) {
      text += ' ';
      append_number(text, value[i]);
    }
    text += '\n';
  }
  return text;
}

void check_corpus(const std::string& where, const UnitOptions& unit, const WordCorpus& corpus,
                  std::int64_t least_different) {
  const std::string units = cat(unit.words ? "words" : "pieces");
  const std::string often = unit.words ? cat(" that occur at least ", unit.min_count, " times") : "";
  const std::string more = unit.words ? "give more text, or a lower 'min_count'" : "give more text";
  if (corpus.ids.empty()) fail(Exit::usage, where, cat("no text holds two ", units, often), more);
  if (corpus.different() >= least_different) return;
  fail(Exit::usage, where,
       cat("the texts hold ", corpus.different(), " different ", units, often, ", too few for a target and ",
           least_different - 1, " negatives"),
       cat(more, ", or fewer 'negatives'"));
}

}  // namespace duet
