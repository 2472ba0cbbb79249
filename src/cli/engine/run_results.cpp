#include "cli/engine/run_results.h"

#include "cli/json_text.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"

namespace duet {
namespace {

void add_to(const fs::path& file, const SavedModel& saved, const nlohmann::json& results) {
  nlohmann::json all =
      fs::exists(file) ? nlohmann::json::parse(read_file(file), nullptr, false) : nlohmann::json();
  const bool same_model = all.is_object() && all.value("model", "") == saved.identity;
  if (all.is_object() && !same_model)
    log_info(cat(file.string(), " held scores of another model; they are replaced"));
  if (!same_model) all = nlohmann::json::object();
  all.update(results);
  replace_file(file, json_text(all));
}

}  // namespace

nlohmann::json results_of(const SavedModel& saved) {
  return {{"schema_version", 1}, {"model", saved.identity}, {"step", saved.step}};
}

void save_results(const fs::path& run, const std::string& checkpoint, const SavedModel& saved,
                  const nlohmann::json& results) {
  if (saved.folder == run) {
    log_info("not saved: nothing is added to a sealed folder");
    return;
  }
  const fs::path file = run / "results.json";
  if (checkpoint != "best") {
    log_info(
        cat("not saved: ", file.string(), " is for the best checkpoint, these are scores of ", checkpoint));
    return;
  }
  try {
    add_to(file, saved, results);
  } catch (const Error& error) {
    fail(error.exit(), {}, error.what(), "--no-save only prints the scores");
  }
  log_info(cat("wrote ", file.string()));
}

}  // namespace duet
