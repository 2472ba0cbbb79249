// The low-rank parts of a whole module (LoRA, Hu et al. 2022; encoders/blocks.h): what is saved, exported or
// followed of it has the ordinary names, each part folded into the weight that it stands beside.
#pragma once
#include <torch/nn/module.h>

#include <functional>
#include <string>

#include "encoders/blocks.h"
#include "tensors/tensor_file.h"

namespace duet {

// Every linear map below (and of) a module, by name, in the order of its parameters.
void for_each_linear(torch::nn::Module& module, const std::function<void(const std::string&, Linear&)>& visit);

// The module without parts, giving what it gave with them in evaluation.
void merge_low_rank(torch::nn::Module& module);

// tensors_of() that module, made of one that keeps its parts: aliases, but for the weights that have a part.
TensorMap merged_tensors(const torch::nn::Module& module);

}  // namespace duet
