// Classes by their names: each name in each template is a text, and the class is the mean of their embeddings
// (CLIP, Radford et al. 2021, section 3.1.4: normalise, average, normalise).
#pragma once
#include <torch/types.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "evaluation/embed.h"
#include "run/saved_model.h"

namespace duet {

struct ClassNames {
  std::string label;               // what is printed
  std::vector<std::string> names;  // what is said of it: one or more
};
// A class a line: "label", or "label<TAB>name<TAB>name...". Error(data) with file and line: empty name, a label
// twice, one class only, no UTF-8.
std::vector<ClassNames> read_class_names(const std::filesystem::path& file);
std::vector<ClassNames> class_names_of(
    const std::vector<std::string>& labels);  // each its own name; '-' and '_' are spaces

// "openai" (the 80 of CLIP's ImageNet set-up), "simple" ("{}" alone), or a file, one a line. Error(data) with
// the line: no {} in it.
std::vector<std::string> read_templates(const std::string& templates);

// Pieces that some training text held: the others are zero (TextEncoder::set_seen), and a text of those alone
// says nothing to the model.
class KnownPieces {
 public:
  explicit KnownPieces(const EmbedSetting& setting);
  bool in(std::string_view text) const;

 private:
  Tokenizer tokenizer_;
  std::vector<bool> known_;
};

// [C, D] unit vectors of the retrieval embedding, fp32, CPU. `cache` as features_of. Classes of whose names
// the model knows nothing are warned of; one without any direction is Error(data).
torch::Tensor class_vectors(const EmbedSetting& setting, const SavedModel& saved,
                            const std::vector<ClassNames>& classes, const std::vector<std::string>& templates,
                            const std::filesystem::path& cache);

// exp(logit_scale) of the model's spaces, their weighted mean: what makes a cosine of the retrieval embedding a
// logit.
double logit_scale_of(Model& model);

// The scale t > 0 for which softmax(t * logits) tells `labels` best (Guo et al. 2017): temperature scaling.
double calibrated_scale(const torch::Tensor& logits, const torch::Tensor& labels);

}  // namespace duet
