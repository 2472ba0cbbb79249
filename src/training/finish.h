// What is done once, after the last step: spaces that are fitted in closed form, and the weights of spaces in
// the retrieval embedding, chosen on validation data.
#pragma once
#include <vector>

#include "evaluation/embed.h"
#include "optim/ema.h"
#include "training/objectives.h"

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

std::vector<std::string> captions_of(const Source& source);

// Solves every ridge space of the model for the training pictures' features and their captions' pieces.
void fit_ridge_spaces(const EmbedSetting& setting, const Source& train);

// For every space with weight = "auto": the weight of a small grid with the best mean reciprocal rank over the
// validation sets, text to image, the other weights as they are. Without validation data it stays at 1.
void choose_weights(const EmbedSetting& setting, const std::vector<Source>& validation);

}  // namespace duet
