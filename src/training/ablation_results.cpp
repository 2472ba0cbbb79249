#include "training/ablation_results.h"

#include <algorithm>

#include "core/error.h"
#include "core/format.h"
#include "training/ablation_statistics.h"

namespace duet {
namespace {

constexpr JsonLinesKind kKind{.row = "row of an ablation",
                              .key = "role",
                              .again = "its run is run again",
                              .command = "duet ablate",
                              .version = 1};

nlohmann::ordered_json to_json(const AblationRow& row) {
  nlohmann::ordered_json line = {{"arm", row.arm}, {"role", row.role}};
  if (row.trial >= 0) line["trial"] = row.trial + 1;
  line["seed"] = row.seed;
  line["set"] = row.sets;
  if (row.steps.pretrain > 0) line["pretrain_steps"] = row.steps.pretrain;
  line["steps"] = row.steps.steps;
  for (const SplitRanks& split : row.splits) {
    nlohmann::ordered_json& scores = line["splits"][split.name];
    for (const char* metric : {"recall_at_1", "recall_at_5", "recall_at_10"})
      scores[metric] = mean_of(values_of(metric, row, split.name));
    scores["gallery"] = split.gallery;
    scores["ranks"] = split.ranks;
  }
  line["identity"] = row.identity;
  return line;
}

AblationRow row_of(const nlohmann::ordered_json& line) {
  AblationRow row{.arm = line.at("arm"), .role = line.at("role"), .seed = line.at("seed")};
  row.trial = line.value("trial", std::int64_t{0}) - 1;
  row.sets = line.at("set").get<std::vector<std::string>>();
  row.steps = {.pretrain = line.value("pretrain_steps", std::int64_t{0}), .steps = line.at("steps")};
  for (const auto& [name, scores] : line.at("splits").items())
    row.splits.push_back({.name = name,
                          .gallery = scores.at("gallery"),
                          .ranks = scores.at("ranks").get<std::vector<std::int64_t>>()});
  row.identity = line.at("identity");
  return row;
}

nlohmann::ordered_json to_json(const CostRow& row, bool has_pretraining) {
  nlohmann::ordered_json line = {{"arm", row.arm}, {"role", "cost"}, {"step_cost", row.cost.step}};
  if (has_pretraining) line["pretrain_step_cost"] = row.cost.pretrain_step;
  line["baseline_seconds_per_step"] = row.baseline_seconds;
  line["identity"] = row.identity;
  return line;
}

nlohmann::ordered_json to_json(const MemoryRow& row) {
  return {{"arm", row.arm}, {"role", "memory"}, {"peak_bytes", row.peak_bytes}, {"identity", row.identity}};
}

CostRow cost_of_line(const nlohmann::ordered_json& line) {
  return {.arm = line.at("arm"),
          .cost = {.step = line.at("step_cost"), .pretrain_step = line.value("pretrain_step_cost", 1.0)},
          .baseline_seconds = line.at("baseline_seconds_per_step"),
          .identity = line.at("identity")};
}

bool is_same_run(const AblationRow& row, const std::string& arm, const std::string& role, std::int64_t trial,
                 std::int64_t seed) {
  return row.arm == arm && row.role == role && row.trial == trial && (role == "tuning" || row.seed == seed);
}

std::string name_of(const AblationRow& row) {
  return cat("arm '", row.arm, "', ", row.role,
             row.trial >= 0 ? cat(" trial ", row.trial + 1) : cat(" seed ", row.seed));
}

bool contains(const std::vector<std::int64_t>& seeds, std::int64_t seed) {
  return std::find(seeds.begin(), seeds.end(), seed) != seeds.end();
}

// Whether the plan asks for a run such as this row's, whatever the recipe says.
bool has_place(const AblationPlan& plan, const AblationRow& row) {
  if (!plan.has_arm(row.arm)) return false;
  if (row.role == "tuning")
    return row.trial >= 0 && row.trial < static_cast<std::int64_t>(plan.arm(row.arm).trials.size());
  if (row.role == "final") return contains(plan.seeds, row.seed);
  return row.role == "confirm" && contains(plan.confirm_seeds, row.seed);
}

}  // namespace

AblationResults::AblationResults(fs::path file, const AblationPlan& plan)
    : file_(std::move(file), kKind), plan_(&plan) {
  file_.read([this](const nlohmann::ordered_json& line, const std::string& place) { take(line, place); });
}

void AblationResults::take(const nlohmann::ordered_json& line, const std::string& place) {
  if (line.at("role") == "cost") {
    costs_.push_back(cost_of_line(line));
    return;
  }
  if (line.at("role") == "memory") {
    memory_.push_back(
        {.arm = line.at("arm"), .peak_bytes = line.at("peak_bytes"), .identity = line.at("identity")});
    return;
  }
  AblationRow row = row_of(line);
  for (const AblationRow& other : rows_) {
    if (is_same_run(other, row.arm, row.role, row.trial, row.seed))
      file_.refuse(place, cat(name_of(row), ": there twice"));
  }
  if (!has_place(*plan_, row))
    fail(Exit::usage, place, cat(name_of(row), ": ", plan_->file.string(), " has no such run"),
         "name another file by --results, or take the line out");
  rows_.push_back(std::move(row));
}

const AblationRow* AblationResults::find(const AblationRun& run) const {
  for (const AblationRow& row : rows_) {
    if (!is_same_run(row, run.arm->name, run.role, run.trial, run.seed)) continue;
    if (row.identity == run.identity) return &row;
    const std::string steps = row.steps.steps == run.steps.steps
                                  ? std::string()
                                  : cat(" (", row.steps.steps, " steps then, ", run.steps.steps, " now)");
    fail(Exit::usage, file().string(), cat(name_of(row), ": this row was made by another plan", steps),
         "its recipe, assignments, steps or splits have changed since: name another file by --results, or take "
         "the "
         "arm's rows out");
  }
  return nullptr;
}

const CostRow* AblationResults::find_cost(const AblationArm& arm) const {
  for (const CostRow& row : costs_) {
    if (row.arm != arm.name) continue;
    if (row.identity == cost_identity(*plan_, arm)) return &row;
    fail(Exit::usage, file().string(), cat("arm '", arm.name, "', cost: this row was made by another plan"),
         "its recipe or the baseline's has changed since: name another file by --results, or take the arm's "
         "rows out");
  }
  return nullptr;
}

const MemoryRow* AblationResults::find_memory(const AblationArm& arm) const {
  for (const MemoryRow& row : memory_) {
    if (row.arm == arm.name && row.identity == cost_identity(*plan_, arm)) return &row;
  }
  return nullptr;
}

std::optional<StepCost> AblationResults::cost_of(const AblationArm& arm) const {
  StepCost cost;
  const bool is_given = arm.cost || arm.name == plan_->baseline;
  if (const CostRow* row = find_cost(arm)) {
    cost = row->cost;
  } else if (!is_given || (arm.pretrain && !arm.pretrain_cost)) {
    return std::nullopt;
  }
  if (is_given) cost.step = arm.cost.value_or(1);
  if (arm.pretrain_cost) cost.pretrain_step = *arm.pretrain_cost;
  return cost;
}

std::optional<std::vector<std::string>> AblationResults::tuned(const AblationArm& arm) const {
  const std::optional<StepCost> cost = cost_of(arm);
  if (!cost) return std::nullopt;
  std::vector<std::string> best;
  double best_score = -1;
  for (std::size_t trial = 0; trial < arm.trials.size(); ++trial) {
    const AblationRow* row = find(plan_run(*plan_, arm, "tuning", static_cast<std::int64_t>(trial),
                                           plan_->tuning_seed, arm.trials[trial], *cost));
    if (row == nullptr) return std::nullopt;
    if (const double score = score_of(*plan_, *row); score > best_score) {
      best_score = score;
      best = arm.trials[trial];
    }
  }
  return best;
}

void AblationResults::add(const AblationRun& run, std::vector<SplitRanks> splits) {
  rows_.push_back({.arm = run.arm->name,
                   .role = run.role,
                   .trial = run.trial,
                   .seed = run.seed,
                   .sets = run.sets,
                   .steps = run.steps,
                   .splits = std::move(splits),
                   .identity = run.identity});
  file_.append(to_json(rows_.back()));
}

void AblationResults::add_cost(CostRow row) {
  costs_.push_back(std::move(row));
  file_.append(to_json(costs_.back(), plan_->arm(costs_.back().arm).pretrain.has_value()));
}

void AblationResults::add_memory(MemoryRow row) {
  memory_.push_back(std::move(row));
  file_.append(to_json(memory_.back()));
}

std::vector<double> values_of(const std::string& metric, const AblationRow& row, const std::string& split) {
  for (const SplitRanks& one : row.splits) {
    if (one.name != split) continue;
    std::vector<double> values;
    for (const std::int64_t rank : one.ranks) values.push_back(value_of_rank(metric, rank));
    return values;
  }
  fail(Exit::artifact, name_of(row), cat("its row has no split '", split, "'"));
}

double score_of(const AblationPlan& plan, const AblationRow& row) {
  QueryValues values;
  for (const std::string& split : plan.splits) values.push_back({values_of(plan.metric, row, split)});
  return mean_over_splits(values);
}

}  // namespace duet
