// coop: the words before a class's name are learned vectors, shared by all classes or each class's own (CoOp,
// Zhou et al. 2022, section 3.2: unified and class-specific context)
#include "adaptation/classifiers.h"
#include "adaptation/methods/feature_training.h"
#include "adaptation/methods/kinds.h"
#include "adaptation/methods/prompts.h"
#include "core/random.h"
#include "encoders/init.h"
#include "losses/functional.h"
#include "optim/adamw.h"
#include "optim/schedule.h"

namespace duet {
namespace {

constexpr std::int64_t kWords = 4;      // context vectors that are drawn
constexpr std::int64_t kMostWords = 8;  // of a template
constexpr double kStd = .02;
// Few steps of the whole support, by AdamW, in place of the paper's many of small batches by SGD.
constexpr std::int64_t kEpochs = 40, kPatience = 10;
constexpr double kRate = 1e-2;

// Ids of what stands before {} in the first template where something does ("a photo of a {}"); empty: none.
std::vector<std::int64_t> template_words(const AdaptationTask& task, std::int64_t most) {
  for (const std::string& text : task.templates) {
    std::vector<std::int64_t> words = task.setting.tokenizer->encode(text.substr(0, text.find("{}")));
    if (words.empty() || static_cast<std::int64_t>(words.size()) > most) continue;
    return words;
  }
  return {};
}

struct Context {
  std::vector<std::int64_t> words;
  bool drawn = false;  // the words only hold the places
};

Context initial_context(const AdaptationTask& task) {
  const TextFormat& format = task.setting.text_format;
  // A name keeps at least half of what the specials leave.
  const std::int64_t room =
      std::max<std::int64_t>(1, (format.context - format.bos - format.cls - format.eos) / 2);
  Context context{.words = template_words(task, std::min(kMostWords, room)), .drawn = false};
  if (!context.words.empty()) return context;
  return {.words = std::vector<std::int64_t>(static_cast<std::size_t>(std::min(kWords, room)),
                                             task.setting.tokenizer->id(kMask)),
          .drawn = true};
}

// The context vectors as a change of what the words say (Prompts::name_vectors).
torch::Tensor initial_change(const Prompts& prompts, const Context& context, std::uint64_t seed) {
  const auto words = prompts.word_vectors();
  if (!context.drawn) return torch::zeros_like(words);
  return Init(seed, "coop").normal("context", words.sizes(), kStd).to(words.device()) - words;
}

struct LearnedNames {
  NameVectors names;
  Verdict verdict;
  std::int64_t epoch = 0;  // 0: the names' own
  bool of_each_class = false;
};

// The whole support is one batch: what a step costs is the text tower's pass over the names, whatever the
// number of items.
void learn(const AdaptationTask& task, const Prompts& prompts, torch::Tensor change, const Part& support,
           const Part& validation, LearnedNames& best) {
  const auto logits = [&task](const Part& items, const torch::Tensor& vectors) {
    return name_logits(items.rows, {vectors, task.name_vectors.classes}, task.logit_scale);
  };
  const bool of_each_class = change.dim() == 3;
  change.set_requires_grad(true);
  AdamW optimizer({{.name = "context", .value = change}},
                  {.lr = kRate, .beta1 = .9, .beta2 = .999, .eps = 1e-8});
  std::int64_t last_better = 0;
  Verdict lowest;
  for (std::int64_t epoch = 0; epoch < kEpochs && epoch - last_better <= kPatience; ++epoch) {
    const auto vectors = prompts.name_vectors(change);
    const Verdict now = judged(logits(validation, vectors.detach()), validation.labels);
    if (now.better_than(lowest)) {
      lowest = now;
      last_better = epoch;
    }
    if (now.better_than(best.verdict))
      best = {.names = {vectors.detach(), task.name_vectors.classes},
              .verdict = now,
              .epoch = epoch + 1,
              .of_each_class = of_each_class};
    set_gradients(class_cross_entropy(logits(support, vectors), support.labels), {change});
    optimizer.step(lr_share({.warmup = 0}, epoch, kEpochs));
  }
}

}  // namespace

Adapted fit_coop(const AdaptationTask& task, const Part& support, const Part& validation, std::uint64_t seed) {
  const Context context = initial_context(task);
  const Prompts prompts(task.setting, prompt_texts(task, context.words), task.name_vectors);
  LearnedNames best{.names = task.name_vectors,
                    .verdict = judged(zero_shot_classifier(task)->logits(validation), validation.labels)};
  if (prompts.can_learn()) {
    const torch::Tensor change = initial_change(prompts, context, seed);
    learn(task, prompts, change.clone(), support, validation, best);
    learn(task, prompts, change.unsqueeze(0).repeat({task.classes, 1, 1}), support, validation, best);
  }
  nlohmann::json chosen{{"epoch", best.epoch}};
  if (best.epoch > 0) chosen["context"] = best.of_each_class ? "of each class" : "of all classes";
  return {.classifier = names_classifier(best.names, task.logit_scale), .chosen = std::move(chosen)};
}

}  // namespace duet
