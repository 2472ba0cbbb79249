#include "cli/front.h"

#include <variant>

namespace duet {

namespace {

struct Front {
  std::optional<int> operator()(const SearchOptions& options) const {
    if (!options.image.empty()) return std::nullopt;
    return run_search(options);
  }
  std::optional<int> operator()(const NeighboursOptions& options) const {
    return run_neighbours_of_file(options);
  }
  std::optional<int> operator()(const TokenizerTrainOptions& options) const {
    return run_tokenizer_train(options);
  }
  std::optional<int> operator()(const TokenizerEncodeOptions& options) const {
    return run_tokenizer_encode(options);
  }
  std::optional<int> operator()(const TokenizerDecodeOptions& options) const {
    return run_tokenizer_decode(options);
  }
  template <class Options>
  std::optional<int> operator()(const Options&) const {
    return std::nullopt;
  }
};

}  // namespace

std::optional<int> run_without_engine(const Command& command) { return std::visit(Front{}, command); }

}  // namespace duet
