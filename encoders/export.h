// Writes the caption side of a model as the folder that QueryTower opens.
#pragma once
#include <filesystem>
#include <string>

#include "encoders/model.h"
#include "text/tokenizer.h"

namespace duet {

// text_toml: a recipe; its [text] and [[space]] tables are read again. Low-rank parts are merged into
// their weights. The folder must exist. Error(failed) on a full disk.
void export_text_side(Model& model, const Tokenizer& tokenizer, const std::string& text_toml,
                      const std::filesystem::path& folder);

}  // namespace duet
