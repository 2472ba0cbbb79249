#include "cli/engine/run_setting.h"

#include "core/error.h"
#include "core/format.h"
#include "core/log.h"

namespace duet {

EmbedSetting embed_setting_of(const SavedModel& saved, int batch, double max_bad_fraction) {
  set_compute_threads(0);
  return {.model = saved.model.get(),
          .tokenizer = saved.tokenizer ? &*saved.tokenizer : nullptr,
          .text_format = saved.recipe.model.text.format,
          .pad_to_context = saved.recipe.model.text.pad_to_context,
          .preprocessing = saved.recipe.preprocessing,
          .device = saved.device,
          .precision = choose_precision(saved.recipe.train.precision, saved.device),
          .batch = batch,
          .max_pixels = saved.recipe.data.loader.max_pixels,
          .bad_pictures = {
              .fraction = max_bad_fraction < 0 ? saved.recipe.data.loader.max_bad_fraction : max_bad_fraction,
              .key = "--max-bad-fraction"}};
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
