#include "losses/text/word_vectors.h"

#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/log_sigmoid.h>

#include <charconv>
#include <utility>

#include "core/error.h"
#include "core/format.h"

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
  const auto biases = at::embedding(tables.input_bias, rows) + at::embedding(tables.output_bias, columns);
  const auto truth = values.log();
  const auto trust = (values / weight.most).pow(weight.power).clamp_max(1);
  const auto loss = (trust * (product.sum(1) + biases.squeeze(1) - truth).square()).mean();
  const auto middle = (trust * truth).sum() / trust.sum();
  const auto spread = (trust * (truth - middle).square()).mean();
  return {loss, {{"explained", 1 - loss.detach() / spread.clamp_min(1e-12)}}};
}

WordVectors::WordVectors(const Setting& setting, const UnitOptions& unit, WordCorpus corpus)
    : corpus_(std::move(corpus)) {
  const TextEncoder& tower = setting.text_tower();
  if (!unit.words) {
    input_ = tower.token_table();
    return;
  }
  const double reach = 0.5 / static_cast<double>(unit.dimension);  // word2vec.c, glove.c
  input_ = register_parameter("input",
                              setting.init.uniform("input", {corpus_.size(), unit.dimension}, -reach, reach));
}

std::string WordVectors::word_vectors() const {
  const auto table = vectors().detach().to(torch::kCPU, torch::kFloat).contiguous();
  const std::int64_t dimension = table.size(1);
  std::string text = cat(corpus_.different(), " ", dimension, "\n");
  const float* value = table.const_data_ptr<float>();
  for (std::int64_t id = 0; id < corpus_.size(); ++id, value += dimension) {
    if (corpus_.counts[static_cast<std::size_t>(id)] == 0) continue;
    text += corpus_.names[static_cast<std::size_t>(id)];
    for (std::int64_t i = 0; i < dimension; ++i) {
      text += ' ';
      append_number(text, value[i]);
    }
    text += '\n';
  }
  return text;
}

void check_corpus(const Setting& setting, const UnitOptions& unit, const WordCorpus& corpus,
                  std::int64_t least_different) {
  if (!setting.corpus.texts) return;
  const std::string units = cat(unit.words ? "words" : "pieces");
  const std::string often = unit.words ? cat(" that occur at least ", unit.min_count, " times") : "";
  const std::string more = unit.words ? "give more text, or a lower 'min_count'" : "give more text";
  if (corpus.ids.empty()) fail(Exit::usage, setting.where, cat("no text holds two ", units, often), more);
  if (corpus.different() >= least_different) return;
  fail(Exit::usage, setting.where,
       cat("the texts hold ", corpus.different(), " different ", units, often, ", too few for a target and ",
           least_different - 1, " negatives"),
       cat(more, ", or fewer 'negatives'"));
}

}  // namespace duet
