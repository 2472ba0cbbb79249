#include "adaptation/classifiers.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/diff.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/logical_or.h>
#include <ATen/ops/relu.h>

#include "adaptation/smoothed_classifier.h"
#include "core/error.h"
#include "core/format.h"
#include "encoders/blocks.h"

namespace duet {
namespace {

torch::Tensor kept(const torch::Tensor& tensor) {
  return tensor.defined() ? tensor.detach().to(torch::kCPU, torch::kFloat).contiguous() : tensor;
}

class LinearClassifier : public Classifier {
 public:
  explicit LinearClassifier(LinearMap map)
      : map_{.weight = kept(map.weight), .bias = kept(map.bias), .input = std::move(map.input)} {}

  torch::Tensor logits(const Part& items) const override {
    const torch::NoGradGuard no_grad;
    return at::linear(input_of(items, map_.input), map_.weight, map_.bias);
  }
  std::string_view kind() const override { return "linear"; }
  nlohmann::json facts() const override { return {{"input", map_.input}}; }
  TensorMap tensors() const override { return {{"weight", map_.weight}, {"bias", map_.bias}}; }

 private:
  LinearMap map_;
};

constexpr const char *kNames = "names", *kNameClasses = "name_classes";

NameVectors kept(const NameVectors& names) {
  if (!names.defined()) return {};
  return {kept(names.vectors), names.classes.to(torch::kCPU, torch::kLong).contiguous()};
}

class NamesClassifier : public Classifier {
 public:
  NamesClassifier(const NameVectors& names, double logit_scale)
      : names_(kept(names)), logit_scale_(logit_scale) {}

  torch::Tensor logits(const Part& items) const override {
    const torch::NoGradGuard no_grad;
    return name_logits(input_of(items, "rows"), names_, logit_scale_);
  }
  std::string_view kind() const override { return "names"; }
  nlohmann::json facts() const override { return {{"logit_scale", logit_scale_}}; }
  TensorMap tensors() const override { return {{kNames, names_.vectors}, {kNameClasses, names_.classes}}; }

 private:
  NameVectors names_;
  double logit_scale_;
};

void add_names(TensorMap& tensors, const NameVectors& names) {
  tensors[kNames] = names.vectors;
  tensors[kNameClasses] = names.classes;
}

class BlendClassifier : public Classifier {
 public:
  explicit BlendClassifier(NamesBlend blend) : blend_(std::move(blend)), map_(blend_.map) {
    blend_.alpha = kept(blend_.alpha);
    blend_.names = kept(blend_.names);
  }

  torch::Tensor logits(const Part& items) const override {
    const torch::NoGradGuard no_grad;
    return map_.logits(items) +
           name_logits(input_of(items, "rows"), blend_.names, blend_.logit_scale) * blend_.alpha;
  }
  std::string_view kind() const override { return "blend"; }
  nlohmann::json facts() const override {
    nlohmann::json facts = map_.facts();
    facts["logit_scale"] = blend_.logit_scale;
    return facts;
  }
  TensorMap tensors() const override {
    TensorMap tensors = map_.tensors();
    tensors["alpha"] = blend_.alpha;
    add_names(tensors, blend_.names);
    return tensors;
  }

 private:
  NamesBlend blend_;
  LinearClassifier map_;
};

class CacheClassifier : public Classifier {
 public:
  explicit CacheClassifier(KeyCache cache) : cache_(std::move(cache)) {
    cache_.keys = kept(cache_.keys);
    cache_.values = kept(cache_.values);
    cache_.names = kept(cache_.names);
  }

  torch::Tensor logits(const Part& items) const override {
    const torch::NoGradGuard no_grad;
    constexpr std::int64_t kBlock = 1024;  // not all items times all keys at once
    std::vector<torch::Tensor> blocks;
    for (const torch::Tensor& rows : unit_input_of(items, cache_.input).split(kBlock))
      blocks.push_back(logits_of(cache_, rows));
    return torch::cat(blocks);
  }
  std::string_view kind() const override { return "cache"; }
  nlohmann::json facts() const override {
    return {{"logit_scale", cache_.logit_scale},
            {"alpha", cache_.alpha},
            {"beta", cache_.beta},
            {"input", cache_.input}};
  }
  TensorMap tensors() const override {
    TensorMap tensors{{"keys", cache_.keys}, {"values", cache_.values}};
    if (cache_.names.defined()) add_names(tensors, cache_.names);
    return tensors;
  }

 private:
  KeyCache cache_;
};

class AdapterClassifier : public Classifier {
 public:
  explicit AdapterClassifier(FeatureAdapter adapter) : adapter_(std::move(adapter)) {
    adapter_.down = kept(adapter_.down);
    adapter_.up = kept(adapter_.up);
    adapter_.names = kept(adapter_.names);
  }

  torch::Tensor logits(const Part& items) const override {
    const torch::NoGradGuard no_grad;
    return logits_of(adapter_, input_of(items, "rows"));
  }
  std::string_view kind() const override { return "adapter"; }
  nlohmann::json facts() const override {
    return {{"logit_scale", adapter_.logit_scale}, {"ratio", adapter_.ratio}};
  }
  TensorMap tensors() const override {
    TensorMap tensors{{"down", adapter_.down}, {"up", adapter_.up}};
    add_names(tensors, adapter_.names);
    return tensors;
  }

 private:
  FeatureAdapter adapter_;
};

// What a file says a classifier is: read with a word on what is wrong.
class Saved {
 public:
  Saved(const nlohmann::json& facts, const TensorMap& tensors, std::string_view where)
      : facts_(facts), tensors_(tensors), where_(where) {}

  // [rows, columns] of a matrix, [rows] with columns = 0; a negative size: any.
  torch::Tensor tensor(const std::string& name, std::int64_t rows, std::int64_t columns) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) wrong(cat("has no tensor '", name, "'"));
    const torch::Tensor& tensor = found->second;
    const std::int64_t dimensions = columns == 0 ? 1 : 2;
    const bool fits = tensor.dim() == dimensions && (rows < 0 || tensor.size(0) == rows) &&
                      (columns <= 0 || tensor.size(1) == columns);
    if (!fits) wrong(cat("tensor '", name, "' is ", tensor.sizes(), ", which does not fit the others"));
    return tensor;
  }
  bool has(const std::string& name) const { return tensors_.contains(name); }

  double number(const std::string& name) const {
    if (!facts_.is_object() || !facts_.contains(name) || !facts_[name].is_number())
      wrong(cat("does not say its '", name, "'"));
    return facts_[name].get<double>();
  }
  std::string input(std::initializer_list<std::string_view> allowed) const {
    const bool has_text = facts_.is_object() && facts_.contains("input") && facts_["input"].is_string();
    const std::string input = has_text ? facts_["input"].get<std::string>() : "";
    if (std::find(allowed.begin(), allowed.end(), input) == allowed.end())
      wrong(cat("reads '", input, "', which is no kind of feature"));
    return input;
  }

  // Kind and facts of the classifier that this one builds on.
  std::pair<std::string, nlohmann::json> inner() const {
    const nlohmann::json of = facts_.is_object() ? facts_.value("of", nlohmann::json()) : nlohmann::json();
    const bool is_whole = of.is_object() && of.contains("kind") && of["kind"].is_string() &&
                          of["kind"] != "smoothed" && of.contains("classifier");
    if (!is_whole) wrong("does not say what it builds on");
    return {of["kind"].get<std::string>(), of["classifier"]};
  }
  std::string_view where() const { return where_; }

  [[noreturn]] void wrong(std::string_view what) const {
    fail(Exit::artifact, where_, what, "it is damaged, or was written by a newer version; adapt again");
  }

 private:
  const nlohmann::json& facts_;
  const TensorMap& tensors_;
  std::string_view where_;
};

LinearMap saved_map(const Saved& saved) {
  const auto weight = saved.tensor("weight", -1, -1);
  return {.weight = weight,
          .bias = saved.tensor("bias", weight.size(0), 0),
          .input = saved.input({"tower", "rows", "both"})};
}

// `classes` and `width` negative: any.
NameVectors saved_names(const Saved& saved, std::int64_t classes, std::int64_t width) {
  const auto vectors = saved.tensor(kNames, -1, width);
  const NameVectors names{vectors, saved.tensor(kNameClasses, vectors.size(0), 0)};
  if (!are_ordered(names.classes) || (classes >= 0 && names.class_count() != classes))
    saved.wrong(cat("tensor '", kNameClasses, "' is no list of the classes in their order"));
  return names;
}

std::unique_ptr<Classifier> saved_blend(const Saved& saved) {
  LinearMap map = saved_map(saved);
  const std::int64_t classes = map.weight.size(0);
  return blend_classifier({.map = std::move(map),
                           .alpha = saved.tensor("alpha", classes, 0),
                           .names = saved_names(saved, classes, -1),
                           .logit_scale = saved.number("logit_scale")});
}

std::unique_ptr<Classifier> saved_cache(const Saved& saved) {
  const auto keys = saved.tensor("keys", -1, -1);
  const auto values = saved.tensor("values", keys.size(0), -1);
  NameVectors names;
  if (saved.has(kNames)) names = saved_names(saved, values.size(1), keys.size(1));
  return cache_classifier({.keys = keys,
                           .values = values,
                           .names = std::move(names),
                           .logit_scale = saved.number("logit_scale"),
                           .alpha = saved.number("alpha"),
                           .beta = saved.number("beta"),
                           .input = saved.input({"rows", "tower"})});
}

std::unique_ptr<Classifier> saved_adapter(const Saved& saved) {
  const auto down = saved.tensor("down", -1, -1);
  return adapter_classifier({.down = down,
                             .up = saved.tensor("up", down.size(1), down.size(0)),
                             .names = saved_names(saved, -1, down.size(1)),
                             .logit_scale = saved.number("logit_scale"),
                             .ratio = saved.number("ratio")});
}

std::unique_ptr<Classifier> saved_smoothed(const Saved& saved, const TensorMap& tensors) {
  const auto [kind, facts] = saved.inner();
  Smoothing smoothing{.scale = saved.number("scale"),
                      .strength = saved.number("strength"),
                      .neighbours = static_cast<std::int64_t>(saved.number("neighbours")),
                      .input = saved.input({"rows", "tower"})};
  if (smoothing.neighbours < 1) saved.wrong("has no neighbours");
  return smoothed_classifier(make_classifier(kind, facts, tensors, saved.where()), std::move(smoothing));
}

}  // namespace

torch::Tensor input_of(const Part& items, std::string_view input) {
  TORCH_CHECK(input == "tower" || input == "rows" || input == "both", "no kind of feature: ", input);
  if (input != "tower" && !items.rows.defined()) {
    fail(Exit::usage, "classifier", "it reads rows of the retrieval embedding, and the model has none",
         "use a model with both towers, or a method that reads the tower's features");
  }
  if (input == "rows") return items.rows;
  return input == "tower" ? items.tower : at::cat({items.tower, items.rows}, 1);
}

torch::Tensor unit_input_of(const Part& items, std::string_view input) {
  return input == "tower" ? unit(items.tower) : input_of(items, input);
}

std::unique_ptr<Classifier> linear_classifier(LinearMap map) {
  TORCH_CHECK(map.weight.dim() == 2 && map.bias.dim() == 1 && map.bias.size(0) == map.weight.size(0),
              "a linear map has weight [C, width] and bias [C]");
  return std::make_unique<LinearClassifier>(std::move(map));
}

std::unique_ptr<Classifier> blend_classifier(NamesBlend blend) {
  TORCH_CHECK(blend.alpha.dim() == 1 && blend.names.class_count() == blend.alpha.size(0),
              "a blend has alpha [C] and names of C classes");
  return std::make_unique<BlendClassifier>(std::move(blend));
}

std::unique_ptr<Classifier> names_classifier(const NameVectors& names, double logit_scale) {
  TORCH_CHECK(names.defined(), "zero-shot needs the classes' names");
  return std::make_unique<NamesClassifier>(names, logit_scale);
}

bool are_ordered(const torch::Tensor& classes) {
  const bool is_list = classes.dim() == 1 && classes.scalar_type() == torch::kLong && classes.size(0) > 0 &&
                       classes[0].item<std::int64_t>() == 0;
  if (!is_list) return false;
  const auto steps = classes.diff();
  return at::logical_or(steps.eq(0), steps.eq(1)).all().item<bool>();
}

std::unique_ptr<Classifier> zero_shot_classifier(const AdaptationTask& task) {
  return names_classifier(task.name_vectors, task.logit_scale);
}

std::unique_ptr<Classifier> cache_classifier(KeyCache cache) {
  TORCH_CHECK(cache.keys.dim() == 2 && cache.values.dim() == 2 && cache.values.size(0) == cache.keys.size(0),
              "a cache has keys [k, D] and values [k, C]");
  return std::make_unique<CacheClassifier>(std::move(cache));
}

torch::Tensor logits_of(const KeyCache& cache, const torch::Tensor& rows) {
  const auto affinity = at::exp(cache.beta * (rows.matmul(cache.keys.t()) - 1));  // [n, k]
  const auto votes = affinity.matmul(cache.values) * cache.alpha;
  if (!cache.names.defined()) return votes;
  return votes + name_logits(rows, cache.names, cache.logit_scale);
}

std::unique_ptr<Classifier> adapter_classifier(FeatureAdapter adapter) {
  TORCH_CHECK(adapter.down.dim() == 2 && adapter.up.dim() == 2 && adapter.names.defined(),
              "an adapter has down [H, D], up [D, H] and names");
  return std::make_unique<AdapterClassifier>(std::move(adapter));
}

torch::Tensor logits_of(const FeatureAdapter& adapter, const torch::Tensor& rows) {
  const auto told = at::relu(at::linear(at::relu(at::linear(rows, adapter.down)), adapter.up));
  const auto mixed = unit(adapter.ratio * told + (1 - adapter.ratio) * rows);
  return name_logits(mixed, adapter.names, adapter.logit_scale);
}

std::unique_ptr<Classifier> make_classifier(std::string_view kind, const nlohmann::json& facts,
                                            const TensorMap& tensors, std::string_view where) {
  const Saved saved(facts, tensors, where);
  if (kind == "linear") return linear_classifier(saved_map(saved));
  if (kind == "names") return names_classifier(saved_names(saved, -1, -1), saved.number("logit_scale"));
  if (kind == "blend") return saved_blend(saved);
  if (kind == "cache") return saved_cache(saved);
  if (kind == "adapter") return saved_adapter(saved);
  if (kind == "smoothed") return saved_smoothed(saved, tensors);
  saved.wrong(cat("is of an unknown kind, '", kind, "'"));
}

}  // namespace duet
