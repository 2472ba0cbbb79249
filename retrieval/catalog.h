// What a row is: picture, captions, concept and the manifest's other columns, in an SQLite file written once
// (VACUUM INTO) and opened immutable, so that a bundle on a read-only disk works and readers never lock.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace duet {

struct Item {
  std::string path;                   // relative to the bundle's picture root
  std::vector<std::string> captions;  // may be empty
  std::string concept_key;
  std::vector<std::string> columns;  // values of the bundle's columns
};

// Facts that may hold any byte a file system allows, which JSON does not.
struct CatalogFacts {
  std::vector<std::string> columns;
  std::string relative_root;  // of the pictures, from the bundle's folder; empty when there is none
  std::string absolute_root;
};

// Error(data) naming the item whose captions or columns are not UTF-8 or whose columns are not as many as
// named.
void write_catalog(const std::filesystem::path& file, std::span<const Item> items, const CatalogFacts& facts);

class Catalog {
 public:
  explicit Catalog(const std::filesystem::path& file);  // Error(artifact)
  ~Catalog();
  Catalog(Catalog&&) noexcept;
  const CatalogFacts& facts() const;
  std::int64_t count() const;
  Item item(std::int64_t row) const;  // any thread may ask. Error(artifact) when the row is not there

 private:
  struct Database;
  std::unique_ptr<Database> database_;
};

}  // namespace duet
