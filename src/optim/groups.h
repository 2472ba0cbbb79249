// Which parameter gets which learning rate and decay, and which linear maps learn a low-rank part. One table
// serves "text three times as fast", locked-image tuning (LiT, Zhai et al. 2022), layer-wise decay (BEiT, Bao
// et al. 2022) and LoRA (Hu et al. 2022):
//   [[train.group]] match = "text.*", lr_scale, weight_decay, frozen, layer_decay, lora_rank, lora_alpha,
//                   lora_dropout
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/config.h"
#include "encoders/blocks.h"

namespace duet {

using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

struct GroupRule {
  std::vector<std::string>
      match;  // a pattern with * or ?, or a prefix that ends where a name part ends ("image.blocks.0")
  double lr_scale = 1;                 // times train.lr
  std::optional<double> weight_decay;  // none: the optimiser's
  bool frozen = false;                 // no gradient, no step
  double layer_decay = 1;              // each layer further from the output learns this much slower
  // Of every linear map whose weight matches: lora_rank, lora_alpha, lora_dropout. The scale alpha / rank is 1
  // unless alpha is given: the paper sets alpha to the first rank tried (section 4.1).
  std::optional<LowRank> low_rank;
  std::string where, where_rank;  // "file:line:column" of match and lora_rank, for messages
};
std::vector<GroupRule> read_groups(Config& train);

// Gives the linear maps of a model the parts that the rules ask for; of several rules the last counts. Initial
// values follow from seed and name. Error(usage) at the rule's place when a pattern matches no linear map, or
// the rank is larger than a map that it matches. Before the model's parameters are listed or loaded.
void add_low_rank(torch::nn::Module& model, const std::vector<GroupRule>& rules, std::uint64_t seed);

// What the optimiser does with one parameter.
struct ParameterPlan {
  std::string name;
  torch::Tensor value;
  double lr_scale = 1, weight_decay = 0;
  bool frozen = false;
};

// One plan a parameter, in the given order. Parameters of fewer than two dimensions never decay unless a rule
// says so. When several rules match, scales multiply, frozen is "any", and the last weight_decay counts. Frozen
// parameters get requires_grad = false, and what comes without a gradient is frozen. A low-rank part is in the
// groups of its map's weight, but learns where that is frozen, unless a pattern means the part alone
// ("*.lora_a"). Error(usage) at the rule's place when a pattern matches no parameter, naming the prefixes there
// are. Layers for layer_decay: in a tower (image, text) the numbered blocks in the order of the list; what
// stands before the first block is the layer below it; what stands after the last one, the tower's own norm and
// all that is no tower are above it (scale 1).
std::vector<ParameterPlan> plan_parameters(const NamedTensors& parameters, const std::vector<GroupRule>& rules,
                                           double weight_decay);

bool matches_parameter(std::string_view pattern, std::string_view name);

// Training mode, but for modules whose parameters are all frozen: their running statistics and dropout stay as
// in evaluation.
void set_training_mode(torch::nn::Module& module);

}  // namespace duet
