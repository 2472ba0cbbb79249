#include "optim/groups.h"

#include <fnmatch.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <map>

#include "core/error.h"
#include "core/format.h"

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

// How many layers each parameter stands below its tower's output.
std::vector<int> depths_below_output(const NamedTensors& parameters) {
  struct Tower {
    std::map<std::string_view, int> blocks;
    int current = 0;
    std::size_t last = 0;  // position of the last parameter inside a block, plus one
  };
  std::map<std::string_view, Tower> towers;
  std::vector<int> layers;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const std::string_view name = parameters[i].first;
    Tower& tower = towers[first_part(name)];
    if (const auto block = block_of(name); !block.empty()) {
      const auto next = static_cast<int>(tower.blocks.size()) + 1;
      tower.current = tower.blocks.try_emplace(block, next).first->second;
      tower.last = i + 1;
    }
    layers.push_back(tower.current);
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Tower& tower = towers[first_part(parameters[i].first)];
    const auto top = static_cast<int>(tower.blocks.size()) + 1;
    layers[i] = i >= tower.last ? 0 : top - layers[i];
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

void apply(const GroupRule& rule, int depth, ParameterPlan& plan) {
  plan.lr_scale *= rule.lr_scale * std::pow(rule.layer_decay, depth);
  if (rule.weight_decay) plan.weight_decay = *rule.weight_decay;
  plan.frozen = plan.frozen || rule.frozen;
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
    rules.push_back(std::move(rule));
  }
  return rules;
}

std::vector<ParameterPlan> plan_parameters(const NamedTensors& parameters, const std::vector<GroupRule>& rules,
                                           double weight_decay) {
  std::vector<ParameterPlan> plans;
  for (const auto& [name, value] : parameters)
    plans.push_back({name, value, 1, value.dim() < 2 ? 0 : weight_decay, false});
  const std::vector<int> depths = depths_below_output(parameters);
  for (const GroupRule& rule : rules) {
    std::vector<bool> matched(plans.size());
    for (const std::string& pattern : rule.match) {
      bool found = false;
      for (std::size_t i = 0; i < plans.size(); ++i) {
        if (!matches_parameter(pattern, plans[i].name)) continue;
        found = true;
        if (!matched[i]) apply(rule, depths[i], plans[i]);
        matched[i] = true;
      }
      if (!found) {
        const auto prefixes = prefixes_of(parameters);
        fail(Exit::usage, rule.where,
             cat("match = '", pattern, "' matches no parameter", did_you_mean(pattern, prefixes)),
             cat("parameters begin with ", joined(prefixes)));
      }
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

}  // namespace duet
