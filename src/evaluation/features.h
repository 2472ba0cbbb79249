// What the frozen towers say of labelled items, computed once and kept: every classifier on frozen features
// starts from these.
#pragma once
#include <torch/types.h>

#include <filesystem>

#include "datasets/labelled.h"
#include "evaluation/embed.h"
#include "run/saved_model.h"

namespace duet {

struct Features {
  torch::Tensor tower;  // [N, F] fp32, CPU: the tower's pooled feature; pairs of texts: [a, b, |a - b|, a * b]
  torch::Tensor rows;   // [N, D] unit vectors of the retrieval embedding; undefined where there is none
  BadRows bad;          // unreadable pictures; their rows mean nothing
};

// `cache`: a folder that keeps them by a hash of the model, its preprocessing and all contents; "": no cache.
// Nor is there one for items without contents (unlabelled()).
// Damaged or foreign cache files are computed anew.
Features features_of(const EmbedSetting& setting, const SavedModel& saved, const Labelled& items,
                     const std::filesystem::path& cache);

}  // namespace duet
