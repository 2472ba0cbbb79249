#include "training/metrics_log.h"

#include <chrono>
#include <sstream>

#include "core/format.h"
#include "core/log.h"

namespace duet {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

fs::path events_path(const fs::path& run) { return run / "events.out.tfevents.0000000000.duet"; }

void add_scalars(EventFile& events, std::int64_t step, const std::string& path,
                 const nlohmann::ordered_json& value) {
  if (value.is_object()) {
    for (const auto& [key, child] : value.items()) {
      add_scalars(events, step, path.empty() ? key : path + "/" + key, child);
    }
  } else if (value.is_number()) {
    events.scalar(path, step, value.get<double>(), now());
  }
}

// What a checkpoint knows of a log, or 0 where that is not there any more: then the log begins anew.
std::uintmax_t bytes_to_keep(const fs::path& log, std::uintmax_t recorded) {
  std::error_code missing;
  const std::uintmax_t size = fs::file_size(log, missing);
  if (recorded == 0 || (!missing && size >= recorded)) return recorded;
  log_warning(cat(log.string(), missing ? " is gone" : " was cut", ": it begins anew at this checkpoint"));
  return 0;
}

struct Line {
  std::int64_t number = 0;
  nlohmann::json value;
  bool is_whole() const { return value.is_object() && value.contains("step") && value["step"].is_number(); }
};

std::vector<Line> lines_of(const fs::path& file) {
  std::vector<Line> lines;
  if (!fs::exists(file)) return lines;
  std::istringstream text(read_file(file));
  for (std::string line; std::getline(text, line);)
    lines.push_back({static_cast<std::int64_t>(lines.size()) + 1, nlohmann::json::parse(line, nullptr, false)});
  return lines;
}

void tell_damage(const fs::path& file) {
  std::vector<std::string> damaged;
  for (const Line& line : lines_of(file)) {
    if (!line.is_whole()) damaged.push_back(cat(line.number));
  }
  if (!damaged.empty())
    log_warning(cat(file.string(), ": left out of the report, as they are damaged: lines ", joined(damaged)));
}

}  // namespace

fs::path metrics_path(const fs::path& run) { return run / "metrics.jsonl"; }

MetricsLog::MetricsLog(const fs::path& run, std::uintmax_t keep_lines_bytes, std::uintmax_t keep_event_bytes)
    : lines_(metrics_path(run), bytes_to_keep(metrics_path(run), keep_lines_bytes)),
      events_(events_path(run), bytes_to_keep(events_path(run), keep_event_bytes)) {
  tell_damage(metrics_path(run));
}

void MetricsLog::write(std::int64_t step, const nlohmann::ordered_json& values) {
  nlohmann::ordered_json line = {{"step", step}};
  line.update(values);
  lines_.write(line.dump() + "\n");
  add_scalars(events_, step, "", values);
}

void MetricsLog::rate(std::int64_t step, double pairs_per_second) {
  events_.scalar("pairs_per_second", step, pairs_per_second, now());
}

void MetricsLog::sync() {
  lines_.sync();
  events_.sync();
}

nlohmann::json MetricsLog::offsets() const { return {{"metrics", lines_.size()}, {"events", events_.size()}}; }

std::vector<nlohmann::json> read_metrics(const fs::path& run) {
  std::vector<nlohmann::json> values;
  for (Line& line : lines_of(metrics_path(run))) {
    if (line.is_whole()) values.push_back(std::move(line.value));
  }
  return values;
}

}  // namespace duet
