#include "cli/search.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <optional>

#include "cli/front.h"
#include "cli/json_text.h"
#include "cli/search_output.h"
#include "cli/terminal.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "core/sealed.h"
#include "encoders/plain/query_tower.h"

namespace duet {

namespace {

bool holds_bundle(const fs::path& folder) {
  std::error_code none;
  return fs::exists(folder / "CURRENT", none);
}

std::optional<fs::path> newest_bundle() {
  std::optional<fs::path> newest;
  fs::file_time_type newest_time;
  std::error_code error;
  for (const fs::directory_entry& run : fs::directory_iterator("runs", error)) {
    const fs::path bundle = run.path() / "index";
    const fs::file_time_type time = fs::last_write_time(bundle / "CURRENT", error);
    if (error) continue;
    // Two written in the same tick: the name decides, not the order of the folder.
    if (!newest || time > newest_time || (time == newest_time && bundle > *newest)) {
      newest = bundle;
      newest_time = time;
    }
  }
  return newest;
}

fs::path named_bundle(const std::string& given, std::string_view where) {
  for (const fs::path& folder : {fs::path(given), fs::path(given) / "index"}) {
    if (holds_bundle(folder)) return folder;
  }
  fail(Exit::artifact, where, fs::exists(given) ? cat(given, " is no bundle") : cat(given, " is not there"),
       "a bundle is the folder that duet index writes");
}

}  // namespace

fs::path find_bundle(const std::string& given) {
  if (!given.empty()) return named_bundle(given, "--bundle");
  if (const char* chosen = std::getenv("DUET_BUNDLE"); chosen != nullptr && *chosen != '\0') {
    return named_bundle(chosen, "DUET_BUNDLE");
  }
  const std::optional<fs::path> newest = newest_bundle();
  if (!newest) {
    fail(Exit::usage, "duet search", "no bundle in runs/*/index",
         "name one with -b BUNDLE or DUET_BUNDLE, or make one: duet index RUN --images DIR");
  }
  log_debug(cat("bundle: ", newest->string()));
  return *newest;
}

int search_and_show(const Bundle& bundle, std::span<const float> query, const SearchOptions& options) {
  if (!options.html.empty()) check_outside_sealed(options.html);
  if (options.k > bundle.size() && options.k != SearchOptions{}.k) {  // nobody asked for the ten of the default
    log_info(cat("-k ", options.k, ": the bundle holds ", grouped(bundle.size()), " pictures, showing all"));
  }
  const std::vector<Hit> found = bundle.search(query, std::min(options.k, bundle.size()));
  const std::vector<ShownHit> hits = shown_hits(bundle, found, options.root);
  std::error_code none;
  if (!hits.empty() && !fs::exists(hits[0].file, none)) {
    log_warning(cat(printable(hits[0].shown),
                    " is not there; if the pictures were moved, name their folder: --root DIR"));
  }
  if (options.json) {
    std::cout << json_text(hit_json(hits, bundle.columns(), bundle.size(), options));
  } else if (stdout_is_terminal()) {
    std::cout << hit_table(hits, {terminal_columns(), terminal_styles(), terminal_styles()});
  } else {
    std::cout << hit_lines(hits);
  }
  if (!options.html.empty()) {
    replace_file(options.html, hit_page(hits, bundle.size(), options));
    log_info(cat("page: ", options.html));
  }
  return static_cast<int>(Exit::ok);
}

int run_search(const SearchOptions& options) {
  const fs::path folder = find_bundle(options.bundle);
  const Bundle bundle = Bundle::open(folder, false, options.root);
  const QueryTower tower = QueryTower::open(bundle.model_folder());
  if (tower.dimension() != bundle.dimension()) {
    fail(Exit::artifact, folder.string(),
         cat("its text tower gives ", tower.dimension(), " numbers, its rows have ", bundle.dimension()),
         "bundle and model do not belong together; build it again: duet index RUN --images DIR");
  }
  return search_and_show(bundle, tower.embed(options.query), options);
}

}  // namespace duet
