// Validation split off by content, and the refusal of captions that say nothing.
#include <algorithm>
#include <limits>
#include <numeric>
#include <string_view>
#include <thread>
#include <unordered_map>

#include "core/checksum.h"
#include "core/error.h"
#include "core/format.h"
#include "core/log.h"
#include "core/random.h"
#include "datasets/camera_name.h"
#include "datasets/parallel_rows.h"
#include "datasets/source.h"

namespace duet {
namespace {

// Of the picture's bytes; of its path where there are none to read (drawn pictures, missing files).
std::vector<std::uint64_t> content_hashes(const Source& source) {
  std::vector<std::uint64_t> hashes(source.pairs.size());
  const auto hash = [&](std::int64_t row) {
    const auto i = static_cast<std::size_t>(row);
    hashes[i] = hash64(source.pairs[i].image);
    if (source.draw) return;
    try {
      const std::vector<std::byte> bytes = read_picture(source.path_of(source.pairs[i]));
      hashes[i] = hash64({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    } catch (const BadImage&) {  // it is counted when it is decoded
    }
  };
  parallel_rows(static_cast<std::int64_t>(hashes.size()), static_cast<int>(std::thread::hardware_concurrency()),
                hash);
  return hashes;
}

// Sets of rows that must not be parted (union-find).
class Groups {
 public:
  explicit Groups(std::size_t rows) : parent_(rows) { std::iota(parent_.begin(), parent_.end(), 0); }
  std::size_t of(std::size_t row) {
    while (parent_[row] != row) row = parent_[row] = parent_[parent_[row]];
    return row;
  }
  void unite(std::size_t a, std::size_t b) { parent_[of(a)] = of(b); }
  void unite_equal(const std::vector<std::uint64_t>& keys) {
    std::unordered_map<std::uint64_t, std::size_t> first;
    for (std::size_t row = 0; row < keys.size(); ++row)
      unite(row, first.try_emplace(keys[row], row).first->second);
  }

 private:
  std::vector<std::size_t> parent_;
};

// The concept's hash where a row has one, else its content's.
std::vector<std::uint64_t> concept_hashes(const Source& source, const std::vector<std::uint64_t>& contents) {
  std::vector<std::uint64_t> keys = contents;
  for (std::size_t row = 0; row < keys.size(); ++row)
    if (const std::string& key = source.pairs[row].concept_key; !key.empty())
      keys[row] = hash64(cat("concept ", key));
  return keys;
}

std::size_t count_distinct(std::vector<std::uint64_t> keys) {
  std::ranges::sort(keys);
  return static_cast<std::size_t>(std::ranges::unique(keys).begin() - keys.begin());
}

double share_of(std::uint64_t hash) { return static_cast<double>(hash >> 11) * 0x1p-53; }

}  // namespace

std::pair<Source, Source> split_off(const Source& source, double fraction) {
  const std::vector<std::uint64_t> contents = content_hashes(source);
  std::vector<std::uint64_t> keys = concept_hashes(source, contents);
  // With two or ten classes, leaving whole ones out would test something else than what is trained.
  if (static_cast<double>(count_distinct(keys)) * fraction < 2) keys = contents;
  Groups groups(keys.size());
  groups.unite_equal(keys);
  groups.unite_equal(contents);

  // A group's place in [0, 1) depends on what is in it, whatever the order of its rows.
  constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();
  std::vector<std::uint64_t> place(keys.size(), kNone);
  for (std::size_t row = 0; row < keys.size(); ++row)
    place[groups.of(row)] = std::min(place[groups.of(row)], mix(keys[row], "validation"));
  std::uint64_t lowest = kNone, highest = 0;
  for (std::size_t row = 0; row < keys.size(); ++row) {
    lowest = std::min(lowest, place[groups.of(row)]);
    highest = std::max(highest, place[groups.of(row)]);
  }
  if (keys.empty() || lowest == highest)
    fail(Exit::data, source.manifest.string(),
         "nothing can be split off for validation: all pictures are one and the same",
         "give more pictures, or a validation set of their own");

  std::vector<std::int64_t> train, validation;
  for (std::size_t row = 0; row < keys.size(); ++row) {
    const std::uint64_t at = place[groups.of(row)];
    const bool off = at != highest && (at == lowest || share_of(at) < fraction);
    (off ? validation : train).push_back(static_cast<std::int64_t>(row));
  }
  return {source.subset(train, source.name), source.subset(validation, "validation")};
}

void check_captions(const Source& source) {
  std::unordered_map<std::string_view, std::int64_t> counts;
  std::int64_t captions = 0, camera = 0;
  const Pair* named_by_camera = nullptr;
  for (const Pair& pair : source.pairs)
    for (const std::string& caption : pair.captions) {
      ++captions;
      ++counts[caption];
      if (!is_camera_name(caption)) continue;
      ++camera;
      if (named_by_camera == nullptr) named_by_camera = &pair;
    }
  if (captions == 0)
    fail(Exit::data, source.manifest.string(), "no captions", "training needs a caption for each picture");

  const auto percent = [&](std::int64_t count) { return cat(100 * count / captions, " %"); };
  if (2 * camera > captions)
    fail(Exit::data, source.place_of(*named_by_camera),
         cat(percent(camera), " of the captions are names that a camera gives, such as '",
             named_by_camera->captions[0], "'"),
         "write captions that say what is to be seen: a .csv with columns filepath and caption, or NAME.txt "
         "beside each picture");
  if (camera > 0)
    log_warning(cat(source.manifest.string(), ": ", camera, " of ", captions,
                    " captions are names that a camera gives, such as '", named_by_camera->captions[0], "'"));

  const auto most = std::ranges::max_element(counts, {}, [](const auto& entry) { return entry.second; });
  if (captions >= 2 && 10 * most->second > 9 * captions)
    fail(Exit::data, source.manifest.string(),
         cat(percent(most->second), " of the captions are equal: '", most->first, "'"),
         "captions must tell the pictures apart; is it the right column? (caption_columns)");
}

}  // namespace duet
