// The training that lora, fine_tune and wise_ft share: a copy of the model and a head, cross entropy on the
// support's items, learning rate and moment chosen on validation.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "adaptation/network_classifier.h"
#include "adaptation/tower_input.h"
#include "optim/groups.h"

namespace duet {

// head_logits of (x - mean) / spread, x being what head_input gives for `input`. Mean and spread are constants
// that bring x to a length of about one, so that one learning rate fits all towers; of a head with several
// names a class the mean is 0.
struct TowerHead {
  std::string input;           // tower | rows
  torch::Tensor weight, bias;  // [C or M, width], [C]
  HeadNames names = {};
  torch::Tensor mean;  // [width]
  double spread = 1;
  std::string from;  // names | ridge on tower | ridge on rows

  torch::Tensor logits(const torch::Tensor& x) const;
};

// What training starts from, the best one on validation and scaled to tell it best: the classes' names over the
// retrieval embedding (zero-shot, CLIP), where there are names, or ridge regression on the frozen feature or on
// the embedding (LP-FT, Kumar et al. 2022: a head that is fitted first does not spoil the tower).
TowerHead starting_head(const AdaptationTask& task, const Part& support, const Part& validation);

struct TuningOptions {
  std::vector<double> lrs;
  double head_pace = 1;  // times the learning rate
  double weight_decay = 0.01;
  // Makes a copy of the model ready, before its parameters are listed: parts, frozen weights; the groups.
  std::function<std::vector<GroupRule>(Model& model)> prepare;
};

// Tensors by name: of the model those that learn (of a tower that learns whole all of it, running statistics
// too), and "head.weight", "head.bias".
struct Tuned {
  TowerHead head;           // as `start` has it
  TensorMap start, values;  // before training, and at the best moment of the best learning rate
  Verdict at_start, at_best;
  double lr = 0;
  std::int64_t step = 0, steps = 0;
};
// Adapted::chosen; not kept: the start was better.
nlohmann::json chosen_of(const Tuned& tuned, bool kept);
Tuned tune_network(const AdaptationTask& task, const Part& support, const Part& validation, std::uint64_t seed,
                   const TowerHead& head, const TuningOptions& options);

// A model of `task` that was prepared in the same way, holding the values, and the head with its own.
struct TunedNetwork {
  std::shared_ptr<Model> model;
  TowerHead head;
};
TunedNetwork network_of(const AdaptationTask& task, const TowerHead& head, const TensorMap& values,
                        const TuningOptions& options);
// Other values in the same network.
void set_values(TunedNetwork& network, const TensorMap& values);
// What items say of it.
Verdict verdict_of(const EmbedSetting& setting, const TunedNetwork& network, const TowerInputs& items,
                   const torch::Tensor& labels);

// How far from the start to the tuned values, of alpha = 0, .1, ... 1 what says most on validation.
struct Way {
  double alpha = 0;
  std::vector<std::pair<double, double>> curve;  // Adapted::curve
};
// Leaves the network there.
Way best_way(TunedNetwork& network, const TensorMap& start, const TensorMap& end, const AdaptationTask& task,
             const Part& validation);
// The head's constants folded into its map; parts of the model are merged.
std::unique_ptr<Classifier> classifier_of(const AdaptationTask& task, const TunedNetwork& network,
                                          TensorMap low_rank = {});

// (1 - alpha) start + alpha end of every tensor, as WiSE-FT has it (Wortsman et al. 2022); exactly the one or
// the other at 0 and 1. Both have the same names.
TensorMap interpolated(const TensorMap& start, const TensorMap& end, double alpha);

}  // namespace duet
