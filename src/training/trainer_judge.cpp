// How a run is judged on held-out data, and what is made of the best of it.
#include <algorithm>

#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "encoders/low_rank.h"
#include "run/saved_model.h"
#include "training/finish.h"
#include "training/held_out.h"
#include "training/run_report.h"
#include "training/trainer.h"

namespace duet {
namespace {

nlohmann::ordered_json recalls(const RetrievalScores& scores) {
  return {{"recall_at_1", scores.recall_at_1},
          {"recall_at_5", scores.recall_at_5},
          {"recall_at_10", scores.recall_at_10}};
}

// "val R@1 0.512 R@10 0.803, novel R@1 ..."
std::string summary(const std::vector<Source>& splits, const std::vector<RetrievalResult>& results) {
  std::vector<std::string> said;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const RetrievalScores& scores = results[i].text_to_image;
    said.push_back(
        cat(splits[i].name, " R@1 ", fixed(scores.recall_at_1, 3), " R@10 ", fixed(scores.recall_at_10, 3)));
  }
  return joined(said);
}

// "val masked_lm loss 3.214 accuracy 0.312, ..."
std::string summary(const std::vector<Source>& splits, const std::vector<HeldOutMetrics>& held_out) {
  std::vector<std::string> said;
  for (std::size_t i = 0; i < held_out.size(); ++i) {
    for (const auto& [objective, metrics] : held_out[i]) {
      std::string line = cat(splits[i].name, " ", objective, " loss ", fixed(metrics.at("loss"), 3));
      for (const auto& [name, value] : metrics)
        if (name != "loss") line += cat(" ", name, " ", fixed(value, 3));
      said.push_back(std::move(line));
    }
  }
  return joined(said);
}

}  // namespace

void Trainer::tell_bad_validation(const Source& split, const BadRows& bad) const {
  if (bad.empty() || has_judged_) return;
  std::vector<std::string> list;
  for (const auto& [row, why] : bad)
    list.push_back(cat(split.path_of(split.pairs[static_cast<std::size_t>(row)]).string(), ": ", why));
  log_warning(bad_picture_list(list, split.pairs.size(), "left out of validation"));
}

std::vector<RetrievalResult> Trainer::evaluate_validation() {
  const EvaluationScope averaged(*model_, ema_ ? &*ema_ : nullptr);
  return judge();
}

std::vector<RetrievalResult> Trainer::judge() {
  std::vector<RetrievalResult> results;
  if (!model_->image || !model_->text) return results;
  for (const Source& split : data_.validation) {
    results.push_back(evaluate_retrieval(embed_setting(), split));
    tell_bad_validation(split, results.back().bad);
  }
  has_judged_ = true;
  return results;
}

HeldOutSetting Trainer::held_out_setting(const std::string& source) {
  return {.recipe = &recipe_,
          .model = model_.get(),
          .objectives = &objectives_,
          .tokenizer = tokenizer(),
          .source = source,
          .compute = compute(0),
          .info = {.step = std::max<std::int64_t>(0, step_ - 1), .steps = steps_}};
}

std::map<std::string, HeldOutBatches> Trainer::judge_objectives(std::int64_t batches) {
  const EvaluationScope averaged(*model_, ema_ ? &*ema_ : nullptr);
  std::map<std::string, HeldOutBatches> judged;
  const auto add = [&](const Source& split, const std::string& source) {
    HeldOutSetting setting = held_out_setting(source);
    setting.batches = batches;
    setting.info = {.step = steps_ - 1, .steps = steps_};
    if (!split.pairs.empty()) judged[split.name] = held_out_batches(setting, split);
  };
  for (const Source& split : data_.validation) add(split, "pairs");
  for (const Source& split : data_.beside_validation) add(split, split.name);
  return judged;
}

double Trainer::validation_metric(const std::vector<RetrievalResult>& results,
                                  const std::vector<HeldOutMetrics>& held_out) {
  double sum = 0;
  if (recipe_.train.metric == "loss") {
    for (const HeldOutMetrics& split : held_out) sum += total_loss(held_out_setting("pairs"), split);
    return sum / static_cast<double>(held_out.size());
  }
  for (const RetrievalResult& result : results) {
    const RetrievalScores& scores = result.text_to_image;
    const std::string& metric = recipe_.train.metric;
    sum += metric == "recall_at_1"   ? scores.recall_at_1
           : metric == "recall_at_5" ? scores.recall_at_5
                                     : scores.recall_at_10;
  }
  return sum / static_cast<double>(results.size());
}

// Of equals the one trained longest. Losses of other objectives are not compared: the later part of the run
// counts.
bool Trainer::is_better(double metric) const {
  if (!best_) return true;
  if (recipe_.train.metric != "loss") return metric >= best_->metric;
  const std::vector<double> moments = moments_of(recipe_.objectives);
  const auto part_of = [&](std::int64_t step) {
    const StepInfo info{.step = std::max<std::int64_t>(0, step - 1), .steps = steps_};
    return std::upper_bound(moments.begin(), moments.end(), info.progress());
  };
  return metric <= best_->metric || part_of(step_) != part_of(best_->step);
}

void Trainer::evaluate() {
  const EvaluationScope averaged(*model_, ema_ ? &*ema_ : nullptr);
  const std::vector<RetrievalResult> results = judge();
  std::vector<HeldOutMetrics> held_out;
  nlohmann::ordered_json values;
  std::int64_t queries = 0;
  for (std::size_t i = 0; i < data_.validation.size(); ++i) {
    const Source& split = data_.validation[i];
    held_out.push_back(held_out_metrics(held_out_setting("pairs"), split));
    if (!results.empty())
      values[split.name] = {{"text_to_image", recalls(results[i].text_to_image)},
                            {"image_to_text", recalls(results[i].image_to_text)}};
    values[split.name]["objectives"] = held_out.back();
    queries +=
        results.empty() ? static_cast<std::int64_t>(split.pairs.size()) : results[i].text_to_image.queries;
  }
  for (const Source& split : data_.beside_validation) {
    if (!split.pairs.empty())
      values[split.name]["objectives"] = held_out_metrics(held_out_setting(split.name), split);
  }
  if (!values.empty()) log_->write(step_, values);
  if (data_.validation.empty()) {
    best_ = {step_, 0};
    return;
  }
  const double metric = validation_metric(results, held_out);
  if (is_better(metric) || queries < kFewQueries) best_ = {step_, metric};  // few: where chance would choose
  log_info(cat("step ", grouped(step_), ": ",
               results.empty() ? summary(data_.validation, held_out) : summary(data_.validation, results),
               best_->step == step_ ? " (best so far)" : ""));
}

// The best weights become the model: fitted spaces are solved for, weights of spaces chosen, and the whole is
// judged and saved.
void Trainer::finish() {
  if (best_ && best_->step != step_) {
    const fs::path best = open_checkpoint(run_, best_->step).folder;
    copy_into(tensors_of(*model_), averaged_tensors(best), run_.string());
    copy_into(objective_tensors(), load_tensors(best / "objectives.safetensors"), run_.string());
  } else if (ema_) {
    ema_->swap();
  }
  merge_low_rank(*model_);
  model_->eval();
  const bool has_pairs = model_->image && model_->text;
  if (has_pairs) {
    fit_ridge_spaces(embed_setting(), data_.train);
    choose_weights(embed_setting(), data_.validation);
  }
  CheckpointContent content{.recipe_toml = recipe_.toml,
                            .tokenizer_model = tokenizer_ ? tokenizer_->serialized() : std::string(),
                            .tensors = {},
                            .facts = {}};
  content.tensors["model"] = tensors_of(*model_);
  content.tensors["objectives"] = objective_tensors();
  content.facts = {{"step", best_ ? best_->step : step_}, {"steps", steps_}, {"weights", model_->weights()}};
  const std::vector<RetrievalResult> results = judge();
  if (!results.empty()) log_info(cat("finished model: ", summary(data_.validation, results)));
  write_run_report(run_, recipe_, *model_, data_.validation, results,
                   has_pairs ? contact_sheet(embed_setting(), data_.validation) : std::vector<ContactRow>{});
  for (std::size_t i = 0; i < objectives_.size(); ++i) {
    if (const std::string words = objectives_[i]->word_vectors(); !words.empty())
      replace_file(run_ / cat("words-", recipe_.objectives[i].name, ".txt"), words);
  }
  save_model(run_, content);  // last: a run that has a model is finished
}

}  // namespace duet
