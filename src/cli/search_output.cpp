#include "cli/search_output.h"

#include <algorithm>
#include <cmath>

#include "cli/terminal.h"
#include "core/files.h"
#include "core/format.h"
#include "report/page.h"
#include "text/unicode.h"

namespace duet {

namespace {

constexpr std::uintmax_t kInlineBytes = 256 * 1024;

std::string first_caption(const Item& item) { return item.captions.empty() ? "" : item.captions.front(); }

// Six digits: scores of a picture differ in the last bits of a float between a batch and a single query.
double rounded(float score) { return std::round(static_cast<double>(score) * 1e6) / 1e6; }

std::string link_from(const fs::path& page, const fs::path& file) {
  const fs::path folder = fs::absolute(page).lexically_normal().parent_path();
  const fs::path relative = file.lexically_relative(folder);
  return relative.empty() ? file.string() : relative.string();
}

Picture picture_of(const ShownHit& hit, const fs::path& page) {
  Picture picture;
  picture.link = link_from(page, hit.file);
  picture.title = hit.item.path;
  picture.score = hit.score;
  picture.caption = first_caption(hit.item);
  for (const std::string& caption : hit.item.captions) picture.title += cat("\n", caption);
  std::error_code error;
  const std::uintmax_t size = fs::file_size(hit.file, error);
  if (!error && size < kInlineBytes) picture.bytes = read_file(hit.file);
  if (picture.caption.empty()) picture.caption = fs::path(hit.item.path).filename().string();
  return picture;
}

}  // namespace

std::string shown_path(const fs::path& file) {
  const fs::path relative = file.lexically_relative(fs::current_path());
  return relative.empty() || *relative.begin() == ".." ? file.string() : relative.string();
}

std::vector<ShownHit> shown_hits(const Bundle& bundle, const std::vector<Hit>& hits, const std::string& root) {
  const fs::path folder = fs::absolute(root.empty() ? bundle.picture_root() : fs::path(root));
  std::vector<ShownHit> shown;
  for (const Hit& hit : hits) {
    Item item = bundle.item(hit.row);
    const fs::path file = (folder / item.path).lexically_normal();
    shown.push_back({hit.score, std::move(item), file, shown_path(file)});
  }
  return shown;
}

std::string hit_lines(const std::vector<ShownHit>& hits) {
  std::string out;
  for (std::size_t i = 0; i < hits.size(); ++i) {
    out += cat(i + 1, "\t", fixed(hits[i].score, 4), "\t", printable(hits[i].shown), "\t",
               printable(first_caption(hits[i].item)), "\n");
  }
  return out;
}

std::string hit_table(const std::vector<ShownHit>& hits, const TableStyle& style) {
  const std::size_t rank_width = std::max<std::size_t>(2, cat(hits.size()).size());
  const std::size_t score_width = 6, between = 2;
  const std::size_t taken = rank_width + score_width + 3 * between;
  const std::size_t room = style.columns > taken + 20 ? style.columns - taken : 20;
  std::size_t path_width = 7, caption_width = 0;
  for (const ShownHit& hit : hits) {
    path_width = std::max(path_width, display_width(printable(hit.shown)));
    caption_width = std::max(caption_width, display_width(printable(first_caption(hit.item))));
  }
  // A path takes what captions leave, at least half of the room.
  if (path_width + caption_width > room) {
    path_width = std::min(path_width, std::max(room / 2, room - std::min(room, caption_width)));
  }
  caption_width = room - std::min(room, path_width);
  std::string out = bold(cat(std::string(rank_width - 1, ' '), "#", "   score  ", padded("picture", path_width),
                             caption_width > 7 ? "  caption" : ""),
                         style.bold) +
                    "\n";
  for (std::size_t i = 0; i < hits.size(); ++i) {
    const std::string rank = cat(i + 1), score = fixed(hits[i].score, 3);
    const std::string path = clipped_left(printable(hits[i].shown), path_width);
    const std::string caption = clipped(printable(first_caption(hits[i].item)), caption_width);
    out += cat(std::string(rank_width - rank.size(), ' '), rank, "  ",
               std::string(score_width - std::min(score_width, score.size()), ' '), score, "  ",
               file_link(path, hits[i].file.string(), style.links));
    if (!caption.empty())
      out += cat(std::string(path_width - std::min(path_width, display_width(path)), ' '), "  ", caption);
    out += "\n";
  }
  return out;
}

nlohmann::ordered_json hit_json(const std::vector<ShownHit>& hits, const std::vector<std::string>& columns,
                                std::int64_t bundle_size, const SearchOptions& options) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < hits.size(); ++i) {
    const Item& item = hits[i].item;
    nlohmann::ordered_json values = nlohmann::ordered_json::object();
    for (std::size_t c = 0; c < std::min(columns.size(), item.columns.size()); ++c)
      values[columns[c]] = item.columns[c];
    list.push_back({{"rank", i + 1},
                    {"score", rounded(hits[i].score)},
                    {"path", item.path},
                    {"file", hits[i].file.string()},
                    {"caption", first_caption(item)},
                    {"captions", item.captions},
                    {"concept", item.concept_key},
                    {"columns", std::move(values)}});
  }
  nlohmann::ordered_json out = {{"schema_version", 1}};
  out[options.image.empty() ? "query" : "image"] = options.image.empty() ? options.query : options.image;
  out["bundle_size"] = bundle_size;
  out["hits"] = std::move(list);
  return out;
}

std::string hit_page(const std::vector<ShownHit>& hits, std::int64_t bundle_size,
                     const SearchOptions& options) {
  const std::string asked =
      options.image.empty() ? options.query : cat("like ", fs::path(options.image).filename().string());
  Page page;
  page.title = asked;
  page.subtitle = cat("the best ", grouped(static_cast<std::int64_t>(hits.size())), " of ",
                      grouped(bundle_size), " pictures, by cosine similarity");
  ContactRow row;
  for (const ShownHit& hit : hits) row.pictures.push_back(picture_of(hit, options.html));
  page.contact.push_back(std::move(row));
  return to_html(page);
}

}  // namespace duet
