#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/engine.h"
#include "cli/json_text.h"
#include "cli/terminal.h"
#include "evaluation/language.h"
#include "training/saved_objectives.h"

namespace duet {

int run_complete(const CompleteOptions& options) {
  const SavedModel saved = load_saved_model(options.run, options.checkpoint, options.device);
  SavedObjectives objectives(saved);
  const auto able =
      objectives.of<ContinuesTexts>("objective that continues texts (autoregressive_lm)", options.objective);
  const Continuation continuation = continue_text(saved, *able.front().ability, options.text,
                                                  {.length = options.length,
                                                   .top_k = options.top_k,
                                                   .temperature = options.temperature,
                                                   .seed = static_cast<std::uint64_t>(options.seed)});
  if (!options.json) {
    std::cout << printable(continuation.text) << "\n";
    return 0;
  }
  nlohmann::ordered_json pieces = nlohmann::ordered_json::array();
  for (const auto& [piece, probability] : continuation.added)
    pieces.push_back({{"piece", piece}, {"probability", probability}});
  const nlohmann::ordered_json all = {
      {"schema_version", 1},       {"prompt", options.text}, {"objective", able.front().name},
      {"text", continuation.text}, {"pieces", pieces},       {"ended", continuation.ended}};
  std::cout << json_text(all);
  return 0;
}

}  // namespace duet
