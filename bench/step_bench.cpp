// Pairs per second of training steps, and pictures and texts per second of embedding, on fixed tensors: what
// the towers and the optimiser cost without a loader.  step_bench RECIPE [batch] [steps] [caption tokens]
// [key=value ...]
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "core/config.h"
#include "losses/objective.h"
#include "optim/optimizer.h"
#include "run/recipe.h"
#include "tensors/device.h"

namespace duet {
namespace {

using Clock = std::chrono::steady_clock;

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
  const auto start = Clock::now();
  for (int i = 0; i < repeats; ++i) work();
  return static_cast<double>(items) * repeats / std::chrono::duration<double>(Clock::now() - start).count();
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
  torch::manual_seed(0);
  const Batch batch = random_batch(recipe, vocabulary, size, tokens);
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    Model model(recipe.model, vocabulary, recipe.seed);
    NamedTensors parameters;
    for (const auto& item : model.named_parameters()) parameters.emplace_back(item.key(), item.value());
    CorpusStatistics statistics{.captions = 1,
                                .counts = torch::ones(vocabulary, torch::kInt64),
                                .document_frequency = torch::ones(vocabulary, torch::kInt64)};
    model.prepare_for_corpus(statistics.counts > 0, statistics.idf());
    std::vector<std::shared_ptr<Objective>> objectives;
    for (const ObjectiveSpec& spec : recipe.objectives) {
      objectives.push_back(spec.make({.model = &model,
                                      .tokenizer = nullptr,
                                      .statistics = &statistics,
                                      .steps = 1000,
                                      .init = Init(1) / spec.name}));
    }
    const OptimizerOptions& options = recipe.train.optimizer;
    AdamW optimizer(plan_parameters(parameters, options.groups, options.adamw.weight_decay), options.adamw);
    Ema average(parameters, 0.99);
    const double training = per_second(size, steps, [&] {
      EncodedBatch encoded(model, batch, {.precision = precision, .keep_tokens = false});
      torch::Tensor loss = torch::zeros({});
      for (const auto& objective : objectives)
        loss = loss + objective->compute(encoded, {.step = 1, .steps = 1000}).loss;
      optimizer.zero_grad();
      loss.backward();
      clip_gradients(optimizer.trainable(), options.clip);
      optimizer.step(1e-3);
      model.clamp_logit_scales();
      if (options.ema > 0) average.update(1);
    });
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
  if (argc < 2) {
    std::fprintf(stderr, "step_bench RECIPE [batch] [steps] [caption tokens] [key=value ...]\n");
    return 2;
  }
  try {
    duet::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
