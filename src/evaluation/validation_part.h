// A part of labelled items to choose settings on, in whole concepts: so that what is chosen is good for new
// things, not for other pictures of known ones.
#pragma once
#include <cstdint>
#include <vector>

#include "datasets/labelled.h"

namespace duet {

struct ValidationPart {
  std::vector<std::int64_t> train, validation;  // rows, ascending; together all
};
// As nearly `share` of each class as whole groups (Labelled::groups; those that share a content count as one)
// allow; a class of one group is learned from. A function of the contents alone, not of their order.
// Error(data) when no class has two groups.
ValidationPart split_off_validation(const Labelled& items, double share);

}  // namespace duet
