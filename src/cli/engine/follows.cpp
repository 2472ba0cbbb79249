#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/engine.h"
#include "cli/engine/run_setting.h"
#include "cli/json_text.h"
#include "core/error.h"
#include "core/format.h"
#include "evaluation/language.h"
#include "training/saved_objectives.h"

namespace duet {
namespace {

using TextPair = std::pair<std::string, std::string>;

std::vector<TextPair> pairs_of(const FollowsOptions& options, const Tokenizer& tokenizer) {
  const std::string name = options.pairs == "-" ? "standard input" : options.pairs;
  std::vector<TextPair> pairs;
  for (const std::string& line : read_lines(options.pairs)) {
    const std::size_t tab = line.find('\t');
    const TextPair pair =
        tab == std::string::npos ? TextPair() : TextPair(line.substr(0, tab), line.substr(tab + 1));
    if (tab != line.rfind('\t') || tokenizer.encode(pair.first).empty() ||
        tokenizer.encode(pair.second).empty())
      fail(Exit::data, cat(name, ":", pairs.size() + 1), "is no pair of texts",
           "two texts with a TAB between them are expected");
    pairs.push_back(pair);
  }
  return pairs;
}

nlohmann::ordered_json to_json(const TextPair& pair, double probability) {
  return {{"first", pair.first}, {"second", pair.second}, {"probability", probability}};
}

}  // namespace

int run_follows(const FollowsOptions& options) {
  const SavedModel saved = load_saved_model(options.run, options.checkpoint, options.device);
  SavedObjectives objectives(saved);
  const auto able =
      objectives.of<JudgesNext>("objective that judges what comes next (next_sentence)", options.objective);
  nlohmann::ordered_json all = {{"schema_version", 1}, {"objective", able.front().name}};
  if (options.pairs.empty()) {
    const double probability = probability_of_next(saved, *able.front().ability, options.first, options.second);
    all.update(to_json({options.first, options.second}, probability));
    std::cout << (options.json ? json_text(all) : fixed(probability, 4) + "\n");
    return 0;
  }
  const std::vector<TextPair> pairs = pairs_of(options, saved.texts());
  const std::vector<double> probabilities = probabilities_of_next(saved, *able.front().ability, pairs);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (options.json)
      all["pairs"].push_back(to_json(pairs[i], probabilities[i]));
    else
      std::cout << pairs[i].first << '\t' << pairs[i].second << '\t' << fixed(probabilities[i], 4) << "\n";
  }
  if (options.json) std::cout << json_text(all);
  return 0;
}

}  // namespace duet
