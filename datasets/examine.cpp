// What `duet data check` finds out about a source.
#include <algorithm>
#include <mutex>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "core/checksum.h"
#include "core/format.h"
#include "core/progress.h"
#include "datasets/parallel_rows.h"
#include "datasets/source.h"

namespace duet {
namespace {

void count_captions(const Source& source, std::int64_t long_caption_bytes, SourceReport& report) {
  std::unordered_set<std::string_view> seen;
  const bool has_texts = source.has_texts();
  for (const Pair& pair : source.pairs) {
    report.empty_captions += pair.captions.empty() && has_texts;
    for (const std::string& caption : pair.captions) {
      ++report.captions;
      if (caption.empty()) {
        ++report.empty_captions;
        continue;
      }
      report.long_captions += static_cast<std::int64_t>(caption.size()) > long_caption_bytes;
      report.duplicate_captions += !seen.insert(caption).second;
    }
  }
}

// What one picture turned out to be.
struct Finding {
  std::string hash;
  int width = 0, height = 0;
  bool missing = false;
  std::string why;  // it cannot be used
};

Finding look_at(const Source& source, std::int64_t row) {
  Finding found;
  const Pair& pair = source.pairs[static_cast<std::size_t>(row)];
  std::error_code error;
  try {
    if (source.draw) {
      const Image image = source.draw(row);
      found.width = image.width;
      found.height = image.height;
      found.hash = checksum({reinterpret_cast<const char*>(image.rgb.data()), image.rgb.size()});
    } else {
      found.missing = !std::filesystem::exists(source.path_of(pair), error) && !error;
      const std::vector<std::byte> bytes = read_picture(source.path_of(pair));
      found.hash = checksum(std::span<const std::byte>(bytes));
      const Image image = decode_image(bytes, {});
      found.width = image.width;
      found.height = image.height;
    }
  } catch (const BadImage& bad) {
    found.why = bad.what();
  }
  return found;
}

void examine_pictures(const Source& source, int threads, SourceReport& report) {
  report.pictures = static_cast<std::int64_t>(source.pairs.size());
  std::vector<Finding> findings(source.pairs.size());
  Progress progress("checking", report.pictures, "pictures");
  std::mutex mutex;
  std::int64_t done = 0;
  parallel_rows(report.pictures, threads, [&](std::int64_t row) {
    findings[static_cast<std::size_t>(row)] = look_at(source, row);
    const std::scoped_lock lock(mutex);
    progress.update(++done);
  });
  progress.finish();

  std::unordered_map<std::string_view, std::vector<std::size_t>> by_hash;
  for (std::size_t row = 0; row < findings.size(); ++row) {
    const Finding& found = findings[row];
    const Pair& pair = source.pairs[row];
    if (!found.why.empty()) {
      const std::string place = pair.line > 0 ? cat(source.place_of(pair), ": ") : "";
      (found.missing ? report.missing : report.unreadable).push_back(cat(place, pair.image, ": ", found.why));
    } else {
      ++report.sizes[cat(found.width, "x", found.height)];
    }
    if (!found.hash.empty()) by_hash[found.hash].push_back(row);
  }
  std::vector<std::vector<std::size_t>> groups;
  for (auto& [hash, rows] : by_hash)
    if (rows.size() > 1) groups.push_back(std::move(rows));
  std::ranges::sort(groups);
  for (const std::vector<std::size_t>& rows : groups) {
    std::vector<std::string> paths;
    for (const std::size_t row : rows) paths.push_back(source.pairs[row].image);
    report.duplicate_pictures.push_back(joined(paths, " = "));
  }
}

}  // namespace

SourceReport examine(const Source& source, std::int64_t long_caption_bytes, int threads) {
  SourceReport report;
  report.rows = source.rows;
  count_captions(source, long_caption_bytes, report);
  std::set<std::string_view> concepts;
  for (const Pair& pair : source.pairs)
    if (!pair.concept_key.empty()) concepts.insert(pair.concept_key);
  report.concepts = static_cast<std::int64_t>(concepts.size());
  if (source.has_pictures()) examine_pictures(source, threads, report);
  return report;
}

}  // namespace duet
