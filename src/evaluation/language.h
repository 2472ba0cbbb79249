// What language objectives say of a text: what stands behind [MASK], how it goes on, what comes next.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "losses/shown.h"
#include "run/saved_model.h"

namespace duet {

struct Candidate {
  std::string piece;       // "▁heart"
  double probability = 0;  // of all pieces
  std::string text;        // the text with it; other masks hold their likeliest
};
// The `top` likeliest pieces for each "[MASK]" of the text, in its order. Error(usage) when it has none, or
// more pieces than the tower reads.
std::vector<std::vector<Candidate>> fill_masks(const SavedModel& saved, FillsMasks& objective,
                                               std::string_view text, std::int64_t top);

struct ContinueOptions {
  std::int64_t length = 16;  // most pieces to add
  std::int64_t top_k = 0;    // draw among this many likeliest; 0: among all
  double temperature = 0;    // 0: always the likeliest; 1: as likely as the model says; more is bolder
  std::uint64_t seed = 1;
};
struct Continuation {
  std::string text;  // the prompt and what was added
  struct Piece {
    std::string piece;
    double probability = 0;  // as the model says, whatever the temperature
  };
  std::vector<Piece> added;
  bool ended = false;  // the model said that the text ends here
};
Continuation continue_text(const SavedModel& saved, ContinuesTexts& objective, std::string_view prompt,
                           const ContinueOptions& options);

// Of each pair, how likely its second text is what stands behind the first.
std::vector<double> probabilities_of_next(const SavedModel& saved, JudgesNext& objective,
                                          const std::vector<std::pair<std::string, std::string>>& pairs);
double probability_of_next(const SavedModel& saved, JudgesNext& objective, const std::string& first,
                           const std::string& second);

}  // namespace duet
