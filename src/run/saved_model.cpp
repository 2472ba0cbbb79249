#include "run/saved_model.h"

#include <algorithm>

#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/sealed.h"
#include "encoders/low_rank.h"
#include "run/checkpoint.h"
#include "tensors/device.h"

namespace duet {
namespace {

[[noreturn]] void fail_no_checkpoint(const fs::path& run) {
  if (!fs::exists(run)) fail(Exit::artifact, run.string(), "no such run folder", "duet train makes one");
  fail(Exit::artifact, run.string(), "holds no checkpoint yet",
       "it is no run folder, or the run was stopped before its first checkpoint");
}

Sealed open_which(const fs::path& run, std::string_view which) {
  if (fs::exists(run / "manifest.json")) {
    const auto manifest = nlohmann::json::parse(read_file(run / "manifest.json"), nullptr, false);
    const bool model = manifest.is_object() && manifest.value("format", "") == "duet-model";
    return open_sealed(run, model ? "duet-model" : "duet-checkpoint",
                       model ? kModelVersion : kCheckpointVersion);
  }
  if (which == "best" && fs::exists(run / "model"))
    return open_sealed(run / "model", "duet-model", kModelVersion);
  const std::vector<std::int64_t> steps = checkpoint_steps(run);
  if (steps.empty()) fail_no_checkpoint(run);
  if (which == "last") return open_checkpoint(run, steps.back());
  if (which == "best") {
    const Sealed last = open_checkpoint(run, steps.back());
    const auto& best = last.facts.at("best");
    if (best.is_null() || best.at("step") == steps.back()) return last;
    return open_checkpoint(run, best.at("step").get<std::int64_t>());
  }
  const auto named =
      std::find_if(steps.begin(), steps.end(), [&](std::int64_t step) { return which == cat("step-", step); });
  if (named == steps.end()) {
    std::vector<std::string> names;
    for (const std::int64_t s : steps) names.push_back(cat("step-", s));
    fail(Exit::usage, "--checkpoint", cat("'", which, "' is not there"),
         cat("there are best, last, ", joined(names)));
  }
  return open_checkpoint(run, *named);
}

// A checkpoint keeps low-rank parts beside their weights, a finished model has them merged; this one does in
// either case.
void fill(Model& model, const Recipe& recipe, const fs::path& folder) {
  const TensorMap values = averaged_tensors(folder);
  const auto is_part = [](const auto& item) { return item.first.ends_with(".lora_a"); };
  if (std::any_of(values.begin(), values.end(), is_part))
    add_low_rank(model, recipe.train.optimizer.groups, recipe.seed);
  copy_into(tensors_of(model), values, folder.string());
  merge_low_rank(model);
}

}  // namespace

TensorMap averaged_tensors(const fs::path& folder) {
  TensorMap values = load_tensors(folder / "model.safetensors");
  if (const fs::path ema = folder / "ema.safetensors"; fs::exists(ema)) {
    for (auto& [name, value] : load_tensors(ema)) values[name] = value;
  }
  return values;
}

void SavedModel::pictures() const {
  if (!model->image) fail(Exit::usage, folder.string(), "has no picture tower", "train it on pictures");
}

const Tokenizer& SavedModel::texts() const {
  if (!tokenizer || !model->text)
    fail(Exit::usage, folder.string(), "has no text tower", "train it on captions");
  return *tokenizer;
}

SavedModel load_saved_model(const fs::path& run, std::string_view which, std::string_view device) {
  const Sealed sealed = open_which(run, which);
  const torch::Device where = choose_device(device);
  SavedModel saved{.recipe = read_recipe(Config::read(sealed.folder / "recipe.toml")),
                   .tokenizer = {},
                   .model = {},
                   .step = sealed.facts.at("step").get<std::int64_t>(),
                   .identity = sealed.identity,
                   .folder = sealed.folder,
                   .device = where};
  const fs::path pieces = sealed.folder / "tokenizer.model";
  if (fs::exists(pieces)) saved.tokenizer = Tokenizer::load(pieces);
  saved.model = std::make_shared<Model>(saved.recipe.model, saved.tokenizer ? saved.tokenizer->vocabulary() : 0,
                                        saved.recipe.seed);
  fill(*saved.model, saved.recipe, sealed.folder);
  saved.model->set_weights(sealed.facts.at("weights").get<std::vector<double>>());
  saved.model->eval();
  saved.model->to(where);
  return saved;
}

}  // namespace duet
