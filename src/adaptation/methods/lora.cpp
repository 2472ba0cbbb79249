// Low-rank parts on the linear maps of the tower that sees the items (LoRA, Hu et al. 2022; for few shots
// CLIP-LoRA, Zanella and Ben Ayed 2024, whose dropout and lower rate these are), and a head; of this change a
// share that validation chooses (WiSE-FT, Wortsman et al. 2022).
#include "adaptation/methods/kinds.h"
#include "adaptation/network_training.h"
#include "core/error.h"
#include "core/format.h"
#include "core/random.h"
#include "encoders/low_rank.h"

namespace duet {
namespace {

constexpr std::int64_t kRank = 8;
constexpr double kDropout = 0.25;
const std::vector<double> kRates = {2e-4, 1e-3};
constexpr double kHeadPace = 10;

// A rule a map: one rank would be too much for a narrow one.
std::vector<GroupRule> rules_of(Model& model, std::string_view tower) {
  std::vector<GroupRule> rules;
  for_each_linear(model, [&](const std::string& name, Linear& map) {
    if (!name.starts_with(cat(tower, "."))) return;
    const std::int64_t rank = std::min({kRank, map.weight.size(0), map.weight.size(1)});
    GroupRule rule;
    rule.match = {name + ".weight"};
    rule.low_rank = LowRank{.rank = rank, .alpha = static_cast<double>(rank), .dropout = kDropout};
    rules.push_back(std::move(rule));
  });
  return rules;
}

TensorMap parts_of(const TensorMap& values) {
  TensorMap parts = values;
  std::erase_if(parts, [](const auto& item) { return item.first.starts_with("head."); });
  return parts;
}

// At the start B is 0, so that its A may be any. With that of the end, what is between the two is a share of
// the change B A.
TensorMap start_beside(TensorMap start, const TensorMap& end) {
  for (auto& [name, tensor] : start) {
    if (name.ends_with(".lora_a")) tensor = end.at(name);
  }
  return start;
}

}  // namespace

Adapted fit_lora(const AdaptationTask& task, const Part& support, const Part& validation, std::uint64_t seed) {
  const std::string_view tower = tower_of(*support.data);
  if (rules_of(*task.saved->model, tower).empty()) {
    fail(Exit::usage, "lora", cat("the ", tower, " tower has no linear map for a low-rank part"),
         "leave lora out of --methods; fine_tune changes any tower");
  }
  const TuningOptions options{.lrs = kRates, .head_pace = kHeadPace, .prepare = [&](Model& model) {
                                for (const auto& parameter : model.parameters())
                                  parameter.set_requires_grad(false);
                                add_low_rank(model, rules_of(model, tower), seed_of(seed, "lora"));
                                return std::vector<GroupRule>();
                              }};
  const TowerHead head = starting_head(task, support, validation);
  const Tuned tuned = tune_network(task, support, validation, seed, head, options);
  const TensorMap start = start_beside(tuned.start, tuned.values);
  TunedNetwork network = network_of(task, head, start, options);
  Way way = best_way(network, start, tuned.values, task, validation);
  nlohmann::json chosen = chosen_of(tuned, way.alpha > 0);
  chosen["alpha"] = way.alpha;
  return {.classifier = classifier_of(task, network, parts_of(interpolated(start, tuned.values, way.alpha))),
          .chosen = std::move(chosen),
          .curve = std::move(way.curve)};
}

}  // namespace duet
