#include "text/word_table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <sstream>

#include "core/error.h"
#include "core/format.h"

namespace duet {
namespace {

constexpr std::size_t kMostNumbers = 1 << 20;  // a vector
constexpr std::string_view kFormat =
    "expected is word2vec's text format: COUNT DIMENSION, then a word and its numbers a line";

std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> fields;
  while (true) {
    const std::size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return fields;
    const std::size_t end = std::min(line.find_first_of(" \t\r", begin), line.size());
    fields.push_back(line.substr(begin, end - begin));
    line.remove_prefix(end);
  }
}

template <class Number>
std::optional<Number> number_of(std::string_view field) {
  Number value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc() || end != field.data() + field.size()) return {};
  return value;
}

double length_of(std::span<const float> vector) {
  double sum = 0;
  for (const float x : vector) sum += static_cast<double>(x) * x;
  return std::sqrt(sum);
}

}  // namespace

void WordTable::add(const std::string& word, std::span<const float> vector) {
  rows_.emplace(word, words_.size());
  words_.push_back(word);
  numbers_.insert(numbers_.end(), vector.begin(), vector.end());
}

std::optional<std::size_t> WordTable::find(const std::string& word) const {
  const auto found = rows_.find(word);
  return found == rows_.end() ? std::nullopt : std::optional(found->second);
}

WordTable WordTable::parse(std::string_view text, std::string_view name) {
  std::size_t number = 0;
  const auto refuse = [&](std::string_view what) {
    fail(Exit::artifact, number > 0 ? cat(name, ":", number) : std::string(name), what, kFormat);
  };
  const auto next_line = [&text, &number] {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    return line;
  };
  const auto header = fields_of(next_line());
  const auto count = header.size() == 2 ? number_of<std::size_t>(header[0]) : std::nullopt;
  const auto dimension = header.size() == 2 ? number_of<std::size_t>(header[1]) : std::nullopt;
  if (!count || !dimension || *dimension == 0 || *dimension > kMostNumbers) refuse("is no COUNT DIMENSION");
  WordTable vectors(*dimension);
  std::vector<float> row(*dimension);
  while (!text.empty()) {
    const auto fields = fields_of(next_line());
    if (fields.size() != *dimension + 1)
      refuse(cat("has ", fields.empty() ? 0 : fields.size() - 1, " numbers, not ", *dimension));
    for (std::size_t i = 0; i < row.size(); ++i) {
      const auto value = number_of<float>(fields[i + 1]);
      if (!value || !std::isfinite(*value)) refuse(cat("'", fields[i + 1], "' is no number"));
      row[i] = *value;
    }
    const std::string word(fields[0]);
    if (vectors.find(word)) refuse(cat("the word '", word, "' for the second time"));
    vectors.add(word, row);
  }
  if (vectors.size() != *count) {
    number = 0;
    refuse(cat("holds ", vectors.size(), " words, and says that it holds ", *count));
  }
  return vectors;
}

std::string WordTable::text() const {
  std::string out = cat(size(), " ", dimension_, "\n");
  char digits[32];
  for (std::size_t row = 0; row < size(); ++row) {
    out += words_[row];
    for (const float value : at(row)) {
      const auto end =
          std::to_chars(digits, digits + sizeof digits, value).ptr;  // the shortest that reads back
      out.append(" ").append(digits, end);
    }
    out += '\n';
  }
  return out;
}

std::vector<WordTable::Neighbour> WordTable::nearest(std::span<const float> query, std::size_t count,
                                                     const std::vector<std::string>& without) const {
  std::vector<double> cosines(size());
  const double query_length = length_of(query);
  for (std::size_t row = 0; row < size(); ++row) {
    const auto vector = at(row);
    const double product = std::inner_product(vector.begin(), vector.end(), query.begin(), 0.0);
    const double lengths = length_of(vector) * query_length;
    cosines[row] = lengths > 0 ? product / lengths : 0;
  }
  std::vector<std::size_t> order;
  for (std::size_t row = 0; row < size(); ++row) {
    if (std::find(without.begin(), without.end(), words_[row]) == without.end()) order.push_back(row);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return cosines[a] > cosines[b]; });
  std::vector<Neighbour> nearest;
  for (std::size_t i = 0; i < std::min(count, order.size()); ++i)
    nearest.push_back({words_[order[i]], cosines[order[i]]});
  return nearest;
}

std::vector<SignedWord> read_sum(std::string_view expression) {
  const auto refuse = [&](std::string_view what) {
    fail(Exit::usage, cat("'", expression, "'"), what, "say, king - man + woman");
  };
  std::istringstream fields{std::string(expression)};
  std::vector<SignedWord> sum;
  bool wants_word = true;
  double sign = 1;
  for (std::string field; fields >> field;) {
    if (field == "+" || field == "-") {
      if (wants_word) refuse("has a sign without a word");
      sign = field == "+" ? 1 : -1;
      wants_word = true;
      continue;
    }
    if (!wants_word) refuse(cat("has no sign between '", sum.back().word, "' and '", field, "'"));
    sum.push_back({field, sign});
    wants_word = false;
  }
  if (sum.empty()) refuse("holds no word");
  if (wants_word) refuse("has a sign without a word");
  return sum;
}

std::vector<float> signed_sum(const std::vector<SignedWord>& sum,
                              const std::vector<std::vector<float>>& vectors) {
  std::vector<float> total(vectors.front().size());
  for (std::size_t term = 0; term < sum.size(); ++term) {
    const double length = std::max(length_of(vectors[term]), 1e-30);
    for (std::size_t i = 0; i < total.size(); ++i)
      total[i] += static_cast<float>(sum[term].sign * vectors[term][i] / length);
  }
  return total;
}

}  // namespace duet
