// The commands that need neither LibTorch nor OpenCV; each returns the exit code.
#pragma once
#include <optional>

#include "cli/options.h"

namespace duet {

int run_search(const SearchOptions& options);                                 // by text
std::optional<int> run_neighbours_of_file(const NeighboursOptions& options);  // nothing: of the text tower
int run_tokenizer_train(const TokenizerTrainOptions& options);
int run_tokenizer_encode(const TokenizerEncodeOptions& options);
int run_tokenizer_decode(const TokenizerDecodeOptions& options);

// The exit code, or nothing when the command belongs to the engine.
std::optional<int> run_without_engine(const Command& command);

}  // namespace duet
