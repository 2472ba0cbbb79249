// What the commands that use a saved model share.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "evaluation/embed.h"
#include "run/saved_model.h"

namespace duet {

EmbedSetting embed_setting_of(const SavedModel& saved, int batch);
// One warning: how many pictures cannot be read, and the first ten with why.
void warn_bad_pictures(const Source& source, const BadRows& bad);
// --images: a manifest or a folder; captions are kept where there are some.
Source read_pictures(const std::string& images, const std::string& root, const Recipe& recipe);

}  // namespace duet
