#include "training/trainer.h"

#include <sys/resource.h>

#include <algorithm>

#include "core/checksum.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "core/random.h"
#include "losses/statistics.h"
#include "run/saved_model.h"
#include "training/finish.h"
#include "training/held_out.h"
#include "training/objectives.h"
#include "training/run_report.h"
#include "training/signals.h"

namespace duet {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::vector<std::int64_t> concepts_of(const Source& source) {
  std::vector<std::int64_t> ids(source.pairs.size());
  for (std::size_t row = 0; row < ids.size(); ++row)
    ids[row] = source.concept_id(static_cast<std::int64_t>(row));
  return ids;
}

// What was trained on and what chooses the best checkpoint, so that a resumed run notices other data.
std::string fingerprint(const TrainingData& data) {
  std::string all;
  const auto add = [&all](const Source& source) {
    for (const Pair& pair : source.pairs)
      all += cat(pair.image, '\n', joined(pair.captions, "\n"), '\n', pair.concept_key, '\0');
    all += '\0';
  };
  add(data.train);
  for (const Source& split : data.validation) add(split);
  return checksum(all);
}

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

NamedTensors named_tensors(const torch::nn::Module& module) {
  NamedTensors named;
  for (const auto& [name, tensor] : tensors_of(module)) named.emplace_back(name, tensor);
  return named;
}

}  // namespace

std::uint64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

Trainer::Trainer(const Recipe& recipe, TrainingData data, const Tokenizer& tokenizer, fs::path run,
                 torch::Device device, int threads)
    : recipe_(recipe),
      data_(std::move(data)),
      tokenizer_(tokenizer),
      run_(std::move(run)),
      device_(device),
      threads_(threads),
      precision_(choose_precision(recipe.train.precision, device)),
      statistics_(count_pieces(tokenizer_, captions_of(data_.train), recipe.model.text.format)),
      sampler_(concepts_of(data_.train), recipe.train.batch, recipe.train.per_concept, recipe.seed),
      cache_(make_pixel_cache(data_.train, recipe.preprocessing, recipe.data.loader)),
      data_fingerprint_(fingerprint(data_)) {
  set_steps();
  build();
}

// A budget in minutes has no steps yet: rehearse() says what they are worth.
void Trainer::set_steps() {
  constexpr std::int64_t kProvisional = 1000;
  const TrainSpec& train = recipe_.train;
  if (train.steps > 0) {
    steps_ = train.steps;
  } else if (train.epochs > 0) {
    steps_ =
        std::max<std::int64_t>(1, std::llround(train.epochs * static_cast<double>(sampler_.steps_per_epoch())));
  } else {
    steps_ = kProvisional;
  }
}

void Trainer::set_recipe(const Recipe& recipe) {
  recipe_ = recipe;
  set_steps();
  build();
}

// Initial state, as a function of the recipe.
void Trainer::build() {
  model_ = std::make_shared<Model>(recipe_.model, tokenizer_.vocabulary(), recipe_.seed);
  model_->prepare_for_corpus(statistics_.counts > 0, statistics_.idf());
  model_->to(device_);
  teachers_.emplace(*model_);
  const Corpus corpus{.texts = [this] { return captions_of(data_.train); },
                      .tokenizer = &tokenizer_,
                      .format = recipe_.model.text.format};
  objectives_ = make_objectives(recipe_, *model_, *teachers_,
                                {{"pairs", {.statistics = statistics_, .corpus = corpus}}}, steps_);
  teachers_->to(device_);
  keep_tokens_ = false;
  for (const auto& objective : objectives_) {
    objective->to(device_);
    keep_tokens_ |= objective->needs().tokens;
  }
  const NamedTensors parameters = named_parameters(recipe_, *model_, objectives_);
  const OptimizerOptions& options = recipe_.train.optimizer;
  optimizer_.emplace(plan_parameters(parameters, options.groups, options.adamw.weight_decay), options.adamw);
  ema_.reset();
  if (options.ema > 0) ema_.emplace(named_tensors(*model_), options.ema);
  step_ = first_step_ = 0;
  best_.reset();
}

std::unique_ptr<Loader> Trainer::make_loader(std::int64_t first, std::int64_t end) {
  LoaderSetting setting{.source = &data_.train,
                        .tokenizer = &tokenizer_,
                        .text_format = recipe_.model.text.format,
                        .captions = recipe_.data.captions,
                        .views = recipe_.views,
                        .preprocessing = recipe_.preprocessing,
                        .cache = cache_};
  return std::make_unique<Loader>(
      setting, recipe_.data.loader, [this](std::int64_t step) { return sampler_.rows(step); }, first, end);
}

Rehearsal Trainer::rehearse() {
  constexpr std::int64_t kWarmUp = 3, kMeasured = 12;
  loader_ = make_loader(0, kWarmUp + kMeasured);
  set_training_mode(*model_);
  Rehearsal rehearsal;
  const Clock::time_point begin = Clock::now();
  Clock::time_point start;
  for (std::int64_t i = 0; i < kWarmUp + kMeasured; ++i) {
    if (i == kWarmUp) start = Clock::now();
    train_step();
    ++step_;
  }
  rehearsal.seconds_per_step = seconds_since(start) / kMeasured;
  start = Clock::now();
  evaluate_validation();
  rehearsal.seconds_per_evaluation = seconds_since(start);
  rehearsal.seconds = seconds_since(begin);
  loader_.reset();
  build();
  return rehearsal;
}

Compute Trainer::compute(std::uint64_t seed) const {
  return {.device = device_,
          .precision = precision_,
          .micro_batch = recipe_.train.micro_batch,
          .keep_tokens = keep_tokens_,
          .seed = seed};
}

// One step: a batch is encoded, every objective adds its loss, gradients are clipped and stepped, averages
// follow.
void Trainer::train_step() {
  const StepInfo info{.step = step_, .steps = steps_};
  EncodedBatch batch(*model_, loader_->next(), compute(seed_of(recipe_.seed, "encode", step_)));
  torch::Tensor total;
  last_terms_.clear();
  for (std::size_t i = 0; i < objectives_.size(); ++i) {
    const ObjectiveSpec& spec = recipe_.objectives[i];
    const double weight = spec.weight(info);
    if (weight == 0) continue;
    torch::manual_seed(seed_of(recipe_.seed, "compute", step_, spec.name));
    LossTerms terms = objectives_[i]->compute(batch, info);
    total = total.defined() ? total + weight * terms.loss : weight * terms.loss;
    terms.metrics.emplace_back("loss", terms.loss.detach());
    last_terms_[spec.name] = std::move(terms.metrics);
  }
  loss_ = total.item<double>();
  if (!std::isfinite(loss_)) fail_non_finite("loss", loss_);
  optimizer_->zero_grad();
  total.backward();
  batch.backward_through_encoders();
  gradient_norm_ = clip_gradients(optimizer_->trainable(), recipe_.train.optimizer.clip).item<double>();
  if (!std::isfinite(gradient_norm_)) fail_non_finite("gradient's norm", gradient_norm_);
  optimizer_->step(lr_share(recipe_.train.optimizer.schedule, step_, steps_));
  model_->clamp_logit_scales();
  if (ema_) ema_->update(step_);
  teachers_->update(info.progress());
  for (const auto& objective : objectives_) objective->after_step(info);
}

void Trainer::fail_non_finite(std::string_view what, double value) const {
  const std::vector<std::int64_t> saved = checkpoint_steps(run_);
  fail(Exit::failed, run_.string(),
       cat("the ", what, " is ", value, " at step ", step_, ": training has diverged"),
       cat(saved.empty() ? std::string("no checkpoint was saved yet")
                         : cat("the last good checkpoint is step-", saved.back()),
           "; lower train.lr, or raise train.warmup"));
}

Outcome Trainer::run() {
  const SignalWatch signals;
  started_ = last_save_ = Clock::now();
  set_training_mode(*model_);
  for (const auto& objective : objectives_) objective->train();
  if (!log_) log_.emplace(run_, 0, 0);
  if (last_saved_step_ < 0) {
    save();  // what was decided before the first step is kept: threads, precision, the data's fingerprint
    replace_file(run_ / "recipe.toml", recipe_.toml);  // now it is a run, that can be resumed
  }
  if (step_ < steps_) {
    loader_ = make_loader(step_, steps_);
    bar_.emplace("training", steps_ * recipe_.train.batch, "pairs");
    bar_->update(step_ * recipe_.train.batch);
  }
  while (step_ < steps_) {
    train_step();
    ++step_;
    bar_->update(step_ * recipe_.train.batch, cat("loss ", fixed(loss_, 3)));
    if (step_ - first_step_ == 20) tell_cost();
    if (step_ % recipe_.train.log_every == 0 || step_ == steps_) log_step();
    if (evaluation_due()) {
      evaluate();
      save();
    } else if (seconds_since(last_save_) > 60 * recipe_.train.checkpoint_minutes) {
      save();
    }
    if (SignalWatch::received() != 0) {
      if (last_saved_step_ != step_) save();
      bar_.reset();
      tell_bad_pictures();
      return SignalWatch::received() == SIGTERM ? Outcome::terminated : Outcome::interrupted;
    }
  }
  bar_.reset();
  tell_bad_pictures();
  finish();
  return Outcome::finished;
}

void Trainer::tell_bad_pictures() const {
  if (!loader_) return;
  const std::vector<std::string> bad = loader_->bad_pictures();
  if (!bad.empty()) log_warning(bad_picture_list(bad, data_.train.pairs.size(), "left out of training"));
}

void Trainer::tell_bad_validation(const Source& split, const BadRows& bad) const {
  if (bad.empty() || has_judged_) return;
  std::vector<std::string> list;
  for (const auto& [row, why] : bad)
    list.push_back(cat(split.path_of(split.pairs[static_cast<std::size_t>(row)]).string(), ": ", why));
  log_warning(bad_picture_list(list, split.pairs.size(), "left out of validation"));
}

void Trainer::tell_cost() {
  const double per_step = seconds_since(started_) / 20;
  log_info(cat("about ", human_seconds(per_step * static_cast<double>(steps_ - step_)), " left for ",
               grouped(steps_), " steps of ", recipe_.train.batch, " pairs; ", human_bytes(peak_memory()),
               " of memory"));
}

void Trainer::log_step() {
  nlohmann::ordered_json values = {
      {"loss", loss_},
      {"lr", recipe_.train.optimizer.adamw.lr * lr_share(recipe_.train.optimizer.schedule, step_ - 1, steps_)},
      {"gradient_norm", gradient_norm_}};
  for (const auto& [objective, metrics] : last_terms_) {
    for (const auto& [name, value] : metrics) values[objective][name] = value.item<double>();
  }
  log_->write(step_, values);
  log_->rate(step_, bar_->rate());
}

bool Trainer::evaluation_due() const {
  const std::int64_t count = recipe_.train.evaluations;
  return step_ * count / steps_ > (step_ - 1) * count / steps_;
}

EmbedSetting Trainer::embed_setting() {
  return {.model = model_.get(),
          .tokenizer = &tokenizer_,
          .text_format = recipe_.model.text.format,
          .pad_to_context = recipe_.model.text.pad_to_context,
          .preprocessing = recipe_.preprocessing,
          .device = device_,
          .precision = precision_,
          .workers = std::max(1, recipe_.data.loader.workers),
          .max_pixels = recipe_.data.loader.max_pixels,
          .bad_pictures = {.fraction = recipe_.data.loader.max_bad_fraction}};
}

std::vector<RetrievalResult> Trainer::evaluate_validation() {
  const EvaluationScope averaged(*model_, ema_ ? &*ema_ : nullptr);
  return judge();
}

std::vector<RetrievalResult> Trainer::judge() {
  std::vector<RetrievalResult> results;
  for (const Source& split : data_.validation) {
    results.push_back(evaluate_retrieval(embed_setting(), split));
    tell_bad_validation(split, results.back().bad);
  }
  has_judged_ = true;
  return results;
}

nlohmann::ordered_json Trainer::held_out(const Source& split) {
  return held_out_metrics({.recipe = &recipe_,
                           .model = model_.get(),
                           .objectives = &objectives_,
                           .tokenizer = &tokenizer_,
                           .compute = compute(0),
                           .info = {.step = std::max<std::int64_t>(0, step_ - 1), .steps = steps_}},
                          split);
}

double Trainer::validation_metric(const std::vector<RetrievalResult>& results) const {
  double sum = 0;
  for (const RetrievalResult& result : results) {
    const RetrievalScores& scores = result.text_to_image;
    const std::string& metric = recipe_.train.metric;
    sum += metric == "recall_at_1"   ? scores.recall_at_1
           : metric == "recall_at_5" ? scores.recall_at_5
                                     : scores.recall_at_10;
  }
  return sum / static_cast<double>(results.size());
}

void Trainer::evaluate() {
  if (data_.validation.empty()) {
    best_ = {step_, 0};
    return;
  }
  const EvaluationScope averaged(*model_, ema_ ? &*ema_ : nullptr);
  const std::vector<RetrievalResult> results = judge();
  nlohmann::ordered_json values;
  std::int64_t queries = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    queries += results[i].text_to_image.queries;
    values[data_.validation[i].name] = {{"text_to_image", recalls(results[i].text_to_image)},
                                        {"image_to_text", recalls(results[i].image_to_text)},
                                        {"objectives", held_out(data_.validation[i])}};
  }
  log_->write(step_, values);
  const double metric = validation_metric(results);
  // Of equals the one trained longest, and so where chance would choose.
  if (!best_ || metric >= best_->metric || queries < kFewQueries) best_ = {step_, metric};
  log_info(cat("step ", grouped(step_), ": ", summary(data_.validation, results),
               best_->step == step_ ? " (best so far)" : ""));
}

// The best weights become the model: fitted spaces are solved for, weights of spaces chosen, and the whole is
// judged and saved.
void Trainer::finish() {
  if (best_ && best_->step != step_) {
    copy_into(tensors_of(*model_), averaged_tensors(open_checkpoint(run_, best_->step).folder), run_.string());
  } else if (ema_) {
    ema_->swap();
  }
  model_->eval();
  fit_ridge_spaces(embed_setting(), data_.train);
  choose_weights(embed_setting(), data_.validation);
  CheckpointContent content{
      .recipe_toml = recipe_.toml, .tokenizer_model = tokenizer_.serialized(), .tensors = {}, .facts = {}};
  content.tensors["model"] = tensors_of(*model_);
  content.facts = {{"step", best_ ? best_->step : step_}, {"steps", steps_}, {"weights", model_->weights()}};
  const std::vector<RetrievalResult> results = judge();
  if (!results.empty()) log_info(cat("finished model: ", summary(data_.validation, results)));
  write_run_report(run_, recipe_, *model_, data_.validation, results,
                   contact_sheet(embed_setting(), data_.validation));
  save_model(run_, content);  // last: a run that has a model is finished
}

}  // namespace duet
