// The curves of a run: metrics.jsonl (a JSON object a line, a function of the recipe alone) and TensorBoard
// events (which hold wall times and rates too). A resumed run cuts both back to its checkpoint; a log that was
// deleted, cut or damaged since is warned of and never stops the run.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "core/files.h"
#include "report/event_file.h"

namespace duet {

class MetricsLog {
 public:
  MetricsLog(const std::filesystem::path& run, std::uintmax_t keep_lines_bytes,
             std::uintmax_t keep_event_bytes);
  // One line {"step": ..., then `values`}; every number also becomes a scalar event.
  void write(std::int64_t step, const nlohmann::ordered_json& values);
  void rate(std::int64_t step, double pairs_per_second);  // events only
  void sync();                                            // to the disk
  nlohmann::json offsets() const;  // {"metrics": bytes, "events": bytes} for the checkpoint

 private:
  AppendFile lines_;
  EventFile events_;
};

std::filesystem::path metrics_path(const std::filesystem::path& run);
// The lines that are objects with a "step"; none where there is no such file.
std::vector<nlohmann::json> read_metrics(const std::filesystem::path& run);

}  // namespace duet
