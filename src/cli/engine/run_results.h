// RUN/results.json, which holds the scores of one model: the best.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "run/saved_model.h"

namespace duet {

// {"schema_version", "model", "step"}: what every set of scores begins with.
nlohmann::json results_of(const SavedModel& saved);
// Adds to what stands there of the same model; says so where nothing is saved: in sealed folders, and for other
// checkpoints than the best.
void save_results(const std::filesystem::path& run, const std::string& checkpoint, const SavedModel& saved,
                  const nlohmann::json& results);

}  // namespace duet
