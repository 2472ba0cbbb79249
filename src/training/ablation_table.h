// What an ablation found, in one table: mean and standard deviation over seeds, and paired differences to the
// baseline; as text, CSV and LaTeX.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "training/ablation_results.h"
#include "training/ablation_statistics.h"

namespace duet {

// One number of an arm.
struct AblationMeasure {
  std::string split;  // "mean": over the plan's splits
  std::string metric;
  double mean = 0, sd = 0;  // over seeds
  // To the baseline, over the seeds that both have; none: its own row.
  std::optional<ArmDifference> difference = {};
  std::optional<double> holm = {};  // p adjusted for all arms; of the plan's metric over its splits
};

struct ArmSummary {
  std::string name;
  StepCost cost;
  ArmSteps steps;
  std::vector<std::string> sets;  // the tuned ones
  std::int64_t seeds = 0;
  std::vector<AblationMeasure> measures = {};

  const AblationMeasure& measure(const std::string& split,
                                 const std::string& metric) const;  // there is such a one
};

struct AblationTable {
  std::string role, baseline, metric;
  std::vector<std::string> splits;    // those that are looked at alone; "confirm": beyond those that chose, too
  std::vector<ArmSummary> arms = {};  // those with a row, in the plan's order
  bool is_whole = false;              // no run is missing
};

// The runs of role "final". Error(usage) when two rows do not answer the same questions.
AblationTable final_table(const AblationPlan& plan, const AblationResults& results);
// The runs of role "confirm", of the baseline and the winner.
AblationTable confirm_table(const AblationPlan& plan, const AblationResults& results,
                            const std::string& winner);

// The arm with the best mean over the splits, if that is not the baseline. The table is whole.
std::optional<std::string> winner_of(const AblationTable& table);

std::string to_text(const AblationTable& table);
// A line each arm, split and metric, under one header.
std::string to_csv(const std::vector<AblationTable>& tables);
std::string to_latex(const AblationTable& table);  // a tabular; needs the package booktabs

}  // namespace duet
