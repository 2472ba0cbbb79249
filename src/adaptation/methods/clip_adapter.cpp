// clip_adapter: a bottleneck of two linear maps changes the rows, a part of them (Gao et al. 2021)
#include "adaptation/classifiers.h"
#include "adaptation/methods/feature_training.h"
#include "adaptation/methods/kinds.h"
#include "core/random.h"
#include "encoders/init.h"

namespace duet {
namespace {

constexpr std::array kRatios{.2, .5, .8};  // how much of the answer is the adapter's
constexpr std::int64_t kReduction = 4;
constexpr std::int64_t kBatch = 256, kSteps = 100;  // about: whole epochs

torch::Tensor drawn(const Init& init, std::string_view name, std::int64_t out, std::int64_t in) {
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  return init.uniform(name, {out, in}, -bound, bound);
}

FeatureAdapter start_of(const AdaptationTask& task, double ratio, std::uint64_t seed) {
  const std::int64_t width = task.name_vectors.vectors.size(1);
  const std::int64_t narrow = std::max<std::int64_t>(1, width / kReduction);
  const Init init(seed, "clip_adapter");
  return {.down = drawn(init, "down", narrow, width),
          .up = drawn(init, "up", width, narrow),
          .names = task.name_vectors,
          .logit_scale = task.logit_scale,
          .ratio = ratio};
}

}  // namespace

Adapted fit_clip_adapter(const AdaptationTask& task, const Part& support, const Part& validation,
                         std::uint64_t seed) {
  const Examples shown{support.rows, support.labels}, asked{validation.rows, validation.labels};
  // With ratio 0 an adapter says nothing: zero-shot is what the others have to beat.
  FeatureAdapter best = start_of(task, 0, seed);
  Verdict verdict = judged(logits_of(best, asked.rows), asked.labels);
  std::int64_t epoch = 0;
  const std::int64_t batches = (shown.rows.size(0) + kBatch - 1) / kBatch;
  const std::int64_t epochs = std::max<std::int64_t>(1, kSteps / batches);
  for (const double ratio : kRatios) {
    FeatureAdapter adapter = start_of(task, ratio, seed);
    const BestEpoch trained =
        train_on_features({adapter.down, adapter.up}, {.lr = 3e-3, .epochs = epochs, .batch = kBatch}, shown,
                          asked, seed_of(seed, "clip_adapter"),
                          [&adapter](const torch::Tensor& rows) { return logits_of(adapter, rows); });
    if (trained.epoch == 0 || !trained.verdict.better_than(verdict)) continue;
    best = adapter;
    verdict = trained.verdict;
    epoch = trained.epoch;
  }
  nlohmann::json chosen{{"ratio", best.ratio}, {"epoch", epoch}};
  return {.classifier = adapter_classifier(std::move(best)), .chosen = std::move(chosen)};
}

}  // namespace duet
