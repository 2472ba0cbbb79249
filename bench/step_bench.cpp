// Pairs per second of training steps, and pictures and texts per second of embedding, on fixed tensors: what
// the towers and the optimiser cost without a loader. bf16 is measured where the processor is made for it.
//   step_bench RECIPE [batch] [steps] [caption tokens] [key=value ...]
#include <cstdio>
#include <cstdlib>

#include "bench/step.h"
#include "core/config.h"

namespace duet {
namespace {

Batch random_batch(const Recipe& recipe, std::int64_t vocabulary, std::int64_t size, std::int64_t tokens) {
  Batch batch;
  const std::int64_t side = recipe.model.image_size;
  batch.views["main"] = torch::randint(0, 256, {size, side, side, 3}, torch::kUInt8).permute({0, 3, 1, 2});
  batch.tokens = torch::randint(0, vocabulary - kSpecialCount, {size, tokens}, torch::kInt64);
  batch.tokens.select(1, tokens - 1).fill_(vocabulary - kSpecialCount + kEos);
  batch.valid = torch::ones({size, tokens}, torch::kBool);
  batch.image_id = batch.caption_id = batch.concept_id = torch::arange(size);
  batch.rows.resize(static_cast<std::size_t>(size));
  return batch;
}

template <class Work>
double per_second(std::int64_t items, int repeats, const Work& work) {
  work();
  work();
  const Stopwatch watch;
  for (int i = 0; i < repeats; ++i) work();
  return static_cast<double>(items) * repeats / watch.seconds();
}

void run(int argc, char** argv) {
  Config config = Config::read(argv[1]);
  const std::int64_t size = argc > 2 ? std::atoll(argv[2]) : 256;
  const int steps = argc > 3 ? std::atoi(argv[3]) : 5;
  for (int i = 5; i < argc; ++i) config.set(argv[i]);
  const Recipe recipe = read_recipe(config);
  const std::int64_t tokens = argc > 4 ? std::atoll(argv[4]) : recipe.model.text.format.context;
  const int threads = set_compute_threads(0);
  const std::int64_t vocabulary = recipe.tokenizer.vocabulary + kSpecialCount;
  const CorpusStatistics statistics = even_statistics(vocabulary);
  torch::manual_seed(0);
  const Batch batch = random_batch(recipe, vocabulary, size, tokens);
  std::vector<Precision> precisions{Precision::fp32};
  if (choose_precision("auto", torch::kCPU) == Precision::bf16) precisions.push_back(Precision::bf16);
  for (const Precision precision : precisions) {
    Step step(recipe, statistics, precision);
    const double training = per_second(size, steps, [&] { step(batch); });
    Model& model = step.model();
    model.eval();
    torch::NoGradGuard no_grad;
    const double images = per_second(size, steps, [&] {
      model.retrieval_of_image_features(model.image_features(batch.views.at("main"), precision));
    });
    const double texts = per_second(size, steps, [&] {
      const Autocast autocast(precision, torch::kCPU);
      model.text->forward(batch.tokens, batch.valid);
    });
    std::printf(
        "duet %s batch %lld, %lld tokens, %d threads: training %.1f pairs/s, embedding %.1f images/s, %.1f "
        "texts/s\n",
        std::string(name_of(precision)).c_str(), static_cast<long long>(size), static_cast<long long>(tokens),
        threads, training, images, texts);
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace duet

int main(int argc, char** argv) {
  return duet::run_bench(argc, argv, "step_bench RECIPE [batch] [steps] [caption tokens] [key=value ...]",
                         duet::run);
}
