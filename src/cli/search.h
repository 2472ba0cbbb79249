// What text and picture queries share: where the bundle is, and how hits are shown.
#pragma once
#include <filesystem>
#include <span>
#include <string>

#include "cli/options.h"
#include "retrieval/bundle.h"

namespace duet {

// `given` (-b) is a bundle or a run that holds one; else $DUET_BUNDLE; else the newest runs/*/index.
// Error(usage) when there is none to choose, Error(artifact) when `given` holds none.
std::filesystem::path find_bundle(const std::string& given);

// Asks the bundle for options.k hits of a unit vector and shows them as the options say: JSON, a table on a
// terminal, lines with tabs elsewhere, and a page (--html). Returns the exit code.
int search_and_show(const Bundle& bundle, std::span<const float> query, const SearchOptions& options);

}  // namespace duet
