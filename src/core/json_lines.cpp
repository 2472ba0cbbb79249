#include "core/json_lines.h"

#include <utility>

#include "core/error.h"
#include "core/format.h"
#include "core/log.h"

namespace duet {

using Json = nlohmann::ordered_json;

JsonLines::JsonLines(fs::path file, const JsonLinesKind& kind) : file_(std::move(file)), kind_(kind) {}

void JsonLines::read(const std::function<void(const Json& row, const std::string& place)>& take) {
  std::error_code none;
  if (file_.empty() || !fs::exists(file_, none)) return;
  const std::string text = read_file(file_);
  read_bytes_ = text.size();
  whole_bytes_ = 0;
  std::int64_t number = 0;
  const auto next_place = [&] { return cat(file_.string(), ":", ++number); };
  for (std::size_t end; (end = text.find('\n', whole_bytes_)) != std::string::npos; whole_bytes_ = end + 1) {
    const std::string place = next_place();
    const Json row = parsed(text.substr(whole_bytes_, end - whole_bytes_), place);
    try {
      take(row, place);
    } catch (const nlohmann::json::exception& error) {
      refuse(place, cat("damaged: ", error.what()));
    }
  }
  if (whole_bytes_ < text.size()) log_warning(cat(next_place(), ": half a line, cut off: ", kind_.again));
}

Json JsonLines::parsed(const std::string& text, const std::string& place) const {
  Json row = Json::parse(text, nullptr, false);
  if (!row.is_object() || !row.contains(kind_.key)) refuse(place, cat("this is no ", kind_.row));
  const std::string version = row.contains("version") ? row["version"].dump() : "none";
  if (version != cat(kind_.version))
    fail(Exit::artifact, place, cat("a row of version ", version),
         cat("this duet knows version ", kind_.version));
  return row;
}

void JsonLines::refuse(std::string_view place, std::string_view what) const {
  fail(Exit::artifact, place, what, cat("put the line back as it was, or take it out: ", kind_.again));
}

// Opening cuts half a line off; rows that another process has added since must not go with it.
void JsonLines::open() {
  std::error_code none;
  const std::uintmax_t now = fs::exists(file_, none) ? fs::file_size(file_) : 0;
  if (now != read_bytes_)
    fail(Exit::failed, file_.string(), "has changed since it was read",
         cat("is another ", kind_.command, " at work on it?"));
  out_ = std::make_unique<AppendFile>(file_, whole_bytes_);
}

void JsonLines::append(const Json& row) {
  if (file_.empty()) return;
  if (!out_) open();
  Json line = {{"version", kind_.version}};
  line.update(row);
  out_->write(line.dump() + "\n");
  out_->sync();
}

}  // namespace duet
