#include "adaptation/network_classifier.h"

#include <ATen/ops/linear.h>

#include "adaptation/classifiers.h"
#include "adaptation/tower_input.h"
#include "core/error.h"
#include "core/format.h"
#include "encoders/low_rank.h"
#include "run/checkpoint.h"

namespace duet {
namespace {

constexpr std::string_view kA = ".lora_a", kB = ".lora_b";
constexpr const char *kWeight = "head.weight", *kBias = "head.bias", *kClasses = "head.classes";
constexpr const char* kSoftness = "softness";

class NetworkClassifier : public Classifier {
 public:
  NetworkClassifier(NetworkParts parts, EmbedSetting setting)
      : parts_(std::move(parts)), setting_(std::move(setting)) {
    setting_.model = parts_.model.get();
  }

  torch::Tensor logits(const Part& items) const override {
    if (items.items.empty()) return torch::zeros({0, parts_.bias.size(0)});
    if (const auto width = head_width(*parts_.model, *items.data, parts_.input);
        width != parts_.weight.size(1)) {
      fail(Exit::usage, items.data->source.manifest.string(),
           cat("gives ", width, " numbers an item, the classifier was made for ", parts_.weight.size(1)),
           "give it items like those that it learned from: pictures, texts or pairs of texts");
    }
    const torch::NoGradGuard no_grad;
    const torch::Tensor inputs = TowerInputs(setting_, items, false).head_inputs(setting_, parts_.input);
    return head_logits(inputs, parts_.weight, parts_.bias, parts_.names);
  }

  std::string_view kind() const override { return "network"; }
  nlohmann::json facts() const override {
    nlohmann::json facts{{"input", parts_.input}};
    if (parts_.names.classes.defined()) facts[kSoftness] = parts_.names.softness;
    return facts;
  }
  TensorMap tensors() const override {
    TensorMap tensors = parts_.low_rank.empty() ? tensors_of(*parts_.model) : parts_.low_rank;
    tensors[kWeight] = parts_.weight;
    tensors[kBias] = parts_.bias;
    if (parts_.names.classes.defined()) tensors[kClasses] = parts_.names.classes;
    return tensors;
  }
  const Model& model() const { return *parts_.model; }

 private:
  NetworkParts parts_;
  EmbedSetting setting_;
};

torch::Tensor taken(TensorMap& tensors, const std::string& name, const std::string& whose) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) fail(Exit::artifact, whose, cat("a network classifier without ", name));
  torch::Tensor tensor = found->second;
  tensors.erase(found);
  return tensor;
}

HeadNames taken_names(TensorMap& tensors, const nlohmann::json& facts, const std::string& whose) {
  if (!tensors.contains(kClasses)) return {};
  HeadNames names{.classes = taken(tensors, kClasses, whose), .softness = facts.at(kSoftness).get<double>()};
  if (!are_ordered(names.classes))
    fail(Exit::artifact, whose, cat(kClasses, " is no list of the classes in their order"), "adapt again");
  if (!(names.softness > 0))
    fail(Exit::artifact, whose, cat("its ", kSoftness, " is ", names.softness), "adapt again");
  return names;
}

void check_head(const NetworkParts& parts, const std::string& whose) {
  const torch::Tensor& classes = parts.names.classes;
  const auto rows_fit = [&] {
    const std::int64_t rows = parts.weight.size(0), count = parts.bias.size(0);
    if (!classes.defined()) return rows == count;
    return rows == classes.size(0) && classes[-1].item<std::int64_t>() + 1 == count;
  };
  const bool fits = parts.weight.dim() == 2 && parts.bias.dim() == 1 && rows_fit() &&
                    (parts.input == "tower" || parts.input == "rows");
  if (!fits) fail(Exit::artifact, whose, "the head of a network classifier has no shape that one can have");
}

}  // namespace

torch::Tensor head_logits(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                          const HeadNames& names) {
  if (!names.classes.defined()) return at::linear(x, weight, bias);
  return name_logits(x, {weight, names.classes}, 1 / names.softness) * names.softness + bias;
}

std::unique_ptr<Classifier> network_classifier(NetworkParts parts, const AdaptationTask& task) {
  return std::make_unique<NetworkClassifier>(std::move(parts), task.setting);
}

std::unique_ptr<Classifier> make_network_classifier(const nlohmann::json& facts, const TensorMap& tensors,
                                                    const SavedModel& saved, const EmbedSetting& setting) {
  const std::string whose = cat("a classifier of ", saved.folder.string());
  TensorMap rest = tensors;
  NetworkParts parts{.model = copy_of(*saved.model, saved.device),
                     .weight = taken(rest, kWeight, whose),
                     .bias = taken(rest, kBias, whose),
                     .names = taken_names(rest, facts, whose),
                     .input = facts.value("input", "")};
  check_head(parts, whose);
  if (!rest.empty() && (rest.begin()->first.ends_with(kA) || rest.begin()->first.ends_with(kB))) {
    merge_parts(*parts.model, rest, whose);
    parts.low_rank = std::move(rest);
  } else {
    copy_into(tensors_of(*parts.model), rest, whose);
  }
  return std::make_unique<NetworkClassifier>(std::move(parts), setting);
}

void write_adapted_model(const std::filesystem::path& folder, const Classifier& classifier,
                         const SavedModel& saved) {
  const auto* network = dynamic_cast<const NetworkClassifier*>(&classifier);
  if (!network) {
    fail(Exit::usage, folder.string(),
         cat("a classifier of the kind '", classifier.kind(), "' changed no tower"),
         cat("its model is ", saved.folder.string()));
  }
  if (std::filesystem::exists(folder / "model"))
    fail(Exit::usage, (folder / "model").string(), "is there already", "name another folder");
  CheckpointContent content{.recipe_toml = saved.recipe.toml,
                            .tokenizer_model = saved.tokenizer ? saved.tokenizer->serialized() : std::string(),
                            .tensors = {},
                            .facts = {}};
  content.tensors["model"] = tensors_of(network->model());
  content.facts = {{"step", saved.step}, {"steps", saved.step}, {"weights", network->model().weights()}};
  save_model(folder, content);
}

std::shared_ptr<Model> copy_of(const Model& model, torch::Device device) {
  const auto copy = std::make_shared<Model>(model.spec(), model.vocabulary(), 0);
  copy->to(device);
  copy_into(tensors_of(*copy), tensors_of(model), "a copy of the model");
  copy->set_weights(model.weights());
  copy->eval();
  return copy;
}

void merge_parts(Model& model, const TensorMap& parts, const std::string& what) {
  TensorMap wanted;
  for_each_linear(model, [&](const std::string& name, Linear& map) {
    const auto a = parts.find(cat(name, kA));
    if (a == parts.end()) return;
    const std::int64_t rank = a->second.size(0);
    if (rank < 1 || rank > std::min(map.weight.size(0), map.weight.size(1)))
      fail(Exit::artifact, what, cat(name, kA, " has a rank of ", rank));
    map.add_low_rank(Init(0, name), {.rank = rank, .alpha = static_cast<double>(rank)});
    for (const std::string_view end : {kA, kB})
      wanted[cat(name, end)] = *map.named_parameters(false).find(std::string(end.substr(1)));
  });
  copy_into(wanted, parts, what);
  merge_low_rank(model);
}

}  // namespace duet
