#include "cli/engine/run_setting.h"

#include "core/error.h"
#include "core/format.h"
#include "core/log.h"

namespace duet {

EmbedSetting embed_setting_of(const SavedModel& saved, int batch, double max_bad_fraction) {
  set_compute_threads(0);
  EmbedSetting setting = embed_setting_of(saved);
  setting.batch = batch;
  setting.bad_pictures.key = "--max-bad-fraction";
  if (max_bad_fraction >= 0) setting.bad_pictures.fraction = max_bad_fraction;
  return setting;
}

void warn_bad_pictures(const Source& source, const BadRows& bad, std::string_view fate) {
  if (bad.empty()) return;
  std::vector<std::string> list;
  for (const auto& [row, why] : bad)
    list.push_back(cat(source.pairs[static_cast<std::size_t>(row)].image, ": ", why));
  log_warning(bad_picture_list(list, source.pairs.size(), fate));
}

Source read_pictures(const std::string& images, const std::string& root, const Recipe& recipe) {
  SourceOptions options{.data = images, .root = root};
  options.image_column = recipe.data.train.image_column;
  options.concept_column = recipe.data.train.concept_column;
  return read_source(options, false);
}

bool make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  const bool made = std::filesystem::create_directories(folder, error);
  if (error) fail(Exit::failed, folder.string(), cat("cannot be made: ", error.message()));
  return made;
}

}  // namespace duet
