#include <map>
#include <set>

#include "core/error.h"
#include "core/format.h"
#include "core/log.h"
#include "training/trainer.h"

namespace duet {
namespace {

// Concepts are what keeps equal drawings together; a picture in both parts would make validation a memory test.
void check_disjoint(const Source& train, const Source& validation) {
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
  if (source.draw) return;
  std::map<std::int64_t, std::string> missing;
  for (std::size_t row = 0; row < source.pairs.size(); ++row) {
    std::error_code none;
    const auto type = std::filesystem::status(source.path_of(source.pairs[row]), none).type();
    if (type == std::filesystem::file_type::not_found)
      missing.emplace(static_cast<std::int64_t>(row), "no such file");
  }
  check_bad_pictures(source, missing, {.fraction = max_bad_fraction});
}

// A batch of one has nothing to be told apart from.
void check_count(const TrainingData& data, bool split) {
  constexpr std::size_t kLeast = 2;
  const std::size_t trained = data.train.pairs.size(), kept = split ? data.validation.front().pairs.size() : 0;
  if (trained >= kLeast) return;
  fail(Exit::data, data.train.manifest.string(),
       cat("holds ", trained + kept, trained + kept == 1 ? " picture" : " pictures",
           kept > 0 ? cat(", ", kept, " of them for validation") : ""),
       cat("give at least ", kLeast + kept, " pictures"));
}

}  // namespace

TrainingData read_training_data(const Recipe& recipe, const std::string& root) {
  const auto read = [&](SourceOptions options) {
    if (!root.empty()) options.root = root;
    return read_recipe_source(options);
  };
  TrainingData data;
  data.train = read(recipe.data.train);
  check_captions(data.train);
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
    data.validation = {std::move(validation)};
    data.validation.front().name = "validation";
    log_info(
        cat("validation: ", grouped(static_cast<std::int64_t>(data.validation.front().pairs.size())), " of ",
            grouped(static_cast<std::int64_t>(data.train.pairs.size() + data.validation.front().pairs.size())),
            " pictures split off"));
  }
  check_count(data, recipe.data.split > 0);
  const double max_bad_fraction = recipe.data.loader.max_bad_fraction;
  check_there(data.train, max_bad_fraction);
  for (const Source& split : data.validation) check_there(split, max_bad_fraction);
  return data;
}

}  // namespace duet
