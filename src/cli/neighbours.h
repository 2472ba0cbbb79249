// Words near a word, whichever vectors they have.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/options.h"
#include "text/word_table.h"

namespace duet {

struct NamedVectors {
  std::string name;  // what is said of them: "words-glove.txt", "the text tower's tokens"
  std::shared_ptr<const WordTable> vectors;
  // A word's vector and the name by which it is among the others; Error(usage) for a word without one.
  std::function<std::pair<std::string, std::vector<float>>(const std::string& word)> of;
  std::string text;  // what --export writes
};

// Exports, prints: the whole command once the vectors are there.
int show_neighbours(const NamedVectors& named, const NeighboursOptions& options);

}  // namespace duet
