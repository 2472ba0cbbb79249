// What the commands that use a saved model share.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "evaluation/embed.h"
#include "run/saved_model.h"

namespace duet {

// max_bad_fraction < 0: the recipe's.
EmbedSetting embed_setting_of(const SavedModel& saved, int batch, double max_bad_fraction);
// One warning: how many pictures cannot be read, what becomes of them, and the first ten with why.
void warn_bad_pictures(const Source& source, const BadRows& bad, std::string_view fate = "left out");
// --images: a manifest or a folder; captions are kept where there are some.
Source read_pictures(const std::string& images, const std::string& root, const Recipe& recipe);
// Makes a folder for results and what lies above it; whether it was not there. Error(failed).
bool make_folder(const std::filesystem::path& folder);

}  // namespace duet
