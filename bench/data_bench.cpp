// Training steps on a recipe's own data beside the same steps on one batch that is there already: what reading,
// decoding and augmenting pictures costs a run. The first epoch, which decodes, stands apart from later ones,
// which take pictures from the cache; those alternate with fixed tensors, STEPS steps each, and the median
// counts.
//   data_bench RECIPE [steps] [rounds] [key=value ...]
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "bench/step.h"
#include "core/config.h"
#include "datasets/pixel_cache.h"
#include "training/finish.h"
#include "training/trainer.h"

namespace duet {
namespace {

void run(int argc, char** argv) {
  Config config = Config::read(argv[1]);
  const std::int64_t steps = argc > 2 ? std::atoll(argv[2]) : 4;
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 11;
  for (int i = 4; i < argc; ++i) config.set(argv[i]);
  const Recipe recipe = read_recipe(config);
  const int threads = set_compute_threads(0);
  const std::int64_t batch = recipe.train.batch;
  const Source source = read_training_data(recipe, "").train;
  const Tokenizer tokenizer = Tokenizer::train(captions_of(source), recipe.tokenizer);
  std::vector<std::int64_t> concepts;
  for (std::size_t row = 0; row < source.pairs.size(); ++row)
    concepts.push_back(source.concept_id(static_cast<std::int64_t>(row)));
  const Sampler sampler(concepts, batch, recipe.train.per_concept, recipe.seed);
  const LoaderSetting setting{.source = &source,
                              .tokenizer = &tokenizer,
                              .text_format = recipe.model.text.format,
                              .captions = recipe.data.captions,
                              .views = recipe.views,
                              .preprocessing = recipe.preprocessing,
                              .cache = make_pixel_cache(source, recipe.preprocessing, recipe.data.loader)};
  const auto load = [&](std::int64_t first, std::int64_t end) {
    return Loader(
        setting, recipe.data.loader, [&](std::int64_t step) { return sampler.rows(step); }, first, end);
  };
  Step step(recipe, count_pieces(tokenizer, captions_of(source), recipe.model.text.format),
            choose_precision(recipe.train.precision, torch::kCPU));
  const auto pairs_per_second = [&](std::int64_t count, const auto& next) {
    const Stopwatch watch;
    for (std::int64_t i = 0; i < count; ++i) step(next());
    return static_cast<double>(count * batch) / watch.seconds();
  };

  const Batch fixed = load(0, 1).next();
  pairs_per_second(3, [&] { return fixed; });
  const double warm = pairs_per_second(steps, [&] { return fixed; });
  const std::int64_t epoch = sampler.steps_per_epoch();
  double first = 0;
  {
    Loader loader = load(0, epoch);
    first = pairs_per_second(epoch, [&] { return loader.next(); });
  }
  std::printf(
      "%d threads, batch %lld, %zu pictures: first epoch %.1f pairs/s, fixed tensors %.1f, ratio %.3f\n",
      threads, static_cast<long long>(batch), source.pairs.size(), first, warm, first / warm);
  // An epoch leaves out the rows that fill no batch.
  for (std::size_t row = 0; setting.cache && row < source.pairs.size(); ++row)
    setting.cache->picture(static_cast<std::int64_t>(row));
  std::vector<double> ratios;
  for (int round = 0; round < rounds; ++round) {
    Loader loader = load(epoch, epoch + steps);
    const double real = pairs_per_second(steps, [&] { return loader.next(); });
    const double still = pairs_per_second(steps, [&] { return fixed; });
    ratios.push_back(real / still);
    std::printf("later epochs %.1f pairs/s, fixed tensors %.1f, ratio %.3f\n", real, still, real / still);
    std::fflush(stdout);
  }
  std::sort(ratios.begin(), ratios.end());
  std::printf("later epochs, median ratio of %d rounds: %.3f\n", rounds, ratios[ratios.size() / 2]);
}

}  // namespace
}  // namespace duet

int main(int argc, char** argv) {
  return duet::run_bench(argc, argv, "data_bench RECIPE [steps] [rounds] [key=value ...]", duet::run);
}
