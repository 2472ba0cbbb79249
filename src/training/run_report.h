// report.html of a run: curves, scores over time, and real queries with their top pictures.
#pragma once
#include <filesystem>
#include <vector>

#include "evaluation/embed.h"
#include "run/recipe.h"

namespace duet {

void write_run_report(const std::filesystem::path& run, const Recipe& recipe, const EmbedSetting& setting,
                      const std::vector<Source>& validation);

}  // namespace duet
