// Hits as a terminal's table, as lines for other programs, as JSON and as a page.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/options.h"
#include "retrieval/bundle.h"

namespace duet {

struct ShownHit {
  float score = 0;
  Item item;
  std::filesystem::path file;  // absolute
  std::string shown;           // the file as printed: relative when it lies below the working folder
};
std::string shown_path(const std::filesystem::path& file);  // of an absolute one
std::vector<ShownHit> shown_hits(const Bundle& bundle, const std::vector<Hit>& hits, const std::string& root);

// rank TAB score TAB path TAB first caption; white space and control characters in fields become spaces.
std::string hit_lines(const std::vector<ShownHit>& hits);
// Columns set by display width, cut to `columns` cells; paths carry OSC 8 links and the header is bold when
// asked.
struct TableStyle {
  std::size_t columns = 80;
  bool links = false, bold = false;
};
std::string hit_table(const std::vector<ShownHit>& hits, const TableStyle& style);
// {"schema_version": 1, "query" | "image", "bundle_size", "hits": [{"rank", "score", "path", "file", "caption",
// "captions", "concept", "columns": {name: value}}]}; path as it was indexed, file where it is now.
nlohmann::ordered_json hit_json(const std::vector<ShownHit>& hits, const std::vector<std::string>& columns,
                                std::int64_t bundle_size, const SearchOptions& options);
// Pictures below 256 KB are inlined, larger ones linked relative to the page's folder.
std::string hit_page(const std::vector<ShownHit>& hits, std::int64_t bundle_size, const SearchOptions& options);

}  // namespace duet
