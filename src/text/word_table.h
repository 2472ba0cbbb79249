// Vectors of words, in word2vec's text format: a line "COUNT DIMENSION", then a word and its numbers a line.
#pragma once
#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace duet {

class WordTable {
 public:
  explicit WordTable(std::size_t dimension) : dimension_(dimension) {}
  // `name` is what errors call it. Error(artifact) naming the line: no header, a word given twice, too few or
  // many numbers or lines, what is no number.
  static WordTable parse(std::string_view text, std::string_view name);
  std::string text() const;  // parse() gives the same vectors back

  void add(const std::string& word, std::span<const float> vector);
  std::size_t size() const { return words_.size(); }
  std::size_t dimension() const { return dimension_; }
  const std::vector<std::string>& words() const { return words_; }
  std::span<const float> at(std::size_t row) const { return {numbers_.data() + row * dimension_, dimension_}; }
  std::optional<std::size_t> find(const std::string& word) const;

  struct Neighbour {
    std::string word;
    double cosine = 0;
  };
  // By falling cosine, equals in the file's order; `without` are left out.
  std::vector<Neighbour> nearest(std::span<const float> query, std::size_t count,
                                 const std::vector<std::string>& without) const;

 private:
  std::size_t dimension_;
  std::vector<std::string> words_;
  std::vector<float> numbers_;  // [words, dimension]
  std::map<std::string, std::size_t, std::less<>> rows_;
};

// "king - man + woman": words with signs. Error(usage) for two words without a sign between them, or a sign
// without a word.
struct SignedWord {
  std::string word;
  double sign = 1;
};
std::vector<SignedWord> read_sum(std::string_view expression);

// Unit vectors, added with their signs (3CosAdd: Mikolov et al. 2013, Levy and Goldberg 2014). `vectors` one
// for each word of the sum.
std::vector<float> signed_sum(const std::vector<SignedWord>& sum,
                              const std::vector<std::vector<float>>& vectors);

}  // namespace duet
