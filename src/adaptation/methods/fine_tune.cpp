// All weights of the tower that sees the items, slower the deeper (layer-wise decay, BEiT, Bao et al. 2022),
// from a head that was fitted first (LP-FT, Kumar et al. 2022); and the same weights drawn back towards where
// they came from (WiSE-FT, Wortsman et al. 2022).
#include <chrono>
#include <memory>
#include <mutex>

#include "adaptation/methods/kinds.h"
#include "adaptation/network_training.h"
#include "core/checksum.h"
#include "core/format.h"

namespace duet {
namespace {

constexpr double kLayerDecay = 0.75;
constexpr double kWeightDecay = 0.05;
const std::vector<double> kRates = {3e-4, 2e-3};

TuningOptions options_of(const Part& support) {
  GroupRule rule;
  rule.match = {std::string(tower_of(*support.data))};
  rule.layer_decay = kLayerDecay;
  return {.lrs = kRates, .weight_decay = kWeightDecay, .prepare = [rule](Model&) { return std::vector{rule}; }};
}

std::string bytes_of(const torch::Tensor& tensor) {
  if (!tensor.defined()) return "none";
  const torch::Tensor plain = tensor.to(torch::kCPU).contiguous();
  return checksum(std::span(static_cast<const std::byte*>(plain.data_ptr()), plain.nbytes()));
}

// Of all that the training follows from.
std::string key_of(const AdaptationTask& task, const Part& support, const Part& validation,
                   std::uint64_t seed) {
  std::string key = cat(task.saved->identity, ' ', seed, ' ', task.epochs, ' ', task.logit_scale, ' ',
                        bytes_of(task.name_vectors.vectors), ' ', bytes_of(task.name_vectors.classes));
  for (const Part* part : {&support, &validation}) {
    key += cat(' ', bytes_of(part->tower), ' ', bytes_of(part->labels));
    for (const std::int64_t row : part->items)
      key += cat(' ', part->data->contents[static_cast<std::size_t>(row)]);
  }
  return key;
}

struct Training {
  std::shared_ptr<const Tuned> tuned;
  double seconds = 0, seconds_before = 0;  // that it took, and before this call
};

// The last training is kept: fine_tune and wise_ft of one split are the same one.
Training train(const AdaptationTask& task, const Part& support, const Part& validation, std::uint64_t seed) {
  using Clock = std::chrono::steady_clock;
  static std::mutex lock;
  static std::string last_key;
  static Training last;
  const std::lock_guard guard(lock);
  Training training = last;
  training.seconds_before = last.seconds;
  if (std::string key = key_of(task, support, validation, seed); !last.tuned || key != last_key) {
    const Clock::time_point start = Clock::now();
    const TowerHead head = starting_head(task, support, validation);
    training = {.tuned = std::make_shared<Tuned>(
                    tune_network(task, support, validation, seed, head, options_of(support)))};
    training.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    last = training;
    last_key = std::move(key);
  }
  return training;
}

}  // namespace

Adapted fit_fine_tune(const AdaptationTask& task, const Part& support, const Part& validation,
                      std::uint64_t seed) {
  const Training training = train(task, support, validation, seed);
  const std::shared_ptr<const Tuned>& tuned = training.tuned;
  const bool kept = tuned->at_best.better_than(tuned->at_start);
  const TensorMap& values = kept ? tuned->values : tuned->start;
  return {.classifier = classifier_of(task, network_of(task, tuned->head, values, options_of(support))),
          .chosen = chosen_of(*tuned, kept),
          .seconds_before = training.seconds_before};
}

Adapted fit_wise_ft(const AdaptationTask& task, const Part& support, const Part& validation,
                    std::uint64_t seed) {
  const Training training = train(task, support, validation, seed);
  const std::shared_ptr<const Tuned>& tuned = training.tuned;
  const TuningOptions options = options_of(support);
  TunedNetwork network = network_of(task, tuned->head, tuned->start, options);
  Way way = best_way(network, tuned->start, tuned->values, task, validation);
  nlohmann::json chosen = chosen_of(*tuned, true);
  chosen["alpha"] = way.alpha;
  return {.classifier = classifier_of(task, network),
          .chosen = std::move(chosen),
          .curve = std::move(way.curve),
          .seconds_before = training.seconds_before};
}

}  // namespace duet
