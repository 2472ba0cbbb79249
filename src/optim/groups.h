// Which parameter gets which learning rate and decay. One table serves "text three times as fast", locked-image
// tuning (LiT, Zhai et al. 2022) and layer-wise decay (BEiT, Bao et al. 2022):
//   [[train.group]] match = "text.*", lr_scale, weight_decay, frozen, layer_decay
#pragma once
#include <torch/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/config.h"

namespace duet {

using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

struct GroupRule {
  std::vector<std::string>
      match;  // a pattern with * or ?, or a prefix that ends where a name part ends ("image.blocks.0")
  double lr_scale = 1;                 // times train.lr
  std::optional<double> weight_decay;  // none: the optimiser's
  bool frozen = false;                 // no gradient, no step
  double layer_decay = 1;              // each layer further from the output learns this much slower
  std::string where;                   // "file:line:column", for messages
};
std::vector<GroupRule> read_groups(Config& train);

// What the optimiser does with one parameter.
struct ParameterPlan {
  std::string name;
  torch::Tensor value;
  double lr_scale = 1, weight_decay = 0;
  bool frozen = false;
};

// One plan a parameter, in the given order. Parameters of fewer than two dimensions never decay unless a rule
// says so. When several rules match, scales multiply, frozen is "any", and the last weight_decay counts. Frozen
// parameters get requires_grad = false. Error(usage) at the rule's place when a pattern matches no parameter,
// naming the prefixes there are. Layers for layer_decay: per first name part ("image"), the numbered blocks in
// the order of the list; what stands before the first block is the layer below it, what stands after the last
// one the layer above it (scale 1).
std::vector<ParameterPlan> plan_parameters(const NamedTensors& parameters, const std::vector<GroupRule>& rules,
                                           double weight_decay);

bool matches_parameter(std::string_view pattern, std::string_view name);

}  // namespace duet
