// Classes by their names: each name in each template is a text, and the name is the mean of their embeddings
// (CLIP, Radford et al. 2021, section 3.1.4: normalise, average, normalise). Several names of a class are
// alternatives: "bird" or "tree" is another thing than what lies between them.
#pragma once
#include <torch/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "evaluation/class_names.h"
#include "evaluation/embed.h"
#include "run/saved_model.h"

namespace duet {

// The names of all classes, class by class: fp32, CPU.
struct NameVectors {
  torch::Tensor vectors;  // [M, D] unit, as rows_beside_names(); undefined: no names
  torch::Tensor classes;  // [M] int64, whose name it is: 0, ... C - 1, ascending, each once or more
  std::vector<std::string> names = {};  // the M names, where name_vectors() made them

  bool defined() const { return vectors.defined(); }
  std::int64_t class_count() const;
};

// A name that is given twice counts once, and one of which the model knows nothing does not count where its
// class has another. Warned of are classes of whose names it knows nothing, and those that it cannot tell
// apart: their names are the same, or so as far as its context goes. A class without any direction is
// Error(data). `cache` as features_of.
NameVectors name_vectors(const EmbedSetting& setting, const SavedModel& saved,
                         const std::vector<ClassNames>& classes, const std::vector<std::string>& templates,
                         const std::filesystem::path& cache);
NameVectors one_name_each(const torch::Tensor& class_vectors);  // [C, D] unit

// What is compared with the names of classes: rows of the retrieval embedding, or where a text tower is alone,
// so that there is none, its features as unit vectors. Features::tower, Features::rows -> [n, D]
torch::Tensor rows_beside_names(const torch::Tensor& tower, const torch::Tensor& rows);

// log(mean over the names of a class of exp(scale * cosine)): softmax over classes then is the probability of
// the class's names together, each class's names sharing one prior. scale * cosine where a class has one name.
torch::Tensor name_logits(const torch::Tensor& rows, const NameVectors& names, double scale);  // [n, C]

// [C, D] unit: the mean of each class's names, for what wants one vector a class.
torch::Tensor class_vectors(const NameVectors& names);

// exp(logit_scale) of the model's spaces, their weighted mean: what makes a cosine of the retrieval embedding a
// logit.
double logit_scale_of(Model& model);

// The scale t > 0 for which softmax(t * logits) tells `labels` best (Guo et al. 2017: temperature scaling),
// each with a probability of (n + 1) / (n + 2), the other classes sharing the rest (Platt 1999): n items, all
// of them right, do not say more.
double calibrated_scale(const torch::Tensor& logits, const torch::Tensor& labels);
// The same with the labels as they are: without end where they are all told, up to a bound. At it classifiers
// are compared, not asked.
double best_scale(const torch::Tensor& logits, const torch::Tensor& labels);

}  // namespace duet
