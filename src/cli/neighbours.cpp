#include "cli/neighbours.h"

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/front.h"
#include "cli/json_text.h"
#include "cli/terminal.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "core/sealed.h"
#include "text/unicode.h"

namespace duet {

namespace {

constexpr std::string_view kBegin = "words-", kEnd = ".txt";

// RUN/words-NAME.txt by NAME, sorted.
std::vector<std::string> names_of_files(const fs::path& run) {
  std::vector<std::string> names;
  std::error_code none;
  for (const fs::directory_entry& entry : fs::directory_iterator(run, none)) {
    const std::string file = entry.path().filename().string();
    if (file.size() > kBegin.size() + kEnd.size() && file.starts_with(kBegin) && file.ends_with(kEnd))
      names.push_back(file.substr(kBegin.size(), file.size() - kBegin.size() - kEnd.size()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

// The file to read, or nothing: the text tower's own tokens are asked for, or there is nothing else.
std::optional<fs::path> vector_file(const NeighboursOptions& options) {
  const fs::path run = options.run;
  std::error_code none;
  if (fs::is_regular_file(run, none)) return run;
  const std::vector<std::string> names = names_of_files(run);
  if (options.of == kTextTower || (options.of.empty() && names.empty())) return std::nullopt;
  if (options.of.empty() && names.size() > 1) {
    log_info(cat("vectors of ", names.front(), "; also there: --of ",
                 joined(std::span(names).subspan(1), ", --of ")));
  }
  const std::string& name = options.of.empty() ? names.front() : options.of;
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    fail(Exit::usage, "--of", cat(options.run, " keeps no word vectors of '", name, "'"),
         cat("there are ", joined(names), names.empty() ? "" : ", ", kTextTower));
  }
  return run / cat(kBegin, name, kEnd);
}

NamedVectors read_vectors(const fs::path& file) {
  std::string text = read_file(file);
  const auto vectors = std::make_shared<WordTable>(WordTable::parse(text, file.string()));
  const auto of = [vectors, name = file.string()](const std::string& word) {
    for (const std::string& spelling : {word, folded(word), "\u2581" + folded(word)}) {  // or a piece
      if (const auto row = vectors->find(spelling)) {
        const auto vector = vectors->at(*row);
        return std::pair(spelling, std::vector<float>(vector.begin(), vector.end()));
      }
    }
    fail(Exit::usage, name,
         cat("'", word, "' is none of its ", grouped(static_cast<std::int64_t>(vectors->size())), " words",
             did_you_mean(folded(word), vectors->words())));
  };
  return {.name = file.string(), .vectors = vectors, .of = of, .text = std::move(text)};
}

void print(const std::vector<WordTable::Neighbour>& neighbours, const NamedVectors& named,
           const NeighboursOptions& options) {
  if (options.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const auto& [word, cosine] : neighbours) list.push_back({{"word", word}, {"cosine", cosine}});
    const nlohmann::ordered_json all = {
        {"schema_version", 1}, {"query", options.query}, {"vectors", named.name}, {"neighbours", list}};
    std::cout << json_text(all);
    return;
  }
  for (std::size_t i = 0; i < neighbours.size(); ++i) {
    std::cout << i + 1 << "\t" << fixed(neighbours[i].cosine, 4) << "\t" << printable(neighbours[i].word)
              << "\n";
  }
}

}  // namespace

int show_neighbours(const NamedVectors& named, const NeighboursOptions& options) {
  if (!options.query.empty()) {
    const std::vector<SignedWord> sum = read_sum(options.query);
    std::vector<std::vector<float>> vectors;
    std::vector<std::string> asked;  // no answers
    for (const SignedWord& term : sum) {
      auto [name, vector] = named.of(term.word);
      asked.push_back(std::move(name));
      vectors.push_back(std::move(vector));
    }
    const auto count = static_cast<std::size_t>(options.top);
    print(named.vectors->nearest(signed_sum(sum, vectors), count, asked), named, options);
  }
  if (!options.out.empty()) {
    replace_file(options.out, named.text);
    log_info(cat("wrote ", grouped(static_cast<std::int64_t>(named.vectors->size())), " words of ",
                 named.vectors->dimension(), " numbers to ", options.out));
  }
  return static_cast<int>(Exit::ok);
}

std::optional<int> run_neighbours_of_file(const NeighboursOptions& options) {
  if (!options.out.empty()) check_outside_sealed(options.out);
  const std::optional<fs::path> file = vector_file(options);
  if (!file) return std::nullopt;
  const NamedVectors named = read_vectors(*file);
  return show_neighbours(named, options);
}

}  // namespace duet
