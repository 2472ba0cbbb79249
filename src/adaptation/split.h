// Few-shot splits that cannot leak: support, validation and test share no concept and no content, and the
// methods see the labels of the first two alone (CoOp's protocol, Zhou et al. 2022: min(shots, 4) a class to
// choose on).
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "datasets/labelled.h"

namespace duet {

// Rows of the labelled data that is drawn from.
struct FewShotSplit {
  std::int64_t shots = 0;
  std::uint64_t seed = 0;
  std::vector<std::int64_t> support, validation;  // ascending; `shots` and validation_shots() a class
};

// A share of the shots where one is given: four items choose badly between classifiers of a thousand.
inline std::int64_t validation_shots(std::int64_t shots, double share = 0) {
  if (share <= 0) return std::min<std::int64_t>(shots, 4);
  return std::max<std::int64_t>(1, std::llround(share * static_cast<double>(shots)));
}

// What is drawn from, and what is asked in the end. Without data of its own the test part is taken from the
// same items, in whole groups, about a share `test_share` of each class, at least one item where it has two and
// never all: a function of the contents alone, the same for all seeds and shots.
struct FewShotPool {
  // Rows of the pool's data that may be drawn: each content once, no file that cannot be read, and none that
  // stands in two classes, which is said aloud.
  std::vector<std::int64_t> rows;
  std::vector<std::int64_t> test;  // rows of the test data (the same data where there is no other)
  std::vector<std::int64_t> kept_for_test = {};  // by class, of the same items; empty: test data of its own
};
FewShotPool make_pool(const Labelled& items, double test_share);
// Test data of its own: rows of `items` whose concept or content is in it are never drawn. Both have the same
// classes. Error(data) listing the pictures that stand in both (content), unless leave_out, and classes of
// which nothing is left.
FewShotPool make_pool(const Labelled& items, const Labelled& test, bool leave_out);

// One split for each seed (1 to `seeds`) x shots. Support and validation are nested: those of 2 shots hold
// those of 1. Concepts first: validation gets as large a share of a class's concepts as of its items, and the
// shots come from as many concepts as the rest has. A class whose items are all of one concept is split by
// content, and a warning says so. Error(data) naming every class that does not allow `shots` and
// validation_shots() of other concepts, and the largest number of shots that all classes allow.
std::vector<FewShotSplit> make_splits(const Labelled& items, const FewShotPool& pool,
                                      const std::vector<std::int64_t>& shots, std::int64_t seeds,
                                      double validation_share = 0);
// Classes for which make_splits refuses, in their order.
std::vector<std::string> too_small_classes(const Labelled& items, const FewShotPool& pool, std::int64_t shots,
                                           std::int64_t seeds, double validation_share = 0);

// A JSON file: contents instead of row numbers, so that it holds for any order of the manifest; it carries a
// checksum of itself.
struct FewShotSplits {
  FewShotPool pool;
  std::vector<FewShotSplit> splits;
};
void write_splits(const std::filesystem::path& file, const Labelled& items, const Labelled& test,
                  const FewShotSplits& splits);
// Error(artifact) when the file was changed, Error(data) when items that it names are not there or have another
// label or concept than then, or the classes are others.
FewShotSplits read_splits(const std::filesystem::path& file, const Labelled& items, const Labelled& test);
std::vector<std::string> classes_of_splits(const std::filesystem::path& file);

// Rows of each content, in an order that is not the manifest's; the first one stands for it where it may be
// drawn but once. Files that cannot be read have none.
std::map<std::string, std::vector<std::int64_t>> rows_by_content(const Labelled& items);

}  // namespace duet
