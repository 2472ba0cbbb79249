#include "training/trainer.h"

#include <sys/resource.h>

#include <algorithm>

#include "core/checksum.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "core/random.h"
#include "losses/text/word_corpus.h"
#include "run/saved_model.h"
#include "training/finish.h"
#include "training/objectives.h"
#include "training/signals.h"
#include "training/take_over.h"

namespace duet {
namespace {

constexpr std::int64_t kWarmUp = 3, kRehearsed = 15;  // steps of a rehearsal, the first not timed

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
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
  for (const Source& source : data.beside) add(source);
  for (const Source& split : data.beside_validation) add(split);
  return checksum(all);
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

Trainer::Trainer(const Recipe& recipe, TrainingData data, std::optional<Tokenizer> tokenizer, fs::path run,
                 torch::Device device, int threads, Start start)
    : recipe_(recipe),
      data_(std::move(data)),
      tokenizer_(std::move(tokenizer)),
      run_(std::move(run)),
      device_(device),
      threads_(threads),
      precision_(choose_precision(recipe.train.precision, device)),
      sources_(read_texts()),
      feed_(recipe_, data_, this->tokenizer()),
      data_fingerprint_(fingerprint(data_)) {
  set_steps();
  build(start);
}

std::map<std::string, SourceFacts> Trainer::read_texts() const {
  std::map<std::string, SourceFacts> sources;
  sources.emplace("pairs", facts_of(data_.train));
  for (const Source& source : data_.beside) sources.emplace(source.name, facts_of(source));
  check_texts(recipe_, sources);
  return sources;
}

SourceFacts Trainer::facts_of(const Source& source) const {
  if (!tokenizer_ || !source.has_texts())
    return {.statistics = even_statistics(tokenizer_ ? tokenizer_->vocabulary() : 1)};
  const TextFormat& format = recipe_.model.text.format;
  return {.statistics = count_pieces(*tokenizer_, captions_of(source), format),
          .corpus = {.texts = [&source] { return captions_of(source); },
                     .tokenizer = &*tokenizer_,
                     .format = format,
                     .counts = std::make_shared<CorpusCounts>()}};
}

// A budget in minutes has no steps yet: rehearse() says what they are worth.
void Trainer::set_steps() {
  constexpr std::int64_t kProvisional = 1000;
  const TrainSpec& train = recipe_.train;
  if (train.steps > 0) {
    steps_ = train.steps;
  } else if (train.epochs > 0) {
    steps_ = std::max<std::int64_t>(
        1,
        std::llround(train.epochs * static_cast<double>(feed_.steps_per_epoch()) / pairs_share(recipe_.data)));
  } else {
    steps_ = kProvisional;
  }
}

void Trainer::set_recipe(const Recipe& recipe) {
  recipe_ = recipe;
  set_steps();
  build(Start::initial);
}

// Initial state, as a function of the recipe; a resumed run's is that of its checkpoint.
void Trainer::build(Start start) {
  model_ = std::make_shared<Model>(recipe_.model, tokenizer_ ? tokenizer_->vocabulary() : 0, recipe_.seed);
  if (start == Start::initial) take_over_towers(recipe_, *model_);
  add_low_rank(*model_, recipe_.train.optimizer.groups, recipe_.seed);
  model_->to(device_);
  teachers_.emplace(*model_);
  objectives_ = make_objectives(recipe_, *model_, *teachers_, sources_);
  teachers_->to(device_);
  keep_tokens_ = false;
  for (std::size_t i = 0; i < objectives_.size(); ++i) {
    objectives_[i]->to(device_);
    keep_tokens_ |= recipe_.objectives[i].needs.tokens;
  }
  if (tokenizer_) model_->prepare_for_corpus(seen_pieces(), sources_.at("pairs").statistics.idf());
  feed_.plan(recipe_, steps_);
  const NamedTensors parameters = named_parameters(recipe_, *model_, objectives_);
  const OptimizerOptions& options = recipe_.train.optimizer;
  optimizer_.emplace(plan_parameters(parameters, options.groups, options.adamw.weight_decay), options.adamw);
  ema_.reset();
  if (options.ema > 0) ema_.emplace(named_tensors(*model_), options.ema);
  step_ = first_step_ = 0;
  best_.reset();
}

// Of the pieces: held by a text that some objective looks at. A tower that was taken over knows more than
// these.
torch::Tensor Trainer::seen_pieces() const {
  torch::Tensor seen = torch::zeros_like(sources_.at("pairs").statistics.counts, torch::kBool);
  if (!recipe_.train.init_text.empty()) return seen.logical_not();
  for (const ObjectiveSpec& objective : recipe_.objectives) {
    if (objective.needs.texts) seen = seen.logical_or(sources_.at(objective.source).statistics.counts > 0);
  }
  return seen;
}

// Objectives come and go: every part of the run is timed.
Rehearsal Trainer::rehearse() {
  Rehearsal rehearsal;
  const Clock::time_point begin = Clock::now();
  std::vector<double> moments = moments_of(recipe_.objectives);
  for (std::size_t i = 0; i < moments.size(); ++i) {
    const double end = i + 1 < moments.size() ? moments[i + 1] : 1;
    rehearsal.seconds_per_step += (end - moments[i]) * rehearse_from(moments[i]);
  }
  const Clock::time_point start = Clock::now();
  evaluate_validation();
  for (const Source& split : data_.validation) held_out_metrics(held_out_setting("pairs"), split);
  rehearsal.seconds_per_evaluation = seconds_since(start);
  rehearsal.seconds = seconds_since(begin);
  build(Start::initial);
  return rehearsal;
}

double Trainer::rehearse_from(double share) {
  set_training_mode(*model_);
  const auto first = static_cast<std::int64_t>(std::ceil(share * static_cast<double>(steps_)));
  step_ = std::clamp<std::int64_t>(first, 0, std::max<std::int64_t>(0, steps_ - kRehearsed));
  const std::int64_t count = std::min(kRehearsed, steps_ - step_), untimed = std::min(kWarmUp, count - 1);
  feed_.start(step_, step_ + count);
  Clock::time_point start;
  for (std::int64_t i = 0; i < count; ++i) {
    if (i == untimed) start = Clock::now();
    train_step();
    ++step_;
  }
  const double seconds = seconds_since(start) / static_cast<double>(count - untimed);
  feed_.stop();
  return seconds;
}

Compute Trainer::compute(std::uint64_t seed) const {
  return {.device = device_,
          .precision = precision_,
          .micro_batch = recipe_.train.micro_batch,
          .keep_tokens = keep_tokens_,
          .seed = seed};
}

bool Trainer::shows_plain_main(const StepInfo& info) const {
  for (const ObjectiveSpec& objective : recipe_.objectives) {
    const auto& views = objective.needs.views;
    if (!objective.needs.edits && objective.weight(info) > 0 &&
        std::find(views.begin(), views.end(), "main") != views.end())
      return true;
  }
  return false;
}

// One step: a batch is encoded, every objective adds its loss, gradients are clipped and stepped, averages
// follow.
void Trainer::train_step() {
  const StepInfo info{.step = step_, .steps = steps_};
  Compute setting = compute(seed_of(recipe_.seed, "encode", step_));
  setting.main_settles = shows_plain_main(info);
  EncodedBatch batch(*model_, feed_.next(), setting);
  torch::Tensor total;
  last_terms_.clear();
  for (std::size_t i = 0; i < objectives_.size(); ++i) {
    const ObjectiveSpec& spec = recipe_.objectives[i];
    const double weight = spec.weight(info);
    if (weight == 0 || spec.source != batch.batch().source) continue;
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
  optimizer_->step(lr_share_of(recipe_, step_, steps_));
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
    feed_.start(step_, steps_);
    bar_.emplace("training", steps_ * recipe_.train.batch, unit(), step_ * recipe_.train.batch);
  }
  while (step_ < steps_) {
    train_step();
    ++step_;
    bar_->update(step_ * recipe_.train.batch, cat("loss ", fixed(loss_, 3)));
    if (step_ - first_step_ == 20) tell_cost();
    if (log_due()) log_step();
    if (evaluation_due()) {
      evaluate();
      save();
    } else if (seconds_since(last_save_) > 60 * recipe_.train.checkpoint_minutes) {
      save();
    }
    if (SignalWatch::received() != 0) {
      if (last_saved_step_ != step_) save();
      bar_.reset();
      feed_.tell_bad_pictures();
      return SignalWatch::received() == SIGTERM ? Outcome::terminated : Outcome::interrupted;
    }
  }
  bar_.reset();
  feed_.tell_bad_pictures();
  feed_.stop();
  finish();
  return Outcome::finished;
}

std::string Trainer::unit() const { return !model_->image ? "texts" : !model_->text ? "pictures" : "pairs"; }

void Trainer::tell_cost() {
  const double per_step = seconds_since(started_) / 20;
  log_info(cat("about ", human_seconds(per_step * static_cast<double>(steps_ - step_)), " left for ",
               grouped(steps_), " steps of ", recipe_.train.batch, " ", unit(), "; ",
               human_bytes(peak_memory()), " of memory"));
}

// Each source counts its own steps: else one that comes every second step might never be seen.
bool Trainer::log_due() const {
  return (feed_.turn(step_ - 1).step + 1) % recipe_.train.log_every == 0 || step_ == steps_;
}

void Trainer::log_step() {
  nlohmann::ordered_json values = {
      {"loss", loss_},
      {"lr", recipe_.train.optimizer.adamw.lr * lr_share_of(recipe_, step_ - 1, steps_)},
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
          .tokenizer = tokenizer(),
          .text_format = recipe_.model.text.format,
          .pad_to_context = recipe_.model.text.pad_to_context,
          .preprocessing = recipe_.preprocessing,
          .device = device_,
          .precision = precision_,
          .workers = std::max(1, recipe_.data.loader.workers),
          .max_pixels = recipe_.data.loader.max_pixels,
          .bad_pictures = {.fraction = recipe_.data.loader.max_bad_fraction}};
}

}  // namespace duet
