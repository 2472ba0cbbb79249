// What a run saves and goes on from.
#include <torch/version.h>

#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "run/saved_model.h"
#include "training/run_report.h"
#include "training/trainer.h"

namespace duet {

// Heads and queues by their file names, aliases.
TensorMap Trainer::objective_tensors() const {
  TensorMap tensors;
  for (std::size_t i = 0; i < objectives_.size(); ++i) {
    for (const auto& [name, tensor] : tensors_of(*objectives_[i])) {
      tensors[cat("objective.", recipe_.objectives[i].name, ".", name)] = tensor;
    }
  }
  return tensors;
}

CheckpointContent Trainer::checkpoint_content() const {
  CheckpointContent content{.recipe_toml = recipe_.toml,
                            .tokenizer_model = tokenizer_ ? tokenizer_->serialized() : std::string(),
                            .tensors = {},
                            .facts = {}};
  content.tensors["model"] = tensors_of(*model_);
  content.tensors["optimizer"] = optimizer_->state();
  content.tensors["objectives"] = objective_tensors();
  if (ema_) content.tensors["ema"] = ema_->state();
  if (const TensorMap teachers = teachers_->tensors(); !teachers.empty())
    content.tensors["teachers"] = teachers;
  content.facts = {
      {"step", step_},
      {"steps", steps_},
      {"weights", model_->weights()},
      {"best", best_ ? nlohmann::json{{"step", best_->step}, {"metric", best_->metric}} : nlohmann::json()},
      {"log", log_->offsets()},
      {"threads", threads_},
      {"precision", name_of(precision_)},
      {"cpu", cpu_kind()},
      {"libtorch", TORCH_VERSION},
      {"device", device_.str()},
      {"data", data_fingerprint_}};
  return content;
}

void Trainer::save() {
  log_->sync();  // a checkpoint never knows of more than the disk
  save_checkpoint(run_, step_, checkpoint_content());
  prune_checkpoints(run_, recipe_.train.keep, best_ ? std::optional(best_->step) : std::nullopt);
  last_save_ = std::chrono::steady_clock::now();
  last_saved_step_ = step_;
  write_run_report(run_, recipe_, *model_, data_.validation, {}, {});
}

void Trainer::load(const Sealed& checkpoint) {
  const auto& facts = checkpoint.facts;
  if (facts.at("data") != data_fingerprint_) {
    fail(Exit::data, data_.train.manifest.string(),
         "the training or validation data is not what this run was started on",
         "bring the data back, name where it is now (--set data.train=PATH, data.validation=PATH, --root DIR), "
         "or start a new run");
  }
  for (const auto& [fact, now] : {std::pair<std::string, nlohmann::json>{"precision", name_of(precision_)},
                                  {"cpu", cpu_kind()},
                                  {"threads", threads_},
                                  {"libtorch", TORCH_VERSION},
                                  {"device", device_.str()}}) {
    if (facts.at(fact) != now) {
      log_warning(cat("the run was started with ", fact, " ", facts.at(fact).dump(), ", here it is ",
                      now.dump(), ": it goes on well, but not bit for bit"));
    }
  }
  build(Start::resumed);
  const std::string what = checkpoint.folder.string();
  const fs::path& folder = checkpoint.folder;
  // Where the data is this time (--set data.train) is no part of the run: it goes on from its old place as
  // well.
  recipe_.toml = read_file(folder / "recipe.toml");
  copy_into(tensors_of(*model_), load_tensors(folder / "model.safetensors"), what);
  optimizer_->load_state(load_tensors(folder / "optimizer.safetensors"));
  if (ema_) ema_->load_state(load_tensors(folder / "ema.safetensors"));
  if (const TensorMap teachers = teachers_->tensors(); !teachers.empty())
    copy_into(teachers, load_tensors(folder / "teachers.safetensors"), what);
  copy_into(objective_tensors(), load_tensors(folder / "objectives.safetensors"), what);
  model_->set_weights(facts.at("weights").get<std::vector<double>>());
  if (!facts.at("best").is_null())
    best_ = Best{facts["best"].at("step").get<std::int64_t>(), facts["best"].at("metric").get<double>()};
  log_.emplace(run_, facts.at("log").at("metrics").get<std::uintmax_t>(),
               facts.at("log").at("events").get<std::uintmax_t>());
  step_ = first_step_ = last_saved_step_ = facts.at("step").get<std::int64_t>();
}

}  // namespace duet
