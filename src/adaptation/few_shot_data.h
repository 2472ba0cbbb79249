// What a few-shot study is about: the items that may be drawn, those that are asked in the end, and what the
// towers say of all.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "adaptation/split.h"
#include "datasets/labelled.h"
#include "evaluation/features.h"

namespace duet {

struct FewShotData {
  Labelled items;                    // drawn from
  std::optional<Labelled> own_test;  // none: the test part is kept of `items`
  FewShotPool pool;
  Features features = {}, own_test_features = {};

  const Labelled& test() const { return own_test ? *own_test : items; }
  const Features& test_features() const { return own_test ? own_test_features : features; }
  const std::vector<std::string>& classes() const { return test().classes; }
  std::vector<std::string> test_groups() const;  // [tests] Labelled::groups of the test part
};

// A test part of the items' own.
FewShotData few_shot_data(Labelled items, double test_share);
// The classes of `test` are those that count: items of other classes are left out, and said. Error(data) naming
// classes that no item has.
FewShotData few_shot_data(Labelled items, Labelled test, bool leave_out_shared);

// The items of other classes are out: drawn from, asked, and of the features that are there.
void keep_classes(FewShotData& data, const std::vector<std::string>& classes);
// Without the classes that are too small for so many shots and validation, which is said. Error(data) where
// fewer than two are left.
void leave_out_small(FewShotData& data, std::int64_t shots, std::int64_t seeds, double validation_share = 0);

// Splits of a file that were not drawn just now keep to the same rules. Error(data) naming items that make_pool
// would not draw from (`data` is as few_shot_data made it), and those of one concept or content on two sides.
void check_replayed(const FewShotData& data, const FewShotSplits& splits, const std::string& file);

// Pictures that cannot be read are neither drawn nor asked; Error(data) where none is left to ask. The features
// are there.
void drop_unreadable(FewShotData& data);

// Error(data) naming the pictures of a split that cannot be read: one that is replayed may have such.
void check_readable(const FewShotData& data, const std::vector<FewShotSplit>& splits);

// The same items without anything that tells their classes, but the path of a picture and what a text says.
Labelled without_labels(const Labelled& items);

}  // namespace duet
