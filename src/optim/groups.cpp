#include "optim/groups.h"

#include <fnmatch.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <map>
#include <utility>

#include "core/error.h"
#include "core/format.h"
#include "encoders/low_rank.h"

namespace duet {
namespace {

bool is_digit(unsigned char c) { return std::isdigit(c) != 0; }

std::string_view first_part(std::string_view name) { return name.substr(0, name.find('.')); }

// The block a parameter lies in: through the first part with a digit and the bare numbers behind it; empty
// without one. "image.blocks.3.mlp.fc1.weight" -> "image.blocks.3", "image.stage0_1.conv1.weight" ->
// "image.stage0_1"
std::string_view block_of(std::string_view name) {
  std::size_t end = 0;
  for (std::size_t begin = 0, dot; (dot = name.find('.', begin)) != std::string_view::npos; begin = dot + 1) {
    const auto part = name.substr(begin, dot - begin);
    const bool numbered = end == 0 ? std::any_of(part.begin(), part.end(), is_digit)
                                   : std::all_of(part.begin(), part.end(), is_digit);
    if (numbered) {
      end = dot;
    } else if (end != 0) {
      break;
    }
  }
  return name.substr(0, end);
}

// "text.norm.weight": of the layer norm behind the last block, wherever a tower lists it.
bool is_last_norm(std::string_view name) { return name.substr(first_part(name).size()).starts_with(".norm."); }

// How many layers each parameter stands below its tower's output.
std::vector<int> depths_below_output(const NamedTensors& parameters) {
  struct Tower {
    std::map<std::string_view, int> blocks;
    int current = 0;
    std::size_t last = 0;  // position of the last parameter inside a block, plus one
  };
  std::map<std::string_view, Tower> towers{{"image", {}}, {"text", {}}};
  std::vector<int> layers;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const std::string_view name = parameters[i].first;
    layers.push_back(0);
    const auto tower = towers.find(first_part(name));
    if (tower == towers.end()) continue;
    auto& [blocks, current, last] = tower->second;
    if (const auto block = block_of(name); !block.empty()) {
      const auto next = static_cast<int>(blocks.size()) + 1;
      current = blocks.try_emplace(block, next).first->second;
      last = i + 1;
    }
    layers.back() = current;
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const std::string_view name = parameters[i].first;
    const auto tower = towers.find(first_part(name));
    const bool above = tower == towers.end() || i >= tower->second.last || is_last_norm(name);
    layers[i] = above ? 0 : static_cast<int>(tower->second.blocks.size()) + 1 - layers[i];
  }
  return layers;
}

// The first two parts of every name, each once, in order: what a pattern could have meant.
std::vector<std::string> prefixes_of(const NamedTensors& parameters) {
  std::vector<std::string> prefixes;
  for (const auto& [name, value] : parameters) {
    const auto dot = name.find('.', std::min(name.find('.'), name.size() - 1) + 1);
    const std::string prefix = name.substr(0, dot);
    if (std::find(prefixes.begin(), prefixes.end(), prefix) == prefixes.end()) prefixes.push_back(prefix);
  }
  return prefixes;
}

bool is_low_rank(std::string_view name) { return name.ends_with(".lora_a") || name.ends_with(".lora_b"); }

// Of a low-rank part the weight that it stands beside.
std::string weight_of(const std::string& name) {
  return is_low_rank(name) ? name.substr(0, name.rfind('.')) + ".weight" : name;
}

void apply(const GroupRule& rule, bool freezes, int depth, ParameterPlan& plan) {
  plan.lr_scale *= rule.lr_scale * std::pow(rule.layer_decay, depth);
  if (rule.weight_decay) plan.weight_decay = *rule.weight_decay;
  plan.frozen = plan.frozen || freezes;
}

void read_low_rank(Config& config, GroupRule& rule) {
  if (!config.has("lora_rank")) {
    for (const char* key : {"lora_alpha", "lora_dropout"}) {
      if (config.has(key)) config.fail(key, cat("'", key, "' without 'lora_rank'"), "set lora_rank = 8, say");
    }
    return;
  }
  LowRank& part = rule.low_rank.emplace();
  part.rank = config.integer("lora_rank", part.rank, 1, 65536);
  part.alpha = config.number("lora_alpha", static_cast<double>(part.rank), {1e-3, 1e6});
  part.dropout = config.number("lora_dropout", part.dropout, {0, .9});
  rule.where_rank = config.where("lora_rank");
}

[[noreturn]] void fail_no_match(const GroupRule& rule, const std::string& pattern, std::string_view what,
                                const NamedTensors& there) {
  const auto prefixes = prefixes_of(there);
  fail(Exit::usage, rule.where,
       cat("match = '", pattern, "' matches no ", what, did_you_mean(pattern, prefixes)),
       prefixes.empty() ? cat("there is no ", what) : cat(what, "s begin with ", joined(prefixes)));
}

}  // namespace

bool matches_parameter(std::string_view pattern, std::string_view name) {
  if (pattern.find_first_of("*?") != std::string_view::npos) {
    return fnmatch(std::string(pattern).c_str(), std::string(name).c_str(), FNM_NOESCAPE) == 0;
  }
  return name.starts_with(pattern) &&
         (name.size() == pattern.size() || name[pattern.size()] == '.' || pattern.ends_with('.'));
}

std::vector<GroupRule> read_groups(Config& train) {
  std::vector<GroupRule> rules;
  for (Config& config : train.tables("group")) {
    GroupRule rule;
    rule.match = config.texts("match", {});
    if (rule.match.empty()) {
      config.fail("", "a [[train.group]] needs 'match'",
                  "write match = \"text.*\", say: a prefix or a pattern of "
                  "parameter names (`duet check` prints them)");
    }
    rule.lr_scale = config.number("lr_scale", rule.lr_scale, {0, 1e4});
    if (config.has("weight_decay")) rule.weight_decay = config.number("weight_decay", 0, {0, 10});
    rule.frozen = config.flag("frozen", rule.frozen);
    rule.layer_decay = config.number("layer_decay", rule.layer_decay, {1e-3, 1});
    rule.where = config.where("match");
    read_low_rank(config, rule);
    rules.push_back(std::move(rule));
  }
  return rules;
}

void add_low_rank(torch::nn::Module& model, const std::vector<GroupRule>& rules, std::uint64_t seed) {
  std::vector<Linear*> maps;
  NamedTensors weights;
  for_each_linear(model, [&](const std::string& name, Linear& map) {
    maps.push_back(&map);
    weights.emplace_back(name + ".weight", map.weight);
  });
  std::vector<std::optional<LowRank>> parts(maps.size());
  for (const GroupRule& rule : rules) {
    if (!rule.low_rank) continue;
    for (const std::string& pattern : rule.match) {
      bool found = false;
      for (std::size_t i = 0; i < maps.size(); ++i) {
        const auto& [name, weight] = weights[i];
        if (!matches_parameter(pattern, name)) continue;
        found = true;
        parts[i] = rule.low_rank;
        const std::int64_t most = std::min(weight.size(0), weight.size(1));
        if (rule.low_rank->rank <= most) continue;
        fail(Exit::usage, rule.where_rank,
             cat("lora_rank = ", rule.low_rank->rank, " is more than ", name, " has, [", weight.size(0), ", ",
                 weight.size(1), "]"),
             cat("set lora_rank to ", most, " or less, or match other weights"));
      }
      if (!found) fail_no_match(rule, pattern, "linear map", weights);
    }
  }
  for (std::size_t i = 0; i < maps.size(); ++i) {
    const std::string& weight = weights[i].first;
    if (parts[i]) maps[i]->add_low_rank(Init(seed, weight.substr(0, weight.rfind('.'))), *parts[i]);
  }
}

std::vector<ParameterPlan> plan_parameters(const NamedTensors& parameters, const std::vector<GroupRule>& rules,
                                           double weight_decay) {
  std::vector<ParameterPlan> plans;
  for (const auto& [name, value] : parameters)
    plans.push_back({name, value, 1, value.dim() < 2 ? 0 : weight_decay, !value.requires_grad()});
  const std::vector<int> depths = depths_below_output(parameters);
  for (const GroupRule& rule : rules) {
    std::vector<bool> matched(plans.size());
    for (const std::string& pattern : rule.match) {
      bool found = false;
      for (std::size_t i = 0; i < plans.size(); ++i) {
        const std::string& name = plans[i].name;
        const bool by_weight = matches_parameter(pattern, weight_of(name));
        if (!by_weight && !matches_parameter(pattern, name)) continue;
        found = true;
        const bool freezes = rule.frozen && !(is_low_rank(name) && by_weight);
        if (!matched[i]) apply(rule, freezes, depths[i], plans[i]);
        matched[i] = true;
      }
      if (!found) fail_no_match(rule, pattern, "parameter", parameters);
    }
  }
  const auto frozen = [](const ParameterPlan& plan) { return plan.frozen; };
  if (!rules.empty() && std::all_of(plans.begin(), plans.end(), frozen)) {
    fail(Exit::usage, rules.back().where, "the groups freeze every parameter", "leave something to train");
  }
  for (ParameterPlan& plan : plans) {
    if (plan.frozen) plan.value.set_requires_grad(false);
  }
  return plans;
}

void set_training_mode(torch::nn::Module& module) {
  module.train();
  module.apply([](torch::nn::Module& child) {
    const auto parameters = child.parameters();
    const auto wants_none = [](const torch::Tensor& value) { return !value.requires_grad(); };
    if (!parameters.empty() && std::all_of(parameters.begin(), parameters.end(), wants_none)) child.eval();
  });
}

}  // namespace duet
