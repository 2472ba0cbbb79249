// report.html of a run: curves, scores over time, and real queries with their top pictures.
#pragma once
#include <filesystem>
#include <vector>

#include "evaluation/embed.h"
#include "report/page.h"
#include "run/recipe.h"

namespace duet {

// Queries of the first validation set with their best pictures, evenly chosen; none without validation data.
std::vector<ContactRow> contact_sheet(const EmbedSetting& setting, const std::vector<Source>& validation);

void write_run_report(const std::filesystem::path& run, const Recipe& recipe, const Model& model,
                      const std::vector<Source>& validation, std::vector<ContactRow> contact);

}  // namespace duet
