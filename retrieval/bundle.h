// A bundle: everything a search needs, self-contained. A folder of immutable generations (gen-N/, a sealed
// folder each with rows, candidates, catalog, text tower, tokenizer), published by renaming CURRENT; one writer
// lock; readers keep theirs.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "retrieval/catalog.h"
#include "retrieval/rows.h"

namespace duet {

struct BundleOptions {
  // Flat, IVFn,{Flat,SQ8,PQm} or HNSWm[,SQ8]. Empty: Flat below 200,000 rows, HNSW32 below 2,000,000, else
  // IVFn,SQ8.
  std::string factory;
  bool reproducible = true;  // one thread builds: two link a different graph each time
};

struct BundleContent {
  std::span<const float> rows;         // [count, dimension] row-major unit vectors
  std::int64_t dimension = 0;          // numbers a row
  std::vector<Item> items;             // one a row; paths relative to picture_root, or absolute
  std::vector<std::string> columns;    // names of Item::columns
  std::filesystem::path picture_root;  // absolute or relative to the working folder
  std::filesystem::path model_folder;  // copied in whole as gen-N/model: text tower, tokenizer
  std::string model_identity;          // checked by whoever brings an image embedding
};

// Writes the next generation of `folder` and publishes it; the one before stays for readers that are just
// opening it. Error(usage) for a factory that is not allowed or not for so few rows, Error(data) for items that
// do not match the rows, Error(failed) while another process writes here, for numbers that are not finite, a
// full disk.
void write_bundle(const std::filesystem::path& folder, const BundleContent& content,
                  const BundleOptions& options);

// Copies share one open bundle; any thread may ask. What it has open stays whole while new generations are
// published.
class Bundle {
 public:
  // Error(artifact) naming the file: no bundle, another format, damaged. Rows are mapped, small files verified;
  // `verify_all` hashes everything (index, evaluate, tests; a query skips rows and model files over 64 MB).
  // `root`, when not empty, is where the pictures lie instead: Error(usage) when it is no folder.
  static Bundle open(const std::filesystem::path& folder, bool verify_all = false,
                     const std::filesystem::path& root = {});
  std::int64_t size() const;
  std::int64_t dimension() const;
  std::filesystem::path model_folder() const;
  const std::string& model_identity() const;
  std::string factory() const;
  std::filesystem::path picture_root() const;  // absolute, found again after moves
  // The k best rows, (score descending, row ascending); fewer when the bundle is smaller.
  // Error(usage): a query of another dimension or with numbers that are not finite, k below 1.
  std::vector<Hit> search(std::span<const float> query, std::int64_t k) const;
  std::vector<Hit> search_exact(std::span<const float> query, std::int64_t k) const;
  std::span<const float> row(std::int64_t row) const;
  Item item(std::int64_t row) const;
  std::vector<std::string> columns() const;

 private:
  struct Impl;
  explicit Bundle(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

}  // namespace duet
