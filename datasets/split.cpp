// Validation split off by content, and the refusal of captions that say nothing.
#include <algorithm>
#include <cmath>
#include <limits>
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
#include "datasets/row_groups.h"
#include "datasets/source.h"

namespace duet {
namespace {

// Of all that a sentence's document says, whatever its number and the order of the rows.
std::vector<std::uint64_t> document_hashes(const Source& source) {
  std::unordered_map<std::string_view, std::uint64_t> documents;
  std::vector<std::uint64_t> hashes(source.pairs.size());
  for (std::size_t row = 0; row < hashes.size(); ++row) {
    for (const std::string& sentence : source.pairs[row].captions) hashes[row] += mix(hash64(sentence), "said");
    documents[source.pairs[row].concept_key] += hashes[row];
  }
  for (std::size_t row = 0; row < hashes.size(); ++row)
    if (const std::string& key = source.pairs[row].concept_key; !key.empty()) hashes[row] = documents.at(key);
  return hashes;
}

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

// Rows that stay together. The place depends on what is in the group, whatever the order of its rows.
struct Group {
  std::uint64_t place = std::numeric_limits<std::uint64_t>::max();
  std::int64_t rows = 0;
  bool off = false;
};

// The groups whose turn it is until `wanted` rows are off; one that is larger than what is left is passed over.
// Where all are larger, the smallest.
void choose(std::vector<Group*> groups, std::int64_t wanted) {
  std::ranges::sort(groups, {}, &Group::place);
  std::int64_t left = wanted;
  for (Group* group : groups) {
    group->off = group->rows <= left;
    if (group->off) left -= group->rows;
  }
  if (left == wanted) (*std::ranges::min_element(groups, {}, &Group::rows))->off = true;
}

}  // namespace

std::pair<Source, Source> split_off(const Source& source, double fraction) {
  const bool is_text = !source.has_pictures();
  const std::vector<std::uint64_t> contents = is_text ? document_hashes(source) : content_hashes(source);
  std::vector<std::uint64_t> keys = is_text ? contents : concept_hashes(source, contents);
  // With two or ten classes, leaving whole ones out would test something else than what is trained.
  if (static_cast<double>(count_distinct(keys)) * fraction < 2) keys = contents;
  RowGroups groups(keys.size());
  groups.unite_equal(keys);
  groups.unite_equal(contents);

  std::unordered_map<std::size_t, Group> parts;
  for (std::size_t row = 0; row < keys.size(); ++row) {
    Group& group = parts[groups.of(row)];
    group.place = std::min(group.place, mix(keys[row], "validation"));
    ++group.rows;
  }
  const std::string_view things = is_text ? "documents or sentences" : "pictures";
  if (parts.size() < 2)
    fail(Exit::data, source.manifest.string(),
         cat("nothing can be split off for validation: all ", things, " are one and the same"),
         cat("give more ", things, ", or a validation set of their own"));
  std::vector<Group*> all;
  for (auto& [root, group] : parts) all.push_back(&group);
  const auto rows = static_cast<std::int64_t>(keys.size());
  choose(all, std::clamp<std::int64_t>(std::llround(fraction * static_cast<double>(rows)), 1, rows - 1));

  std::vector<std::int64_t> train, validation;
  for (std::size_t row = 0; row < keys.size(); ++row)
    (parts.at(groups.of(row)).off ? validation : train).push_back(static_cast<std::int64_t>(row));
  return {source.subset(train, source.name), source.subset(validation, "validation")};
}

void check_captions(const Source& source) {
  std::unordered_map<std::string_view, std::int64_t> counts;
  std::int64_t captions = 0, camera = 0;
  const bool has_pictures = source.has_pictures();
  const Pair* named_by_camera = nullptr;
  for (const Pair& pair : source.pairs)
    for (const std::string& caption : pair.captions) {
      ++captions;
      ++counts[caption];
      if (!has_pictures || !is_camera_name(caption)) continue;
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
         cat(percent(most->second), " of the ", has_pictures ? "captions" : "sentences", " are equal: '",
             most->first, "'"),
         has_pictures ? "captions must tell the pictures apart; is it the right column? (caption_columns)"
                      : "a text teaches by sentences that differ");
}

}  // namespace duet
