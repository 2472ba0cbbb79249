// Labelled items of given classes, concepts and contents, and what splits of them hold.
#pragma once
#include <numeric>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "adaptation/split.h"
#include "core/format.h"
#include "core/random.h"

namespace duet {

using Rows = std::vector<std::int64_t>;

struct Item {
  std::int64_t label = 0;
  std::string group, content;
};

inline Labelled labelled(const std::vector<Item>& items, std::int64_t classes,
                         const std::string& name = "photos.csv") {
  Labelled all;
  all.source.manifest = name;
  for (std::int64_t label = 0; label < classes; ++label) all.classes.push_back(cat("class ", label));
  for (const Item& item : items) {
    const auto row = static_cast<std::int64_t>(all.source.pairs.size());
    all.source.pairs.push_back({.image = cat(item.group, "/", item.content, "/", row), .line = row + 2});
    all.labels.push_back({item.label});
    all.groups.push_back(item.group);
    all.contents.push_back(item.content);
  }
  return all;
}

// Concepts of all sizes, pictures under two names, concepts that stand in several classes.
inline Labelled irregular(std::uint64_t seed) {
  Random random(seed);
  std::vector<Item> items;
  for (int k = 0; k < 150; ++k) {
    const auto label = static_cast<std::int64_t>(k % 5);
    const std::uint64_t size = 1 + random.below(6);
    for (std::uint64_t i = 0; i < size; ++i) items.push_back({label, cat("k", k), cat(k, ".", i)});
  }
  for (int i = 0; i < 30; ++i) {  // the bytes of another of the class, under a concept of another name
    Item copy = items[random.below(items.size())];
    copy.group = cat("k", 5 * random.below(30) + static_cast<std::uint64_t>(copy.label));
    items.push_back(copy);
  }
  for (int i = 0; i < 12; ++i)
    for (std::int64_t label = 0; label < 2; ++label)
      items.push_back({label, cat("both", i), cat("b", i, label)});
  return labelled(items, 5);
}

inline std::set<std::string> named(const std::vector<std::string>& names, const Rows& rows) {
  std::set<std::string> found;
  for (const std::int64_t row : rows) found.insert(names.at(static_cast<std::size_t>(row)));
  return found;
}

inline Labelled shuffled(const Labelled& items, std::uint64_t seed) {
  Rows order(static_cast<std::size_t>(items.size()));
  std::iota(order.begin(), order.end(), 0);
  Random(seed).shuffle(std::span(order));
  return subset(items, order);
}

// What each part holds, by the name of the picture.
inline std::vector<std::set<std::string>> parts(const Labelled& items, const FewShotPool& pool,
                                                const std::vector<FewShotSplit>& splits) {
  std::vector<std::string> images;
  for (const Pair& pair : items.source.pairs) images.push_back(pair.image);
  std::vector<std::set<std::string>> found = {named(images, pool.rows), named(images, pool.test)};
  for (const FewShotSplit& split : splits) {
    found.push_back(named(images, split.support));
    found.push_back(named(images, split.validation));
  }
  return found;
}

}  // namespace duet
