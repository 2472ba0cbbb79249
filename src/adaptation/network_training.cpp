#include "adaptation/network_training.h"

#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/lerp.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <span>

#include "adaptation/tower_input.h"
#include "core/error.h"
#include "core/format.h"
#include "core/progress.h"
#include "core/random.h"
#include "datasets/pixel_cache.h"
#include "encoders/low_rank.h"
#include "evaluation/ridge_classifier.h"
#include "optim/adamw.h"
#include "optim/schedule.h"

namespace duet {
namespace {

constexpr std::int64_t kBatch = 32;
// Unless epochs are asked for: three, or kSteps where these are more, but then no item more than twenty times;
// and some steps in any case.
constexpr std::int64_t kEpochs = 3, kSteps = 80, kMostEpochs = 20, kLeastSteps = 20;
constexpr std::int64_t kMoments = 4;  // at which validation is asked, evenly, the end included
constexpr double kClip = 1;
constexpr int kAlphas = 10;  // steps from the start to the tuned values
const ScheduleOptions kSchedule{.kind = "cosine", .warmup = 0.1, .lr_end = 0};
// Mild, and none that could change a class: no flip.
const Augmentation kAugmentation{
    .crop_low = 0.5, .crop_high = 1, .brightness = 0.2, .contrast = 0.2, .saturation = 0.2};

constexpr const char *kWeight = "head.weight", *kBias = "head.bias";

std::int64_t batch_of(std::int64_t items) { return std::min(kBatch, items); }

std::int64_t steps_of(std::int64_t items, std::int64_t epochs) {
  const std::int64_t epoch = (items + batch_of(items) - 1) / batch_of(items);
  if (epochs > 0) return epochs * epoch;
  return std::max({kLeastSteps, kEpochs * epoch, std::min(kSteps, kMostEpochs * epoch)});
}

// Epoch after epoch, each in an order of its own: a function of seed and step alone.
std::vector<std::int64_t> positions_of(std::uint64_t seed, std::int64_t step, std::int64_t items) {
  const std::int64_t batch = batch_of(items);
  std::vector<std::int64_t> chosen, order(static_cast<std::size_t>(items));
  std::int64_t shuffled = -1;
  for (std::int64_t i = step * batch; i < (step + 1) * batch; ++i) {
    if (const std::int64_t epoch = i / items; epoch != shuffled) {
      std::iota(order.begin(), order.end(), 0);
      Random(seed_of(seed, "order", epoch)).shuffle(std::span(order));
      shuffled = epoch;
    }
    chosen.push_back(order[static_cast<std::size_t>(i % items)]);
  }
  return chosen;
}

// The support's items in random order, pictures a little different each time.
class Feed {
 public:
  Feed(const EmbedSetting& setting, const Part& part, std::uint64_t seed)
      : setting_(setting), part_(part), seed_(seed), count_(static_cast<std::int64_t>(part.items.size())) {
    if (part.data->texts) return;
    source_ = part.data->source.subset(part.items, part.data->source.name);
    options_ = {.workers = setting.workers,
                .max_bad_fraction = setting.bad_pictures.fraction,
                .max_pixels = setting.max_pixels,
                .seed = seed};
    cache_ = fits_in_memory(setting, part)
                 ? std::make_shared<PixelCache>(source_, setting.preprocessing, setting.preprocessing.size,
                                                setting.max_pixels, std::filesystem::path())
                 : make_pixel_cache(source_, setting.preprocessing, options_);  // says what it takes
  }

  void start(std::int64_t steps) {
    if (part_.data->texts) return;
    LoaderSetting loaded;
    loaded.source = &source_;
    loaded.views.emplace_back().augmentation = kAugmentation;
    loaded.preprocessing = setting_.preprocessing;
    loaded.cache = cache_;
    const auto rows = [this](std::int64_t step) { return positions_of(seed_, step, count_); };
    loader_ = std::make_unique<Loader>(std::move(loaded), options_, rows, 0, steps);
  }

  struct Step {
    TowerInput items;
    torch::Tensor labels;  // [n]
  };
  Step next(std::int64_t step) {
    if (part_.data->texts) {
      const std::vector<std::int64_t> positions = positions_of(seed_, step, count_);
      std::vector<std::int64_t> rows;
      for (const std::int64_t at : positions) rows.push_back(part_.items[static_cast<std::size_t>(at)]);
      return {text_input(setting_, *part_.data, rows), labels_of(positions)};
    }
    Batch batch = loader_->next();
    return {{.images = batch.views.at("main")}, labels_of(batch.rows)};
  }

 private:
  torch::Tensor labels_of(const std::vector<std::int64_t>& positions) const {
    return part_.labels.index_select(0, torch::tensor(positions));
  }

  const EmbedSetting& setting_;
  const Part& part_;
  std::uint64_t seed_;
  std::int64_t count_;
  Source source_;
  LoaderOptions options_;
  std::shared_ptr<PixelCache> cache_;
  std::unique_ptr<Loader> loader_;
};

bool is_part(std::string_view name) { return name.ends_with(".lora_a") || name.ends_with(".lora_b"); }

bool begins(std::string_view name, std::string_view folder) {
  return name.starts_with(folder) && name.substr(folder.size()).starts_with('.');
}

// Aliases of what learns, by name.
TensorMap learning(const Model& model, const Labelled& data, const TowerHead& head) {
  TensorMap tensors = tensors_of(model);
  const bool parts =
      std::any_of(tensors.begin(), tensors.end(), [](const auto& item) { return is_part(item.first); });
  const std::string_view tower = tower_of(data);
  std::erase_if(tensors, [&](const auto& item) {
    if (parts) return !is_part(item.first);
    return !begins(item.first, tower) && !(head.input == "rows" && begins(item.first, "spaces"));
  });
  tensors[kWeight] = head.weight;
  tensors[kBias] = head.bias;
  return tensors;
}

TensorMap cloned(const TensorMap& tensors) {
  TensorMap copies;
  for (const auto& [name, tensor] : tensors) copies[name] = tensor.detach().clone();
  return copies;
}

TowerHead head_on(const TowerHead& head, torch::Device device) {
  TowerHead own = head;
  own.weight = head.weight.detach().to(device).clone();
  own.bias = head.bias.detach().to(device).clone();
  own.mean = head.mean.to(device);
  if (head.names.classes.defined()) own.names.classes = head.names.classes.to(device);
  return own;
}

// Logits at the scale that tells the labels best.
void calibrate(TowerHead& head, const torch::Tensor& x, const torch::Tensor& labels) {
  const double scale = calibrated_scale(head.logits(x), labels);
  head.weight = head.weight * scale;
  head.bias = head.bias * scale;
  head.names.softness *= scale;
}

// Zero-shot as a head: the same logits.
TowerHead named_head(const AdaptationTask& task) {
  const NameVectors& names = task.name_vectors;
  TowerHead head{.input = "rows",
                 .weight = names.vectors * task.logit_scale,
                 .bias = torch::zeros({task.classes}),
                 .names = {},
                 .mean = torch::zeros({names.vectors.size(1)}),
                 .from = "names"};
  if (names.vectors.size(0) != task.classes) head.names.classes = names.classes;
  return head;
}

// One training with one learning rate.
class Trial {
 public:
  Trial(const AdaptationTask& task, const Part& support, const TowerHead& head, const TuningOptions& options,
        double lr)
      : network_{copy_of(*task.saved->model, task.saved->device), head_on(head, task.saved->device)},
        setting_(task.setting) {
    setting_.model = network_.model.get();
    std::vector<GroupRule> groups = options.prepare(*network_.model);
    GroupRule& of_head = groups.emplace_back();
    of_head.match = {"head"};
    of_head.lr_scale = options.head_pace;
    network_.head.weight.set_requires_grad(true);
    network_.head.bias.set_requires_grad(true);
    NamedTensors parameters;
    for (const auto& item : network_.model->named_parameters())
      parameters.emplace_back(item.key(), item.value());
    parameters.emplace_back(kWeight, network_.head.weight);
    parameters.emplace_back(kBias, network_.head.bias);
    optimizer_.emplace(plan_parameters(parameters, groups, options.weight_decay),
                       AdamWOptions{.lr = lr, .beta2 = 0.999, .eps = 1e-8});
    learning_ = learning(*network_.model, *support.data, network_.head);
  }

  // A few pictures say little of a whole batch's statistics, so that all is as in evaluation, but for what
  // low-rank parts drop.
  void step(const Feed::Step& seen, double share) {
    for_each_linear(*network_.model, [](const std::string&, Linear& map) { map.train(map.has_low_rank()); });
    const torch::Tensor logits = network_.head.logits(head_input(setting_, seen.items, network_.head.input));
    network_.model->eval();
    optimizer_->zero_grad();
    at::cross_entropy_loss(logits, seen.labels.to(logits.device())).backward();
    clip_gradients(optimizer_->trainable(), kClip);
    optimizer_->step(share);
  }

  Verdict judge(const TowerInputs& items, const torch::Tensor& labels) const {
    return verdict_of(setting_, network_, items, labels);
  }
  TensorMap values() const { return cloned(learning_); }

 private:
  TunedNetwork network_;
  EmbedSetting setting_;
  std::optional<AdamW> optimizer_;
  TensorMap learning_;
};

}  // namespace

Verdict verdict_of(const EmbedSetting& setting, const TunedNetwork& network, const TowerInputs& items,
                   const torch::Tensor& labels) {
  const torch::NoGradGuard no_grad;
  EmbedSetting own = setting;
  own.model = network.model.get();
  const TowerHead head = head_on(network.head, torch::kCPU);
  const torch::Tensor logits = head.logits(items.head_inputs(own, head.input));
  return logits.isfinite().all().item<bool>() ? judged(logits, labels) : Verdict();  // diverged
}

torch::Tensor TowerHead::logits(const torch::Tensor& x) const {
  return head_logits((x - mean) / spread, weight, bias, names);
}

namespace {

torch::Tensor frozen(const Part& part, const std::string& input, std::int64_t width) {
  return input == "rows" ? part.rows : part.tower.narrow(1, 0, width);
}

TowerHead ridge_head(const AdaptationTask& task, const Part& support, const Part& validation,
                     const std::string& input) {
  TowerHead head;
  head.input = input;
  head.from = cat("ridge on ", input);
  const std::int64_t width = head_width(*task.saved->model, *support.data, input);
  const torch::Tensor features = frozen(support, input, width), held_out = frozen(validation, input, width);
  head.mean = features.mean(0);
  head.spread = std::max(1e-6, (features - head.mean).square().sum(1).mean().sqrt().item<double>());
  const auto scaled = [&](const torch::Tensor& x) { return (x - head.mean) / head.spread; };
  const RidgeProblem problem(scaled(features), support.labels, task.classes);
  const LinearProbe fitted = problem.fit(choose_alpha(problem, scaled(held_out), validation.labels).alpha);
  head.weight = fitted.weight;
  head.bias = fitted.bias;
  calibrate(head, held_out, validation.labels);
  return head;
}

}  // namespace

TowerHead starting_head(const AdaptationTask& task, const Part& support, const Part& validation) {
  std::vector<TowerHead> heads = {ridge_head(task, support, validation, "tower")};
  if (validation.rows.defined()) heads.push_back(ridge_head(task, support, validation, "rows"));
  if (validation.rows.defined() && task.name_vectors.defined()) {
    heads.push_back(named_head(task));
    calibrate(heads.back(), validation.rows, validation.labels);
  }
  const auto verdict = [&](const TowerHead& head) {
    const std::int64_t width = head_width(*task.saved->model, *support.data, head.input);
    return judged(head.logits(frozen(validation, head.input, width)), validation.labels);
  };
  return *std::ranges::min_element(heads, {},
                                   [&](const TowerHead& head) { return verdict(head).cross_entropy; });
}

Tuned tune_network(const AdaptationTask& task, const Part& support, const Part& validation, std::uint64_t seed,
                   const TowerHead& head, const TuningOptions& options) {
  const std::int64_t steps = steps_of(static_cast<std::int64_t>(support.items.size()), task.epochs);
  Feed feed(task.setting, support, seed_of(seed, "tune"));
  const TowerInputs held_out(task.setting, validation, true);
  Tuned tuned{.head = head, .start = {}, .values = {}, .at_start = {}, .at_best = {}, .steps = steps};
  std::optional<Progress> bar;
  if (task.setting.progress) bar.emplace("training", steps * std::ssize(options.lrs), "steps");
  std::int64_t done = 0;
  for (const double lr : options.lrs) {
    Trial trial(task, support, head, options, lr);
    if (tuned.start.empty()) {
      tuned.start = trial.values();
      tuned.at_start = trial.judge(held_out, validation.labels);
    }
    feed.start(steps);
    for (std::int64_t step = 0; step < steps; ++step) {
      torch::manual_seed(seed_of(seed, "drop", step));  // of the parts' dropout
      trial.step(feed.next(step), lr_share(kSchedule, step, steps));
      if (bar) bar->update(++done, cat("learning rate ", lr));
      if ((step + 1) * kMoments / steps == step * kMoments / steps) continue;
      const Verdict now = trial.judge(held_out, validation.labels);
      if (!now.better_than(tuned.at_best)) continue;
      tuned.at_best = now;
      tuned.values = trial.values();
      tuned.lr = lr;
      tuned.step = step + 1;
    }
  }
  if (tuned.values.empty()) tuned.values = tuned.start;  // all diverged
  return tuned;
}

nlohmann::json chosen_of(const Tuned& tuned, bool kept) {
  return {{"start", tuned.head.from},
          {"lr", kept ? tuned.lr : 0},
          {"step", kept ? tuned.step : 0},
          {"steps", tuned.steps}};
}

TunedNetwork network_of(const AdaptationTask& task, const TowerHead& head, const TensorMap& values,
                        const TuningOptions& options) {
  TunedNetwork network{copy_of(*task.saved->model, task.saved->device), head_on(head, torch::kCPU)};
  options.prepare(*network.model);
  for (const auto& parameter : network.model->parameters()) parameter.set_requires_grad(false);
  network.model->eval();
  set_values(network, values);
  return network;
}

void set_values(TunedNetwork& network, const TensorMap& values) {
  TensorMap target = tensors_of(*network.model);
  std::erase_if(target, [&values](const auto& item) { return !values.contains(item.first); });
  target[kWeight] = network.head.weight;
  target[kBias] = network.head.bias;
  copy_into(target, values, "tuned values");
}

Way best_way(TunedNetwork& network, const TensorMap& start, const TensorMap& end, const AdaptationTask& task,
             const Part& validation) {
  const TowerInputs held_out(task.setting, validation, true);
  Way way;
  Verdict best;
  for (int i = 0; i <= kAlphas; ++i) {
    const double alpha = static_cast<double>(i) / kAlphas;
    set_values(network, interpolated(start, end, alpha));
    const Verdict now = verdict_of(task.setting, network, held_out, validation.labels);
    way.curve.emplace_back(alpha, now.accuracy);
    if (i == 0 || now.better_than(best)) best = now, way.alpha = alpha;
  }
  set_values(network, interpolated(start, end, way.alpha));
  return way;
}

std::unique_ptr<Classifier> classifier_of(const AdaptationTask& task, const TunedNetwork& network,
                                          TensorMap low_rank) {
  merge_low_rank(*network.model);
  const TowerHead& head = network.head;
  const torch::Tensor weight = head.weight / head.spread;
  const bool several = head.names.classes.defined();  // of the names of a class: then the mean is 0
  return network_classifier({.model = network.model,
                             .weight = weight,
                             .bias = several ? head.bias : head.bias - weight.matmul(head.mean),
                             .names = head.names,
                             .input = head.input,
                             .low_rank = std::move(low_rank)},
                            task);
}

TensorMap interpolated(const TensorMap& start, const TensorMap& end, double alpha) {
  TensorMap between;
  for (const auto& [name, tensor] : start) {
    const torch::Tensor& other = end.at(name);
    between[name] = tensor.is_floating_point() ? at::lerp(tensor, other, alpha) : other.clone();
  }
  return between;
}

}  // namespace duet
