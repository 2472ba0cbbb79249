#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/engine.h"
#include "cli/json_text.h"
#include "cli/terminal.h"
#include "core/format.h"
#include "evaluation/language.h"
#include "training/saved_objectives.h"

namespace duet {

int run_fill(const FillOptions& options) {
  const SavedModel saved = load_saved_model(options.run, options.checkpoint, options.device);
  SavedObjectives objectives(saved);
  const auto able = objectives.of<FillsMasks>("objective that fills masks (masked_lm)", options.objective);
  const auto masks = fill_masks(saved, *able.front().ability, options.text, options.top);
  if (options.json) {
    nlohmann::ordered_json all = {
        {"schema_version", 1}, {"text", options.text}, {"objective", able.front().name}, {"masks", {}}};
    for (const auto& candidates : masks) {
      nlohmann::ordered_json list = nlohmann::ordered_json::array();
      for (const Candidate& one : candidates)
        list.push_back({{"piece", one.piece}, {"probability", one.probability}, {"text", one.text}});
      all["masks"].push_back(list);
    }
    std::cout << json_text(all);
    return 0;
  }
  for (std::size_t i = 0; i < masks.size(); ++i) {
    if (i > 0) std::cout << "\n";
    for (const Candidate& one : masks[i])
      std::cout << fixed(one.probability, 4) << "\t" << printable(one.piece) << "\t" << printable(one.text)
                << "\n";
  }
  return 0;
}

}  // namespace duet
