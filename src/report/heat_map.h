// Who is taken for whom: a confusion matrix as a picture. Colour is the share of a row, so that rare classes
// show as well as frequent ones.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace duet {

struct HeatMap {
  std::string title;
  std::vector<std::string> names;                 // of the classes
  std::vector<std::vector<std::int64_t>> counts;  // [truth][answer]
};
// One <svg> to stand inside HTML; its colours are the page's where a style sheet sets them.
std::string heat_map_svg(const HeatMap& map);

}  // namespace duet
