#include "evaluation/zero_shot.h"

#include <ATen/ops/bincount.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "core/checksum.h"
#include "core/error.h"
#include "core/format.h"
#include "core/progress.h"
#include "evaluation/tensor_cache.h"

namespace duet {
namespace {

torch::Tensor unit_rows(const torch::Tensor& rows) { return rows / rows.norm(2, {1}, true).clamp_min(1e-12); }

// What the vectors follow from. Each text after its length: no two lists are written alike.
std::string cache_key(const EmbedSetting& setting, const SavedModel& saved,
                      const std::vector<ClassNames>& classes, const std::vector<std::string>& templates) {
  std::string key = cat("name vectors 1\n", saved.identity, "\n", setting.device.str(), "\n");
  const auto add = [&](const std::vector<std::string>& texts) {
    key += cat(texts.size(), "\n");
    for (const std::string& text : texts) key += cat(text.size(), " ", text, "\n");
  };
  add(templates);
  for (const ClassNames& one : classes) add(one.names);
  return checksum(key);
}

constexpr const char *kVectors = "vectors", *kClasses = "classes", *kPlaces = "places";  // among all names

// Where a caption is but the sum of its pieces, a name may have no direction at all.
TensorMap with_directions(const torch::Tensor& vectors, const torch::Tensor& class_of,
                          const std::vector<ClassNames>& classes) {
  const torch::Tensor kept = vectors.ne(0).any(1).nonzero().squeeze(1);
  TensorMap found{
      {kVectors, vectors.index_select(0, kept)}, {kClasses, class_of.index_select(0, kept)}, {kPlaces, kept}};
  const torch::Tensor counts = at::bincount(found[kClasses], {}, static_cast<std::int64_t>(classes.size()));
  for (std::size_t c = 0; c < classes.size(); ++c) {
    if (counts[static_cast<std::int64_t>(c)].item<std::int64_t>() > 0) continue;
    fail(Exit::data, cat("class '", classes[c].label, "'"),
         cat("the model knows nothing of its name", classes[c].names.size() > 1 ? "s" : "", " '",
             joined(classes[c].names, "', '"), "'"),
         "name it with words of the captions that it learned from");
  }
  return found;
}

TensorMap embedded(const EmbedSetting& setting, const std::vector<ClassNames>& classes,
                   const std::vector<std::string>& templates) {
  std::vector<std::string> texts;
  std::vector<std::int64_t> owners, class_of;  // the name of each text, the class of each name
  for (std::size_t c = 0; c < classes.size(); ++c) {
    for (const std::string& name : classes[c].names) {
      for (const std::string& text : templates) {
        texts.push_back(filled(text, name));
        owners.push_back(std::ssize(class_of));
      }
      class_of.push_back(static_cast<std::int64_t>(c));
    }
  }
  const auto count = static_cast<std::int64_t>(texts.size()), step = 16 * setting.batch;
  std::optional<Progress> bar;
  if (setting.progress && count > step) bar.emplace("embedding class names", count, "texts");
  const bool alone = setting.model->retrieval_dimension() == 0;
  const std::int64_t width = alone ? setting.model->text->width() : setting.model->retrieval_dimension();
  auto sums = torch::zeros({std::ssize(class_of), width}, torch::kDouble);
  for (std::int64_t begin = 0; begin < count; begin += step) {
    const std::int64_t end = std::min(count, begin + step);
    const std::vector<std::string> part(texts.begin() + begin, texts.begin() + end);
    const torch::Tensor rows = alone ? text_features(setting, part) : embed_texts(setting, part);
    sums.index_add_(0, torch::tensor(owners).slice(0, begin, end), unit_rows(rows.to(torch::kDouble)));
    if (bar) bar->update(end);
  }
  return with_directions(unit_rows(sums).to(torch::kFloat), torch::tensor(class_of, torch::kLong), classes);
}

NameVectors named(const TensorMap& found, const std::vector<ClassNames>& classes) {
  std::vector<std::string> all;
  for (const ClassNames& one : classes) all.insert(all.end(), one.names.begin(), one.names.end());
  NameVectors names{found.at(kVectors), found.at(kClasses)};
  const torch::Tensor& places = found.at(kPlaces);
  for (std::int64_t i = 0; i < places.size(0); ++i)
    names.names.push_back(all.at(static_cast<std::size_t>(places[i].item<std::int64_t>())));
  return names;
}

}  // namespace

std::int64_t NameVectors::class_count() const { return classes[-1].item<std::int64_t>() + 1; }

NameVectors name_vectors(const EmbedSetting& setting, const SavedModel& saved,
                         const std::vector<ClassNames>& classes, const std::vector<std::string>& templates,
                         const fs::path& cache) {
  const std::vector<ClassNames> telling = telling_names(setting, classes);
  warn_of_names_alike(setting, telling, templates);
  fs::path file;
  if (!cache.empty()) {
    file = cache / cat("classes-", cache_key(setting, saved, telling, templates), ".safetensors");
    const auto kept = read_cached(file);
    if (kept && kept->contains(kVectors) && kept->contains(kClasses) && kept->contains(kPlaces))
      return named(*kept, telling);
  }
  const TensorMap found = embedded(setting, telling, templates);
  if (!cache.empty()) write_cached(file, found);
  return named(found, telling);
}

NameVectors one_name_each(const torch::Tensor& class_vectors) {
  return {class_vectors, torch::arange(class_vectors.size(0), torch::kLong)};
}

torch::Tensor rows_beside_names(const torch::Tensor& tower, const torch::Tensor& rows) {
  return rows.defined() ? rows : unit_rows(tower);
}

torch::Tensor name_logits(const torch::Tensor& rows, const NameVectors& names, double scale) {
  const auto said = rows.matmul(names.vectors.t()) * scale;  // [n, M]
  const std::int64_t classes = names.class_count();
  if (classes == names.classes.size(0)) return said;
  const auto class_of = names.classes.expand_as(said);
  // From the likeliest name of each class on: exp of a logit of 100 is too much for a float.
  const auto most =
      torch::full({said.size(0), classes}, -std::numeric_limits<float>::infinity(), said.options())
          .scatter_reduce(1, class_of, said.detach(), "amax");
  const auto sums = torch::zeros_like(most).scatter_add(1, class_of, (said - most.gather(1, class_of)).exp());
  return most + (sums / at::bincount(names.classes)).log();
}

torch::Tensor class_vectors(const NameVectors& names) {
  const std::int64_t classes = names.class_count();
  if (classes == names.classes.size(0)) return names.vectors;
  const auto sums = torch::zeros({classes, names.vectors.size(1)}, torch::kDouble)
                        .index_add_(0, names.classes, names.vectors.to(torch::kDouble));
  return unit_rows(sums).to(torch::kFloat);
}

double logit_scale_of(Model& model) {
  constexpr double kInitial = 1 / 0.07;  // CLIP's, where no space has one
  const std::vector<double> weights = model.weights();
  double sum = 0, weight = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const torch::Tensor& scale = model.space(model.spec().spaces[i].name).logit_scale;
    if (weights[i] <= 0 || !scale.defined()) continue;
    sum += weights[i] * std::exp(scale.item<double>());
    weight += weights[i];
  }
  return weight > 0 ? sum / weight : kInitial;
}

namespace {

// The scale at which logits are nearest to targets of 1 - doubt for the label, the rest shared. The mean cross
// entropy to targets is convex in t, with the derivative mean(sum p l - sum target l) and the second one
// mean(var_p l): Newton's steps, inside a bracket that each of them narrows.
double scale_for(const torch::Tensor& logits, const torch::Tensor& labels, double doubt) {
  TORCH_CHECK(logits.dim() == 2 && labels.dim() == 1 && logits.size(0) == labels.size(0),
              "logits [N, C] and labels [N]");
  const auto values = logits.to(torch::kDouble);
  if (values.size(0) == 0) return 1;
  const auto spread = (values.amax(1) - values.amin(1)).mean().item<double>();
  if (!(spread > 0)) return 1;
  const auto own = values.gather(1, labels.unsqueeze(1)).squeeze(1);
  const auto others = (values.sum(1) - own) / std::max<double>(1, static_cast<double>(values.size(1) - 1));
  const auto said = own * (1 - doubt) + others * doubt;
  // Where most are wrong there is no best one: as flat as makes a difference.
  double low = 1e-3 / spread, high = 1e3 / spread, scale = std::clamp(1.0, low, high);
  for (int step = 0; step < 200 && high / low > 1 + 1e-12; ++step) {
    const auto p = (values * scale).softmax(1);
    const auto mean = (p * values).sum(1);
    const auto slope = (mean - said).mean().item<double>();
    const auto curve = ((p * values.square()).sum(1) - mean.square()).mean().item<double>();
    (slope > 0 ? high : low) = scale;
    double next = scale - slope / curve;
    if (!(next > low && next < high)) next = std::sqrt(low * high);
    if (std::abs(next - scale) <= 1e-12 * scale) break;
    scale = next;
  }
  return scale;
}

}  // namespace

double best_scale(const torch::Tensor& logits, const torch::Tensor& labels) {
  return scale_for(logits, labels, 0);
}

// The label's target is no 1, or logits that tell all n items would be scaled without end.
double calibrated_scale(const torch::Tensor& logits, const torch::Tensor& labels) {
  return scale_for(logits, labels, 1 / (static_cast<double>(labels.size(0)) + 2));
}

}  // namespace duet
