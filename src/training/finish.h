// What is done once, after the last step: spaces that are fitted in closed form, and the weights of spaces in
// the retrieval embedding, chosen on validation data.
#pragma once
#include <vector>

#include "evaluation/embed.h"
#include "optim/ema.h"
#include "training/objectives.h"
#include "training/training_data.h"

namespace duet {

// The model as it is judged, for one scope: averaged weights where there are any, evaluation mode.
class EvaluationScope {
 public:
  EvaluationScope(Model& model, Ema* ema) : model_(model), averaged_(ema) { model_.eval(); }
  ~EvaluationScope() { set_training_mode(model_); }
  EvaluationScope(const EvaluationScope&) = delete;
  EvaluationScope& operator=(const EvaluationScope&) = delete;

 private:
  Model& model_;
  EmaScope averaged_;
};

// What fewer validation queries say is chance: neither weights nor checkpoints are chosen by them.
constexpr std::int64_t kFewQueries = 20;

// Solves every ridge space of the model for the training pictures' features and their captions' pieces.
void fit_ridge_spaces(const EmbedSetting& setting, const Source& train);

// For every space with weight = "auto": 1, or the weight of a small grid whose mean reciprocal rank over the
// validation sets, text to image, the other weights as they are, is the best and better than that of 1 by more
// than chance. With few queries, and without validation data, it stays at 1.
void choose_weights(const EmbedSetting& setting, const std::vector<Source>& validation);

}  // namespace duet
