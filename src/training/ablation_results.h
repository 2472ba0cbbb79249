// What an ablation has found so far: a file of JSON lines, one a measured cost, one a measured peak of memory
// and one a training run, that people commit. A row is on the disk before the next run begins; a row that is
// there is never run again.
#pragma once
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/json_lines.h"
#include "training/ablation_plan.h"

namespace duet {

struct SplitRanks {
  std::string name;
  std::int64_t gallery = 0;
  std::vector<std::int64_t> ranks;  // by query, text to image: of the best right picture
};

struct AblationRow {
  std::string arm, role;  // tuning | final | confirm
  std::int64_t trial = -1, seed = 0;
  std::vector<std::string> sets = {};
  ArmSteps steps = {};
  std::vector<SplitRanks> splits = {};
  std::string identity = {};  // AblationRun::identity
};

struct CostRow {
  std::string arm;
  StepCost cost;
  double baseline_seconds = 0;  // of a step, where it was measured
  std::string identity;         // cost_identity
};

struct MemoryRow {
  std::string arm;
  std::uint64_t peak_bytes = 0;  // of a process that trains the arm, or what comes before it, and nothing else
  std::string identity;          // cost_identity
};

class AblationResults {
 public:
  // Reads what is there, and makes the file when the first row is added. A last line without an end is cut off
  // with a warning. Error(artifact) naming the line: damaged, or there twice. Error(usage) naming the arm: a
  // row that this plan does not have.
  AblationResults(std::filesystem::path file, const AblationPlan& plan);

  // Error(usage) naming the arm: there is such a row, but of other recipes, assignments, steps or splits.
  const AblationRow* find(const AblationRun& run) const;
  const CostRow* find_cost(const AblationArm& arm) const;
  const std::vector<CostRow>& costs() const { return costs_; }
  // Nothing: not measured, or of other recipes.
  const MemoryRow* find_memory(const AblationArm& arm) const;
  const std::vector<AblationRow>& rows() const { return rows_; }

  void add(const AblationRun& run, std::vector<SplitRanks> splits);  // on the disk when it returns
  void add_cost(CostRow row);
  void add_memory(MemoryRow row);

  // Of the plan, else as measured; the baseline's is 1. Nothing: still to be measured.
  std::optional<StepCost> cost_of(const AblationArm& arm) const;
  // The assignments of the arm's best trial (of equals the first), none where there are no trials. Nothing: a
  // trial is still to be run.
  std::optional<std::vector<std::string>> tuned(const AblationArm& arm) const;
  const std::filesystem::path& file() const { return file_.file(); }

 private:
  void take(const nlohmann::ordered_json& line, const std::string& place);

  JsonLines file_;
  const AblationPlan* plan_;
  std::vector<AblationRow> rows_;
  std::vector<CostRow> costs_;
  std::vector<MemoryRow> memory_;
};

// The metric's mean over the plan's splits.
double score_of(const AblationPlan& plan, const AblationRow& row);
// The values of one split's queries. Error(artifact) when the row has no such split.
std::vector<double> values_of(const std::string& metric, const AblationRow& row, const std::string& split);

}  // namespace duet
