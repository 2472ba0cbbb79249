// Where a bundle's pictures lie, in a form that survives moves: relative to the bundle for pictures that travel
// with it, absolute for a bundle that travels alone.
#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "retrieval/catalog.h"

namespace duet {

// Makes every path relative to a common folder, which it returns (absolute): `root` itself, or what it has in
// common with pictures that lie elsewhere. A relative `root` starts at the working folder.
std::filesystem::path gather_pictures(const std::filesystem::path& root, std::vector<Item>& items);

// Fills in both roots of a bundle in `folder`. The relative one is left out when nothing but / is shared.
void store_root(const std::filesystem::path& folder, const std::filesystem::path& root, CatalogFacts& facts);

// The absolute root for a bundle that now lies in `folder`: the one where `picture`, its first, is found; else
// one that is a folder at all; else where the pictures were.
std::filesystem::path find_root(const std::filesystem::path& folder, const CatalogFacts& facts,
                                const std::string& picture);

}  // namespace duet
