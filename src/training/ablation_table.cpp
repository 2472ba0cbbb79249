#include "training/ablation_table.h"

#include <algorithm>
#include <map>

#include "core/error.h"
#include "core/format.h"
#include "report/text_table.h"

namespace duet {
namespace {

constexpr const char* kMean = "mean";

// The rows of an arm by seed.
using Rows = std::map<std::int64_t, const AblationRow*>;

Rows rows_of(const AblationPlan& plan, const AblationResults& results, const AblationArm& arm,
             const std::string& role, const std::vector<std::int64_t>& seeds) {
  Rows rows;
  const std::optional<StepCost> cost = results.cost_of(arm);
  const std::optional<std::vector<std::string>> sets = results.tuned(arm);
  if (!cost || !sets) return rows;
  for (const std::int64_t seed : seeds) {
    if (const AblationRow* row = results.find(plan_run(plan, arm, role, -1, seed, *sets, *cost)))
      rows[seed] = row;
  }
  return rows;
}

// [split][seed][query] of the seeds that both have.
QueryValues values_of(const Rows& rows, const Rows& others, const std::vector<std::string>& splits,
                      const std::string& metric) {
  QueryValues values;
  for (const std::string& split : splits) {
    auto& of_split = values.emplace_back();
    for (const auto& [seed, row] : rows) {
      if (others.contains(seed)) of_split.push_back(values_of(metric, *row, split));
    }
  }
  return values;
}

// Paired means that query q is the same question everywhere.
void check_same_questions(const Rows& rows, const Rows& baseline, const std::vector<std::string>& splits) {
  if (baseline.empty()) return;
  const AblationRow& first = *baseline.begin()->second;
  for (const auto& [seed, row] : rows) {
    for (const std::string& split : splits) {
      const std::size_t here = values_of("recall_at_1", *row, split).size();
      const std::size_t there = values_of("recall_at_1", first, split).size();
      if (here == there) continue;
      fail(Exit::usage, cat("arm '", row->arm, "', seed ", seed),
           cat("has ", here, " queries in '", split, "', arm '", first.arm, "' has ", there),
           "every arm is asked the same: give their recipes the same validation data and query_columns");
    }
  }
}

AblationMeasure measure_of(const Rows& rows, const Rows& baseline, const std::string& name,
                           const std::vector<std::string>& splits, const std::string& metric) {
  AblationMeasure measure{.split = name, .metric = metric};
  const QueryValues values = values_of(rows, rows, splits, metric);
  std::vector<double> of_seed;
  for (std::size_t seed = 0; seed < rows.size(); ++seed) {
    QueryValues one;
    for (const auto& of_split : values) one.push_back({of_split[seed]});
    of_seed.push_back(mean_over_splits(one));
  }
  measure.mean = mean_of(of_seed);
  measure.sd = sample_sd(of_seed);
  if (&rows == &baseline) return measure;
  const QueryValues arm = values_of(rows, baseline, splits, metric);
  if (!arm.front().empty())
    measure.difference = paired_difference(arm, values_of(baseline, rows, splits, metric));
  return measure;
}

std::vector<std::string> metrics_of(const AblationPlan& plan) {
  std::vector<std::string> metrics = {"recall_at_1", "recall_at_5", "recall_at_10"};
  if (plan.metric == "reciprocal_rank") metrics.push_back(plan.metric);
  return metrics;
}

void adjust(AblationTable& table) {
  std::vector<AblationMeasure*> measures;
  std::vector<double> p;
  for (ArmSummary& arm : table.arms) {
    for (AblationMeasure& measure : arm.measures) {
      if (measure.split != kMean || measure.metric != table.metric || !measure.difference) continue;
      measures.push_back(&measure);
      p.push_back(measure.difference->p);
    }
  }
  const std::vector<double> adjusted = holm_adjusted(p);
  for (std::size_t i = 0; i < measures.size(); ++i) measures[i]->holm = adjusted[i];
}

AblationTable make_table(const AblationPlan& plan, const AblationResults& results, const std::string& role,
                         const std::vector<std::string>& arms, const std::vector<std::string>& splits) {
  AblationTable table{.role = role, .baseline = plan.baseline, .metric = plan.metric, .splits = splits};
  const std::vector<std::int64_t>& seeds = role == "confirm" ? plan.confirm_seeds : plan.seeds;
  const Rows baseline = rows_of(plan, results, plan.arm(plan.baseline), role, seeds);
  table.is_whole = true;
  for (const std::string& name : arms) {
    const AblationArm& arm = plan.arm(name);
    const bool is_baseline = name == plan.baseline;
    const Rows own = is_baseline ? Rows() : rows_of(plan, results, arm, role, seeds);
    const Rows& rows = is_baseline ? baseline : own;
    table.is_whole &= rows.size() == seeds.size();
    if (rows.empty()) continue;
    check_same_questions(rows, baseline, splits);
    const AblationRow& first = *rows.begin()->second;
    ArmSummary summary{.name = name, .cost = *results.cost_of(arm), .steps = first.steps, .sets = first.sets};
    summary.seeds = static_cast<std::int64_t>(rows.size());
    for (const std::string& metric : metrics_of(plan)) {
      for (const std::string& split : splits)
        summary.measures.push_back(measure_of(rows, baseline, split, {split}, metric));
      summary.measures.push_back(measure_of(rows, baseline, kMean, plan.splits, metric));
    }
    table.arms.push_back(std::move(summary));
  }
  adjust(table);
  return table;
}

std::string spread(const AblationMeasure& measure) {
  return cat(fixed(measure.mean, 3), " (", fixed(measure.sd, 3), ")");
}

std::string with_sign(double value) { return cat(value < 0 ? "" : "+", fixed(value, 3)); }

std::string steps_text(const ArmSteps& steps) {
  return steps.pretrain > 0 ? cat(steps.pretrain, "+", steps.steps) : cat(steps.steps);
}

std::string cost_text(const ArmSummary& arm) {
  return arm.steps.pretrain > 0 ? cat(fixed(arm.cost.pretrain_step, 2), "+", fixed(arm.cost.step, 2))
                                : fixed(arm.cost.step, 2);
}

std::string p_text(double p) { return p < .001 ? "<0.001" : fixed(p, 3); }

// The same cells for text and LaTeX; the first row is the header.
std::vector<Cells> cells_of(const AblationTable& table) {
  Cells header = {table.metric, "step cost", "steps", "seeds"};
  header.insert(header.end(), table.splits.begin(), table.splits.end());
  header.insert(header.end(), {kMean, cat("minus ", table.baseline), "95 %", "p", "Holm"});
  std::vector<Cells> rows = {header};
  for (const ArmSummary& arm : table.arms) {
    Cells cells = {arm.name, cost_text(arm), steps_text(arm.steps), cat(arm.seeds)};
    for (const std::string& split : table.splits) cells.push_back(spread(arm.measure(split, table.metric)));
    const AblationMeasure& mean = arm.measure(kMean, table.metric);
    cells.push_back(spread(mean));
    if (const auto& difference = mean.difference) {
      cells.push_back(with_sign(difference->mean));
      cells.push_back(cat("[", with_sign(difference->low), ", ", with_sign(difference->high), "]"));
      cells.push_back(p_text(difference->p));
      cells.push_back(p_text(mean.holm.value_or(1)));
    } else {
      cells.resize(header.size());
    }
    rows.push_back(std::move(cells));
  }
  return rows;
}

}  // namespace

const AblationMeasure& ArmSummary::measure(const std::string& split, const std::string& metric) const {
  return *std::find_if(measures.begin(), measures.end(),
                       [&](const AblationMeasure& one) { return one.split == split && one.metric == metric; });
}

AblationTable final_table(const AblationPlan& plan, const AblationResults& results) {
  std::vector<std::string> arms;
  for (const AblationArm& arm : plan.arms) arms.push_back(arm.name);
  return make_table(plan, results, "final", arms, plan.splits);
}

AblationTable confirm_table(const AblationPlan& plan, const AblationResults& results,
                            const std::string& winner) {
  std::vector<std::string> splits = plan.splits;
  for (const NamedSource& split : plan.confirm_splits) splits.push_back(split.name);
  return make_table(plan, results, "confirm", {plan.baseline, winner}, splits);
}

std::optional<std::string> winner_of(const AblationTable& table) {
  const auto mean = [&](const ArmSummary& arm) { return arm.measure(kMean, table.metric).mean; };
  const auto best =
      std::max_element(table.arms.begin(), table.arms.end(),
                       [&](const ArmSummary& a, const ArmSummary& b) { return mean(a) < mean(b); });
  if (best == table.arms.end()) return std::nullopt;
  for (const ArmSummary& arm : table.arms) {
    if (arm.name == table.baseline && mean(arm) >= mean(*best)) return std::nullopt;
  }
  return best->name;
}

std::string to_text(const AblationTable& table) { return aligned(cells_of(table)); }

std::string to_csv(const std::vector<AblationTable>& tables) {
  std::string out =
      "role,arm,set,pretrain_step_cost,pretrain_steps,step_cost,steps,seeds,split,metric,mean,sd,minus_"
      "baseline,low,"
      "high,p,p_holm\n";
  for (const AblationTable& table : tables) {
    for (const ArmSummary& arm : table.arms) {
      const bool is_pretrained = arm.steps.pretrain > 0;
      const std::string start =
          cat(table.role, ",", csv_field(arm.name), ",", csv_field(joined(arm.sets, " ")), ",",
              is_pretrained ? cat(arm.cost.pretrain_step, ",", arm.steps.pretrain) : std::string(","), ",",
              arm.cost.step, ",", arm.steps.steps, ",", arm.seeds);
      for (const AblationMeasure& one : arm.measures) {
        out += cat(start, ",", csv_field(one.split), ",", one.metric, ",", fixed(one.mean, 6), ",",
                   fixed(one.sd, 6));
        if (const auto& difference = one.difference) {
          out += cat(",", fixed(difference->mean, 6), ",", fixed(difference->low, 6), ",",
                     fixed(difference->high, 6), ",", fixed(difference->p, 6), ",",
                     one.holm ? fixed(*one.holm, 6) : "", "\n");
        } else {
          out += ",,,,,\n";
        }
      }
    }
  }
  return out;
}

std::string to_latex(const AblationTable& table) { return latex_tabular(cells_of(table)); }

}  // namespace duet
