#include "training/metrics_log.h"

#include <chrono>
#include <sstream>

namespace duet {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

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

}  // namespace

std::filesystem::path metrics_path(const std::filesystem::path& run) { return run / "metrics.jsonl"; }

MetricsLog::MetricsLog(const std::filesystem::path& run, std::uintmax_t keep_lines_bytes,
                       std::uintmax_t keep_event_bytes)
    : lines_(metrics_path(run), keep_lines_bytes),
      events_(run / "events.out.tfevents.0000000000.duet", keep_event_bytes) {}

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

std::vector<nlohmann::json> read_metrics(const std::filesystem::path& run) {
  std::vector<nlohmann::json> lines;
  std::istringstream text(read_file(metrics_path(run)));
  for (std::string line; std::getline(text, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

}  // namespace duet
