// report.html of a run: curves, scores over time, and real queries with their top pictures.
#pragma once
#include <filesystem>
#include <vector>

#include "evaluation/retrieval.h"
#include "report/page.h"
#include "run/recipe.h"

namespace duet {

// Queries of the first validation set with their best pictures, evenly chosen; none without validation data.
std::vector<ContactRow> contact_sheet(const EmbedSetting& setting, const std::vector<Source>& validation);

// `finished`: the finished model's scores, a split each; none yet: the table shows the latest of the curves.
void write_run_report(const std::filesystem::path& run, const Recipe& recipe, const Model& model,
                      const std::vector<Source>& validation, const std::vector<RetrievalResult>& finished,
                      std::vector<ContactRow> contact);

}  // namespace duet
