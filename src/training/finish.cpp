#include "training/finish.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/format.h"
#include "core/log.h"
#include "evaluation/retrieval.h"

namespace duet {
namespace {

// Their features are held in memory, and a linear map from some thousand dimensions gains little from more.
constexpr std::int64_t kRidgePictures = 50'000;

Source evenly_spaced(const Source& source, std::int64_t most) {
  const auto count = static_cast<std::int64_t>(source.pairs.size());
  if (count <= most) return source;
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < most; ++i) rows.push_back(i * count / most);
  return source.subset(rows, source.name);
}

// A validation split whose pictures went through the tower once; spaces and weights are applied again and
// again.
struct Embedded {
  RetrievalTask task;
  torch::Tensor features;  // [pictures, Model::feature_width()]
};

Embedded embed_split(const EmbedSetting& setting, const Source& split) {
  const EmbeddedImages images = embed_images(setting, split, true);
  const std::vector<std::int64_t> good = readable_rows(split, images.bad);
  return {make_task(split.subset(good, split.name)),
          images.features.index_select(0, torch::tensor(good)).to(setting.device)};
}

double mean_reciprocal_rank(const EmbedSetting& setting, const std::vector<Embedded>& splits) {
  torch::NoGradGuard no_grad;
  double sum = 0;
  std::size_t queries = 0;
  for (const Embedded& split : splits) {
    const torch::Tensor images = setting.model->retrieval_of_image_features(split.features).to(torch::kCPU);
    const RetrievalScores scores = rank_pictures(split.task, embed_texts(setting, split.task.queries), images);
    for (const std::int64_t rank : scores.ranks) {
      sum += 1.0 / static_cast<double>(rank);
      ++queries;
    }
  }
  return sum / static_cast<double>(queries);
}

}  // namespace

void fit_ridge_spaces(const EmbedSetting& setting, const Source& train) {
  Model& model = *setting.model;
  std::vector<RidgeSpace*> spaces;
  for (const SpaceSpec& spec : model.spec().spaces) {
    if (auto* ridge = dynamic_cast<RidgeSpace*>(&model.space(spec.name))) spaces.push_back(ridge);
  }
  if (spaces.empty()) return;
  const Source part = evenly_spaced(train, kRidgePictures);
  log_info(cat("solving the ridge space from ", grouped(static_cast<std::int64_t>(part.pairs.size())),
               " training pictures"));
  EmbedSetting shown = setting;
  shown.progress = true;
  const EmbeddedImages images = embed_images(shown, part, true);
  const std::vector<std::int64_t> rows = readable_rows(part, images.bad);
  std::vector<std::vector<std::int64_t>> ids;
  for (const std::int64_t row : rows) {
    ids.emplace_back();
    for (const std::string& caption : part.pairs[static_cast<std::size_t>(row)].captions) {
      const std::vector<std::int64_t> pieces = setting.tokenizer->encode(caption);
      ids.back().insert(ids.back().end(), pieces.begin(), pieces.end());
    }
  }
  const torch::Tensor features = images.features.index_select(0, torch::tensor(rows)).to(setting.device);
  for (RidgeSpace* space : spaces)
    space->fit(space->sees_pixels() ? features : features.narrow(1, 0, model.image->width()), ids);
}

void choose_weights(const EmbedSetting& setting, const std::vector<Source>& validation) {
  Model& model = *setting.model;
  const std::vector<SpaceSpec>& spaces = model.spec().spaces;
  const auto is_auto = [](const SpaceSpec& space) { return space.auto_weight; };
  if (validation.empty() || std::none_of(spaces.begin(), spaces.end(), is_auto)) return;
  std::vector<Embedded> splits;
  std::int64_t queries = 0;
  for (const Source& split : validation) {
    splits.push_back(embed_split(setting, split));
    queries += static_cast<std::int64_t>(splits.back().task.queries.size());
  }
  if (queries < kFewQueries) return;
  // Of a difference of two weights: one query in ten moves by a third.
  const double noise = 0.1 / std::sqrt(static_cast<double>(queries));
  std::vector<double> weights = model.weights();
  for (std::size_t i = 0; i < spaces.size(); ++i) {
    if (!spaces[i].auto_weight) continue;
    const auto score_with = [&](double weight) {
      weights[i] = weight;
      model.set_weights(weights);
      return mean_reciprocal_rank(setting, splits);
    };
    double best_weight = 1, best = score_with(1);
    const double least = best + noise;
    for (const double weight : {0.0, 0.25, 0.5, 1.5, 2.0, 3.0, 5.0}) {
      weights[i] = weight;
      if (std::accumulate(weights.begin(), weights.end(), 0.0) == 0) continue;  // some space has to count
      const double score = score_with(weight);
      if (score > std::max(best, least)) best = score, best_weight = weight;
    }
    weights[i] = best_weight;
    model.set_weights(weights);
    log_info(cat("space ", spaces[i].name, ": weight ", best_weight, ", mean reciprocal rank ", fixed(best, 3),
                 " on validation data"));
  }
}

}  // namespace duet
