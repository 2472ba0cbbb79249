#include "adaptation/few_shot_table.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/error.h"
#include "core/format.h"
#include "report/text_table.h"

namespace duet {
namespace {

constexpr std::uint64_t kSeed = 1;
constexpr int kResamples = 2000;
constexpr std::size_t kSeriesPerChart = 8;  // as many as there are colours

// Items of a group are summed: [group] of a row's right answers, or of the number of items.
class Groups {
 public:
  explicit Groups(const std::vector<std::string>& names) {
    std::map<std::string, std::size_t> places;
    for (const std::string& name : names) {
      const auto [place, is_new] = places.emplace(name, sizes_.size());
      if (is_new) sizes_.push_back(0);
      of_item_.push_back(place->second);
      ++sizes_[place->second];
    }
  }
  std::vector<double> sums(const std::string& right, const std::string& where) const {
    if (right.size() != of_item_.size())
      fail(Exit::usage, where, cat("has answers to ", right.size(), " items, the test has ", of_item_.size()),
           "name another file by --results");
    std::vector<double> sums(sizes_.size());
    for (std::size_t i = 0; i < right.size(); ++i) sums[of_item_[i]] += right[i] == '1';
    return sums;
  }
  const std::vector<double>& sizes() const { return sizes_; }

 private:
  std::vector<std::size_t> of_item_;
  std::vector<double> sizes_;
};

SampledMean mean_over(const Groups& groups, const std::vector<std::vector<double>>& of_seed) {
  return sampled_mean({of_seed}, kSeed, kResamples, {groups.sizes()});
}

// Answers as they count, by group of items.
class Counted {
 public:
  Counted(const Groups& groups, const FewShotRow* zero_shot, bool fallback)
      : groups_(groups), zero_shot_(zero_shot), fallback_(fallback && zero_shot != nullptr) {}
  bool falls_back(const FewShotRow& row) const { return fallback_ && row.falls_back; }
  std::vector<double> of(const FewShotRow& row) const {
    return groups_.sums(falls_back(row) ? zero_shot_->right : row.right, row.method);
  }
  const FewShotRow* zero_shot() const { return zero_shot_; }
  const Groups& groups() const { return groups_; }

 private:
  const Groups& groups_;
  const FewShotRow* zero_shot_;
  bool fallback_;
};

FewShotCell cell_of(const std::vector<const FewShotRow*>& rows, const Counted& counted) {
  FewShotCell cell{.shots = rows.front()->shots, .seeds = static_cast<std::int64_t>(rows.size())};
  std::vector<std::vector<double>> right;
  std::vector<double> seconds;
  for (const FewShotRow* row : rows) {
    cell.fell_back += counted.falls_back(*row);
    right.push_back(counted.of(*row));
    seconds.push_back(row->seconds);
  }
  cell.accuracy = mean_over(counted.groups(), right);
  cell.seconds = mean_of(seconds);
  return cell;
}

// Of two methods at the same shots; nothing where they have no seed in common.
std::optional<SampledMean> difference_of(const std::vector<const FewShotRow*>& rows,
                                         const std::vector<const FewShotRow*>& others, const Counted& counted) {
  std::vector<std::vector<double>> differences;
  for (const FewShotRow* row : rows) {
    const auto other = std::find_if(others.begin(), others.end(), [&](const FewShotRow* one) {
      return one == counted.zero_shot() || one->seed == row->seed;
    });
    if (other == others.end()) continue;
    std::vector<double> difference = counted.of(*row);
    const std::vector<double> less = counted.of(**other);
    for (std::size_t i = 0; i < less.size(); ++i) difference[i] -= less[i];
    differences.push_back(std::move(difference));
  }
  if (differences.empty()) return std::nullopt;
  return mean_over(counted.groups(), differences);
}

void adjust_for_all_methods(FewShotTable& table) {
  for (const std::int64_t shots : table.shots) {
    std::vector<FewShotCell*> cells;
    std::vector<double> p;
    for (FewShotLine& line : table.lines)
      for (FewShotCell& cell : line.cells)
        if (cell.shots == shots && cell.difference) {
          cells.push_back(&cell);
          p.push_back(cell.difference->p);
        }
    const std::vector<double> adjusted = holm_adjusted(p);
    for (std::size_t i = 0; i < cells.size(); ++i) cells[i]->holm_p = adjusted[i];
  }
}

// Mean over rows at each place of the curve that all of them have.
std::vector<std::pair<double, double>> mean_curve(const std::vector<const FewShotRow*>& rows) {
  std::vector<std::pair<double, double>> curve = rows.front()->curve;
  for (auto& [x, y] : curve) y = 0;
  for (const FewShotRow* row : rows) {
    if (row->curve.size() != curve.size()) return {};
    for (std::size_t i = 0; i < curve.size(); ++i) curve[i].second += row->curve[i].second;
  }
  for (auto& [x, y] : curve) y /= static_cast<double>(rows.size());
  return curve;
}

std::string with_sign(double value, int digits) { return cat(value < 0 ? "" : "+", fixed(value, digits)); }

std::string plus_minus(const SampledMean& mean) {
  return cat(fixed(mean.mean, 3), " ±", fixed((mean.high - mean.low) / 2, 3));
}

std::string seconds_text(double seconds) { return fixed(seconds, seconds < 10 ? 2 : 0); }

double mean_seconds(const FewShotLine& line) {
  std::vector<double> seconds;
  for (const FewShotCell& cell : line.cells) seconds.push_back(cell.seconds);
  return mean_of(seconds);
}

// The same cells for text and LaTeX; the first row is the header.
std::vector<Cells> cells_of(const FewShotTable& table) {
  Cells header = {"shots"};
  if (table.zero_shot) header.emplace_back("0");
  for (const std::int64_t shots : table.shots) header.push_back(cat(shots));
  header.emplace_back("s a fit");
  std::vector<Cells> rows = {header};
  if (table.zero_shot) {
    rows.push_back({kZeroShot, plus_minus(table.zero_shot->accuracy)});
    rows.back().resize(header.size());
  }
  for (const FewShotLine& line : table.lines) {
    Cells cells = {line.method};
    if (table.zero_shot) cells.emplace_back();
    for (const std::int64_t shots : table.shots) {
      const FewShotCell* cell = line.at(shots);
      cells.push_back(cell == nullptr ? std::string() : plus_minus(cell->accuracy));
    }
    cells.push_back(seconds_text(mean_seconds(line)));
    rows.push_back(std::move(cells));
  }
  return rows;
}

std::string remarks(const FewShotTable& table) {
  std::int64_t seeds = 0, fell_back = 0, fits = 0;
  for (const FewShotLine& line : table.lines) {
    for (const FewShotCell& cell : line.cells) {
      seeds = std::max(seeds, cell.seeds);
      fell_back += cell.fell_back;
      fits += cell.seeds;
    }
  }
  std::string text = cat("accuracy on ", table.items, " test items, mean over ", seeds,
                         seeds == 1 ? " seed" : " seeds", " ± half of its 95 % interval over seeds and items");
  if (table.groups < table.items) text += cat(" (", table.groups, " concepts)");
  if (table.zero_shot && table.fallback)
    text += cat("; zero-shot counts where it did better on validation: ", fell_back, " of ", fits, " fits");
  return text + "\n";
}

std::string interval_text(const SampledMean& mean, bool sign = false) {
  const auto number = [&](double value) { return sign ? with_sign(value, 3) : fixed(value, 3); };
  return cat(number(mean.mean), " [", number(mean.low), ", ", number(mean.high), "]");
}

// Methods by shots: how much better than what they are compared with.
std::vector<Cells> differences_of(const FewShotTable& table) {
  std::vector<Cells> rows(1, {"shots"});
  for (const std::int64_t shots : table.shots) rows.front().push_back(cat(shots));
  for (const FewShotLine& line : table.lines) {
    if (line.method == table.against) continue;
    Cells& cells = rows.emplace_back(1, line.method);
    for (const std::int64_t shots : table.shots) {
      const FewShotCell* cell = line.at(shots);
      cells.push_back(cell != nullptr && cell->difference
                          ? cat(interval_text(*cell->difference, true), " p ", fixed(cell->holm_p, 3))
                          : std::string());
    }
  }
  return rows;
}

nlohmann::json interval_json(const SampledMean& mean) { return nlohmann::json::array({mean.low, mean.high}); }

nlohmann::json to_json(const FewShotCell& cell) {
  nlohmann::json json = {{"shots", cell.shots},
                         {"seeds", cell.seeds},
                         {"accuracy", cell.accuracy.mean},
                         {"accuracy_interval", interval_json(cell.accuracy)},
                         {"fell_back", cell.fell_back},
                         {"seconds", cell.seconds}};
  if (cell.difference) {
    json["difference"] = cell.difference->mean;
    json["difference_interval"] = interval_json(*cell.difference);
    json["p"] = cell.difference->p;
    json["holm_p"] = cell.holm_p;
  }
  return json;
}

std::string csv_line(const std::string& method, const FewShotCell& cell, std::int64_t items,
                     const std::string& against) {
  std::string line = cat(csv_field(method), ",", cell.shots, ",", cell.seeds, ",", items);
  const auto add = [&line](const SampledMean& mean) {
    for (const double value : {mean.mean, mean.low, mean.high}) line += cat(",", fixed(value, 6));
  };
  add(cell.accuracy);
  if (cell.difference) {
    line += cat(",", csv_field(against));
    add(*cell.difference);
    line += cat(",", fixed(cell.difference->p, 6), ",", fixed(cell.holm_p, 6));
  } else {
    line += ",,,,,,";
  }
  return line + cat(",", cell.fell_back, ",", fixed(cell.seconds, 3), "\n");
}

Table detailed(const FewShotTable& table) {
  Table shown{.title = "Every method and number of shots",
              .header = {"method", "shots", "seeds", "accuracy", cat("over ", table.against), "p", "p (Holm)",
                         "fell back", "s a fit"},
              .rows = {}};
  const auto add = [&](const std::string& method, const FewShotCell& cell) {
    shown.rows.push_back(
        {method, cat(cell.shots), cell.shots == 0 ? "" : cat(cell.seeds), interval_text(cell.accuracy),
         cell.difference ? interval_text(*cell.difference, true) : "",
         cell.difference ? fixed(cell.difference->p, 4) : "", cell.difference ? fixed(cell.holm_p, 4) : "",
         cell.shots == 0 ? "" : cat(cell.fell_back), cell.shots == 0 ? "" : seconds_text(cell.seconds)});
  };
  if (table.zero_shot) add(kZeroShot, *table.zero_shot);
  for (const FewShotLine& line : table.lines) {
    for (const FewShotCell& cell : line.cells) add(line.method, cell);
  }
  return shown;
}

void add_accuracy_charts(const FewShotTable& table, std::vector<Chart>& charts) {
  for (std::size_t i = 0; i < table.lines.size(); ++i) {
    if (i % kSeriesPerChart == 0)
      charts.push_back(
          {.title = "Accuracy over shots", .x_label = "shots", .y_label = "accuracy", .series = {}});
    Series series{.name = table.lines[i].method, .points = {}};
    if (table.zero_shot) series.points.emplace_back(0, table.zero_shot->accuracy.mean);
    for (const FewShotCell& cell : table.lines[i].cells)
      series.points.emplace_back(static_cast<double>(cell.shots), cell.accuracy.mean);
    charts.back().series.push_back(std::move(series));
  }
}

void add_curves(const FewShotTable& table, std::vector<Chart>& charts) {
  for (const FewShotLine& line : table.lines) {
    if (line.curves.empty()) continue;
    Chart chart{.title = cat(line.method, " between the two models"),
                .x_label = "alpha",
                .y_label = "accuracy on validation",
                .series = {}};
    for (const auto& [shots, curve] : line.curves)
      chart.series.push_back({.name = cat(shots, shots == 1 ? " shot" : " shots"), .points = curve});
    charts.push_back(std::move(chart));
  }
}

}  // namespace

const FewShotCell* FewShotLine::at(std::int64_t shots) const {
  const auto found =
      std::find_if(cells.begin(), cells.end(), [&](const FewShotCell& cell) { return cell.shots == shots; });
  return found == cells.end() ? nullptr : &*found;
}

FewShotTable few_shot_table(const std::vector<const FewShotRow*>& rows, const std::vector<std::string>& methods,
                            const std::vector<std::string>& groups, bool fallback, const std::string& against) {
  const Groups of_items(groups);
  FewShotTable table{.items = static_cast<std::int64_t>(groups.size()),
                     .groups = static_cast<std::int64_t>(of_items.sizes().size()),
                     .fallback = fallback,
                     .against = against};
  const FewShotRow* zero_shot = nullptr;
  std::map<std::string, std::map<std::int64_t, std::vector<const FewShotRow*>>> of_method;
  std::set<std::int64_t> all_shots;
  for (const FewShotRow* row : rows) {
    if (row->method == kZeroShot) {
      zero_shot = row;
    } else {
      of_method[row->method][row->shots].push_back(row);
      all_shots.insert(row->shots);
    }
  }
  table.shots.assign(all_shots.begin(), all_shots.end());
  const Counted counted(of_items, zero_shot, fallback);
  if (zero_shot != nullptr) table.zero_shot = cell_of({zero_shot}, counted);
  const auto reference = [&](std::int64_t shots) -> std::vector<const FewShotRow*> {
    if (against == kZeroShot)
      return zero_shot == nullptr ? std::vector<const FewShotRow*>{} : std::vector{zero_shot};
    return of_method[against][shots];
  };
  for (const std::string& method : methods) {
    if (!of_method.contains(method)) continue;
    FewShotLine line{.method = method};
    for (const auto& [shots, of_shots] : of_method[method]) {
      line.cells.push_back(cell_of(of_shots, counted));
      if (method != against) line.cells.back().difference = difference_of(of_shots, reference(shots), counted);
      if (auto curve = mean_curve(of_shots); !curve.empty()) line.curves.emplace_back(shots, std::move(curve));
    }
    table.lines.push_back(std::move(line));
  }
  adjust_for_all_methods(table);
  return table;
}

std::string to_text(const FewShotTable& table, bool differences) {
  std::string text = aligned(cells_of(table)) + remarks(table);
  if (differences)
    text += cat("\nover ", table.against,
                ", on the same items and seeds: 95 % interval, p adjusted for all methods ",
                "of these shots (Holm)\n", aligned(differences_of(table)));
  return text;
}

std::string to_latex(const FewShotTable& table) { return latex_tabular(cells_of(table)); }

std::string to_csv(const FewShotTable& table) {
  std::string out =
      "method,shots,seeds,items,accuracy,low,high,against,difference,difference_low,difference_high,p,holm_p,"
      "fell_back,seconds\n";
  if (table.zero_shot) out += csv_line(kZeroShot, *table.zero_shot, table.items, table.against);
  for (const FewShotLine& line : table.lines) {
    for (const FewShotCell& cell : line.cells) out += csv_line(line.method, cell, table.items, table.against);
  }
  return out;
}

nlohmann::json to_json(const FewShotTable& table) {
  nlohmann::json json = {{"items", table.items},
                         {"concepts", table.groups},
                         {"fallback", table.fallback},
                         {"against", table.against}};
  if (table.zero_shot) json["zero_shot"] = to_json(*table.zero_shot);
  json["methods"] = nlohmann::json::object();
  for (const FewShotLine& line : table.lines) {
    for (const FewShotCell& cell : line.cells) json["methods"][line.method].push_back(to_json(cell));
  }
  return json;
}

Page page_of(const FewShotTable& table) {
  Page page{.title = "Classes from a handful of labels", .subtitle = remarks(table)};
  std::vector<Cells> cells = cells_of(table);
  page.tables.push_back({.title = "Accuracy by shots", .header = cells.front(), .rows = {}});
  page.tables.back().rows.assign(cells.begin() + 1, cells.end());
  page.tables.push_back(detailed(table));
  add_accuracy_charts(table, page.charts);
  add_curves(table, page.charts);
  return page;
}

}  // namespace duet
