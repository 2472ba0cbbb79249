// What a few-shot study found, in one table: method by shots, mean and 95 % interval over seeds and test items
// together; as text, CSV, LaTeX, JSON and a page.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adaptation/few_shot_results.h"
#include "report/page.h"
#include "retrieval/resampling.h"

namespace duet {

// A method at a number of shots.
struct FewShotCell {
  std::int64_t shots = 0, seeds = 0, fell_back = 0;
  SampledMean accuracy = {};
  // From FewShotTable::against, of the same items, seeds and shots (zero-shot: of its one row), over the seeds
  // that both have.
  std::optional<SampledMean> difference = {};
  double holm_p = 1;   // its p, adjusted for all methods of these shots
  double seconds = 0;  // a fit, mean
};

struct FewShotLine {
  std::string method;
  std::vector<FewShotCell> cells = {};  // those with a row, ascending by shots
  // Of a method with a curve, by shots: mean over seeds of the accuracy on validation.
  std::vector<std::pair<std::int64_t, std::vector<std::pair<double, double>>>> curves = {};
  const FewShotCell* at(std::int64_t shots) const;  // nullptr: no row
};

struct FewShotTable {
  std::int64_t items = 0, groups = 0;
  std::vector<std::int64_t> shots = {};
  bool fallback = true;             // zero-shot counts where it did better on validation
  std::string against = kZeroShot;  // what differences are from
  std::optional<FewShotCell> zero_shot = {};
  std::vector<FewShotLine> lines = {};  // those with a row
};

// Of these methods' rows. `groups`, by test item, names those that are drawn together when items are drawn
// again: pictures of one concept are no independent witnesses.
FewShotTable few_shot_table(const std::vector<const FewShotRow*>& rows, const std::vector<std::string>& methods,
                            const std::vector<std::string>& groups, bool fallback,
                            const std::string& against = kZeroShot);

// And what its numbers are, below; differences in a table of their own.
std::string to_text(const FewShotTable& table, bool differences = false);
std::string to_csv(const FewShotTable& table);      // a line each method and number of shots
std::string to_latex(const FewShotTable& table);    // a tabular; needs the package booktabs
nlohmann::json to_json(const FewShotTable& table);  // zero_shot, methods
// Tables and charts: accuracy over shots, and curves of methods that have one.
Page page_of(const FewShotTable& table);

}  // namespace duet
