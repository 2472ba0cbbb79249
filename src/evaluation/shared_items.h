// Items that stand on both sides of a test: in what is learned from and in what is asked. Learned by heart,
// they tell nothing.
#pragma once
#include <cstdint>
#include <map>
#include <vector>

#include "datasets/labelled.h"

namespace duet {

using SharedRows = std::map<std::int64_t, std::int64_t>;
// Rows of `learned`, each with the first row of `asked` that has the same content.
SharedRows shared_rows(const Labelled& learned, const Labelled& asked);
// Error(data) with the list of them, where there are any.
void refuse_shared(const Labelled& learned, const Labelled& asked, const SharedRows& shared);

// What may be learned from when `asked` is asked: refused is what it holds too, or left out. Error(data) naming
// the classes of which nothing is left.
Labelled apart_from(Labelled learned, const Labelled& asked, bool leave_out);

// "a.csv:3 = a.csv:9": equal items under different labels, one of which is wrong.
std::vector<std::string> contradictions(const Labelled& items);
void warn_of_contradictions(const Labelled& items);

// Other pictures of the same thing are allowed, but said aloud: they are easier than new things.
void tell_shared_concepts(const Labelled& learned, const Labelled& asked);

// One warning where some have concepts and some none, so that a thing that is in both is not known by them.
void warn_of_missing_concepts(const std::vector<const Labelled*>& all);

}  // namespace duet
