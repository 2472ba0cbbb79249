// The approximate half of a search: FAISS (Johnson, Douze and Jegou 2017; HNSW: Malkov and Yashunin 2016)
// proposes row numbers, the rows themselves decide. A Flat bundle has no candidates file: its rows are scanned.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "retrieval/rows.h"

namespace duet {

// An index factory taken apart: "Flat", "IVF1024,Flat", "IVF1024,SQ8", "IVF1024,PQ32", "HNSW32", "HNSW32,SQ8".
struct Factory {
  enum class Kind { flat, ivf, hnsw };
  enum class Code { full, sq8, pq };
  Kind kind = Kind::flat;
  Code code = Code::full;
  std::int64_t lists = 0;       // IVFn: the number of lists
  std::int64_t neighbours = 0;  // HNSWm: the links a row
  std::int64_t parts = 0;       // PQm: the bytes a row
};
// Error(usage) naming what is allowed, also when `count` rows of `dimension` numbers are too few for it.
Factory parse_factory(std::string_view text, std::int64_t count, std::int64_t dimension);
// Flat below 200,000 rows, HNSW32 below 2,000,000, else IVFn,SQ8 with about 4 sqrt(count) lists.
std::string factory_for(std::int64_t count);

// Builds and writes the file of any factory but Flat. The graph of HNSW refers to the rows instead of holding a
// second copy. One thread when `reproducible`: two link another graph every time, and k-means sums in another
// order.
void write_candidates(const std::filesystem::path& file, const Factory& factory, std::span<const float> rows,
                      std::int64_t dimension, bool reproducible);

class Candidates {
 public:
  // `rows` must outlive this. Error(artifact) when the file does not belong to them.
  Candidates(const std::filesystem::path& file, const Factory& factory, const Rows& rows);
  ~Candidates();
  Candidates(Candidates&&) noexcept;
  // At most `count` distinct rows, in no particular order; more than one thread may ask.
  std::vector<std::int64_t> propose(std::span<const float> query, std::int64_t count) const;

 private:
  struct Index;
  std::unique_ptr<Index> index_;
};

}  // namespace duet
