#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/engine.h"
#include "core/format.h"
#include "evaluation/language.h"
#include "training/saved_objectives.h"

namespace duet {

int run_follows(const FollowsOptions& options) {
  const SavedModel saved = load_saved_model(options.run, options.checkpoint, options.device);
  SavedObjectives objectives(saved);
  const auto able =
      objectives.of<JudgesNext>("objective that judges what comes next (next_sentence)", options.objective);
  const double probability = probability_of_next(saved, *able.front().ability, options.first, options.second);
  if (!options.json) {
    std::cout << fixed(probability, 4) << "\n";
    return 0;
  }
  const nlohmann::ordered_json all = {{"schema_version", 1},
                                      {"first", options.first},
                                      {"second", options.second},
                                      {"objective", able.front().name},
                                      {"probability", probability}};
  std::cout << all.dump(2) << "\n";
  return 0;
}

}  // namespace duet
