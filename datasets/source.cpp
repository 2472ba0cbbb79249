#include "datasets/source.h"

#include <algorithm>
#include <array>
#include <bit>

#include "core/checksum.h"
#include "core/error.h"
#include "core/format.h"
#include "datasets/formats/format.h"

namespace duet {
namespace {

struct DataFormat {
  std::string_view name;
  bool (*recognizes)(const SourceOptions&);
  Source (*read)(const SourceOptions&, bool need_captions);
};

constexpr std::array kFormats = {DataFormat{"shapes", is_shapes, read_shapes},
                                 DataFormat{"image_folder", is_image_folder, read_image_folder},
                                 DataFormat{"sentences", is_sentences, read_sentences},
                                 DataFormat{"tsv", is_tsv, read_tsv}};

constexpr std::string_view kRemedy =
    "give a manifest (.csv, .tsv), a folder of pictures, a text (.txt), or 'shapes'";

std::vector<std::string> format_names() {
  std::vector<std::string> names = {"auto"};
  for (const DataFormat& format : kFormats) names.emplace_back(format.name);
  return names;
}

const DataFormat& format_of(const SourceOptions& options) {
  for (const DataFormat& format : kFormats)
    if (options.format == "auto" ? format.recognizes(options) : format.name == options.format) return format;
  if (options.format == "auto") fail(Exit::data, options.data, "no such file or folder", kRemedy);
  const std::vector<std::string> names = format_names();
  fail(Exit::usage, {}, cat("unknown data format '", options.format, "'", did_you_mean(options.format, names)),
       cat("formats: ", joined(names)));
}

}  // namespace

std::string Source::place_of(const Pair& pair) const {
  return pair.line > 0 ? cat(manifest.string(), ":", pair.line) : path_of(pair).string();
}

bool Source::has_pictures() const {
  return draw || std::ranges::any_of(pairs, [](const Pair& pair) { return !pair.image.empty(); });
}

bool Source::has_texts() const {
  const auto says_something = [](const std::string& caption) { return !caption.empty(); };
  return std::ranges::any_of(
      pairs, [&](const Pair& pair) { return std::ranges::any_of(pair.captions, says_something); });
}

bool Source::has_follows() const {
  for (std::size_t row = 0; row < pairs.size(); ++row)
    if (!follows(static_cast<std::int64_t>(row)).empty()) return true;
  return false;
}

std::vector<std::string> Source::follows(std::int64_t row, std::size_t caption) const {
  const auto at = static_cast<std::size_t>(row);
  const Pair& pair = pairs.at(at);
  std::vector<std::string> beside;
  if (caption >= pair.captions.size()) return beside;
  if (pair.image.empty()) {
    // Of a part of a source only sentences that stood one line apart follow each other.
    const bool goes_on = !pair.concept_key.empty() && at + 1 < pairs.size() &&
                         pairs[at + 1].concept_key == pair.concept_key && pairs[at + 1].line == pair.line + 1;
    if (goes_on) beside = pairs[at + 1].captions;
  } else {
    const std::string& own = pair.captions[caption];
    std::ranges::copy_if(pair.captions, std::back_inserter(beside),
                         [&](const std::string& other) { return !other.empty() && other != own; });
  }
  return beside;
}

std::int64_t Source::image_id(std::int64_t row) const {
  const Pair& pair = pairs.at(static_cast<std::size_t>(row));
  if (!pair.image.empty()) return std::bit_cast<std::int64_t>(hash64(pair.image));
  return std::bit_cast<std::int64_t>(hash64(cat("line ", pair.line, "\n", joined(pair.captions, "\n"))));
}

std::int64_t Source::concept_id(std::int64_t row) const {
  const std::string& key = pairs.at(static_cast<std::size_t>(row)).concept_key;
  return key.empty() ? image_id(row) : std::bit_cast<std::int64_t>(hash64(key));
}

Source Source::subset(const std::vector<std::int64_t>& chosen, std::string new_name) const {
  Source part{std::move(new_name), manifest, root, columns, {}, static_cast<std::int64_t>(chosen.size()), {}};
  part.pairs.reserve(chosen.size());
  for (const std::int64_t row : chosen) part.pairs.push_back(pairs.at(static_cast<std::size_t>(row)));
  if (draw)
    part.draw = [whole = draw, chosen](std::int64_t row) {
      return whole(chosen.at(static_cast<std::size_t>(row)));
    };
  return part;
}

SourceOptions read_source_options(Config& config, std::string_view data_key) {
  SourceOptions o;
  o.data = config.text(data_key, o.data);
  o.format = config.choice("format", o.format, format_names());
  o.root = config.text("root", o.root);
  o.image_column = config.text("image_column", o.image_column);
  o.caption_columns = config.texts("caption_columns", o.caption_columns);
  o.concept_column = config.text("concept_column", o.concept_column);
  o.shapes_count = config.integer("shapes_count", o.shapes_count, 1, 100'000'000);
  o.shapes_seed = static_cast<std::uint64_t>(
      config.integer("shapes_seed", static_cast<std::int64_t>(o.shapes_seed), 0, std::int64_t{1} << 62));
  return o;
}

Source read_source(const SourceOptions& options, bool need_captions) {
  if (options.data.empty()) fail(Exit::usage, {}, "no data given", kRemedy);
  Source source = format_of(options).read(options, need_captions);
  if (!need_captions) return source;
  std::int64_t bare = 0;
  const Pair* first = nullptr;
  for (Pair& pair : source.pairs) {
    std::erase(pair.captions, std::string());
    if (!pair.captions.empty()) continue;
    ++bare;
    if (first == nullptr) first = &pair;
  }
  if (first != nullptr)
    fail(Exit::data, source.place_of(*first),
         cat("'", first->image, "' has no caption", bare > 1 ? cat(" (nor have ", bare - 1, " more)") : ""),
         "a caption may not be empty: write one or leave the picture out");
  return source;
}

}  // namespace duet
