#include "retrieval/picture_root.h"

namespace duet {

namespace fs = std::filesystem;

namespace {

fs::path common_folder(const fs::path& a, const fs::path& b) {
  fs::path common;
  for (auto left = a.begin(), right = b.begin(); left != a.end() && right != b.end() && *left == *right;
       ++left, ++right) {
    common /= *left;
  }
  return common;
}

// Without a trailing slash, "." or "..".
fs::path plain(const fs::path& path) {
  const fs::path normal = (fs::current_path() / path).lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

}  // namespace

fs::path gather_pictures(const fs::path& root, std::vector<Item>& items) {
  const fs::path given = plain(root);
  fs::path common = given;
  for (const Item& item : items) {
    const fs::path picture = (given / item.path).lexically_normal();
    if (common_folder(common, picture) != common) common = common_folder(common, picture.parent_path());
  }
  for (Item& item : items) {
    item.path = (given / item.path).lexically_normal().lexically_relative(common).generic_string();
  }
  return common;
}

void store_root(const fs::path& folder, const fs::path& root, CatalogFacts& facts) {
  const fs::path from = fs::weakly_canonical(folder), to = fs::weakly_canonical(root);
  facts.absolute_root = root.generic_string();
  facts.relative_root =
      common_folder(from, to) == from.root_path() ? "" : to.lexically_relative(from).generic_string();
}

fs::path find_root(const fs::path& folder, const CatalogFacts& facts, const std::string& picture) {
  std::vector<fs::path> roots;
  if (!facts.relative_root.empty()) {
    roots.push_back((fs::weakly_canonical(folder) / facts.relative_root).lexically_normal());
  }
  roots.push_back(facts.absolute_root);
  std::error_code ignored;
  for (const fs::path& root : roots) {
    if (fs::exists(root / picture, ignored)) return root;
  }
  for (const fs::path& root : roots) {
    if (fs::is_directory(root, ignored)) return root;
  }
  return roots.back();
}

}  // namespace duet
