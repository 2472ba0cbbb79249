#include "training/training_data.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/error.h"
#include "core/format.h"
#include "core/log.h"
#include "training/objectives.h"

namespace duet {
namespace {

// Concepts are what keeps equal drawings together; a picture in both parts would make validation a memory test.
void check_disjoint(const Source& train, const Source& validation) {
  if (!validation.has_pictures()) return;
  std::set<std::string> pictures;
  for (const Pair& pair : train.pairs) pictures.insert(train.path_of(pair).lexically_normal().string());
  for (const Pair& pair : validation.pairs) {
    const std::string path = validation.path_of(pair).lexically_normal().string();
    if (!pictures.contains(path) || train.draw) continue;
    fail(Exit::data, cat(validation.manifest.string(), ":", pair.line),
         cat("'", pair.image, "' is a training picture too"), "keep training and validation pictures apart");
  }
}

// Files that are not there at all are found at once; those that cannot be decoded when their turn comes.
void check_there(const Source& source, double max_bad_fraction) {
  if (source.draw || !source.has_pictures()) return;
  std::map<std::int64_t, std::string> missing;
  for (std::size_t row = 0; row < source.pairs.size(); ++row) {
    std::error_code none;
    const auto type = std::filesystem::status(source.path_of(source.pairs[row]), none).type();
    if (type == std::filesystem::file_type::not_found)
      missing.emplace(static_cast<std::int64_t>(row), "no such file");
  }
  check_bad_pictures(source, missing, {.fraction = max_bad_fraction});
}

std::string rows_of(const Source& source) { return source.has_pictures() ? "pictures" : "sentences"; }

// A batch of one has nothing to be told apart from.
void check_count(const TrainingData& data, bool split) {
  constexpr std::size_t kLeast = 2;
  const std::size_t trained = data.train.pairs.size(), kept = split ? data.validation.front().pairs.size() : 0;
  if (trained >= kLeast) return;
  const std::string rows = rows_of(data.train);
  fail(Exit::data, data.train.manifest.string(),
       cat("holds ", trained + kept, " ", trained + kept == 1 ? rows.substr(0, rows.size() - 1) : rows,
           kept > 0 ? cat(", ", kept, " of them for validation") : ""),
       cat("give at least ", kLeast + kept, " ", rows));
}

void check_towers(const Recipe& recipe, const Source& source) {
  if (recipe.model.image && !source.has_pictures())
    fail(Exit::data, source.manifest.string(), "holds no pictures, which the recipe's [image] tower is to see",
         "leave [image] out to train on texts alone");
}

// All rows or none: a step of texts has no use for a row without one.
void check_captioned(const Source& source) {
  const auto is_bare = [](const Pair& pair) { return pair.captions.empty(); };
  const auto bare = std::find_if(source.pairs.begin(), source.pairs.end(), is_bare);
  if (!source.has_texts() || bare == source.pairs.end()) return;
  fail(Exit::data, source.place_of(*bare), cat("'", bare->image, "' has no caption, and others have one"),
       "leave the row out, or give all or none a caption");
}

// Pictures without captions and texts without pictures are what these are for.
void read_beside(const Recipe& recipe, const std::string& root, TrainingData& data) {
  const auto read = [&](SourceOptions options, const std::string& name) {
    if (!root.empty()) options.root = root;
    Source source = read_recipe_source(options, false);
    for (Pair& pair : source.pairs) std::erase(pair.captions, std::string());
    source.name = name;
    return source;
  };
  for (const SideSource& spec : recipe.data.beside) {
    data.beside.push_back(read(spec.options, spec.name));
    check_captioned(data.beside.back());
    for (const Source& split : data.validation) check_disjoint(data.beside.back(), split);
    SourceOptions held_out = spec.options;
    held_out.data = spec.validation;
    data.beside_validation.push_back(spec.validation.empty() ? Source{} : read(held_out, spec.name));
  }
}

}  // namespace

TrainingData read_training_data(const Recipe& recipe, const std::string& root) {
  const bool need_captions = static_cast<bool>(recipe.model.text.make);
  const auto read = [&](SourceOptions options) {
    if (!root.empty()) options.root = root;
    return read_recipe_source(options, need_captions);
  };
  TrainingData data;
  data.train = read(recipe.data.train);
  data.train.name = "pairs";
  check_towers(recipe, data.train);
  if (need_captions) check_captions(data.train);
  for (const NamedSource& split : recipe.data.validation) {
    SourceOptions options = split.options;
    if (!recipe.data.query_columns.empty()) options.caption_columns = recipe.data.query_columns;
    data.validation.push_back(read(options));
    data.validation.back().name = split.name;
    check_disjoint(data.train, data.validation.back());
  }
  if (recipe.data.split > 0) {
    auto [train, validation] = split_off(data.train, recipe.data.split);
    if (!recipe.data.query_columns.empty()) {  // the same pictures, asked for by other columns
      SourceOptions asked = recipe.data.train;
      asked.caption_columns = recipe.data.query_columns;
      asked.aloud = false;
      validation = split_off(read(asked), recipe.data.split).second;
    }
    data.train = std::move(train);
    data.train.name = "pairs";
    data.validation = {std::move(validation)};
    data.validation.front().name = "validation";
    log_info(
        cat("validation: ", grouped(static_cast<std::int64_t>(data.validation.front().pairs.size())), " of ",
            grouped(static_cast<std::int64_t>(data.train.pairs.size() + data.validation.front().pairs.size())),
            " ", rows_of(data.train), " split off"));
  }
  if (recipe.data.train_share < 1) {
    const std::size_t all = data.train.pairs.size();
    data.train = split_off(data.train, recipe.data.train_share).second;
    data.train.name = "pairs";
    log_info(cat("training on ", grouped(static_cast<std::int64_t>(data.train.pairs.size())), " of ",
                 grouped(static_cast<std::int64_t>(all)), " ", rows_of(data.train)));
  }
  check_count(data, recipe.data.split > 0);
  read_beside(recipe, root, data);
  check_data(recipe, data);
  if (!recipe.model.image) return data;
  const double max_bad_fraction = recipe.data.loader.max_bad_fraction;
  for (const auto* sources : {&data.validation, &data.beside, &data.beside_validation})
    for (const Source& source : *sources) check_there(source, max_bad_fraction);
  check_there(data.train, max_bad_fraction);
  return data;
}

std::vector<std::string> captions_of(const Source& source) {
  std::vector<std::string> captions;
  for (const Pair& pair : source.pairs)
    captions.insert(captions.end(), pair.captions.begin(), pair.captions.end());
  return captions;
}

std::vector<std::string> training_texts(const TrainingData& data) {
  std::vector<std::string> texts = captions_of(data.train);
  for (const Source& source : data.beside) {
    const std::vector<std::string> more = captions_of(source);
    texts.insert(texts.end(), more.begin(), more.end());
  }
  return texts;
}

}  // namespace duet
