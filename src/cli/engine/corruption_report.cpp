#include "cli/engine/corruption_report.h"

#include <algorithm>
#include <cmath>

#include "cli/corruption_names.h"
#include "core/format.h"
#include "report/text_table.h"

namespace duet {
namespace {

static_assert(kCorruptionNames == kCorruptions);

std::string number(double value) { return std::isnan(value) ? "-" : fixed(value, 3); }

std::string with_interval(double value, const std::optional<Interval>& interval) {
  if (!interval) return number(value);
  return cat(number(value), " [", number(interval->low), ", ", number(interval->high), "]");
}

std::string spoken(std::string kind) {
  std::ranges::replace(kind, '_', ' ');
  return kind;
}

Cells header(const Robustness& robustness, const std::string& score) {
  Cells cells = {cat(score, " by strength")};
  for (int strength = 1; strength <= kStrengths; ++strength) cells.push_back(cat(strength));
  cells.push_back("mean");
  if (robustness.baseline) cells.insert(cells.end(), {"baseline", "CE", "relative CE"});
  return cells;
}

Cells row_of(const Robustness& robustness, std::size_t kind) {
  Cells cells = {spoken(robustness.kinds[kind])};
  for (const double error : robustness.model.corrupted[kind]) cells.push_back(number(1 - error));
  cells.push_back(number(1 - robustness.model.mean(kind)));
  if (robustness.baseline) {
    cells.insert(cells.end(),
                 {number(1 - robustness.baseline->mean(kind)), number(robustness.corruption_error(kind, false)),
                  number(robustness.corruption_error(kind, true))});
  }
  return cells;
}

double mean_at(const CorruptionErrors& errors, std::size_t strength) {
  double sum = 0;
  for (const auto& kind : errors.corrupted) sum += kind[strength];
  return sum / static_cast<double>(errors.corrupted.size());
}

Cells mean_row(const Robustness& robustness) {
  Cells cells = {"mean"};
  for (std::size_t i = 0; i < kStrengths; ++i) cells.push_back(number(1 - mean_at(robustness.model, i)));
  cells.push_back(number(1 - robustness.model.mean()));
  if (robustness.baseline) {
    cells.insert(cells.end(),
                 {number(1 - robustness.baseline->mean()),
                  with_interval(robustness.mean_corruption_error(false), robustness.interval),
                  with_interval(robustness.mean_corruption_error(true), robustness.relative_interval)});
  }
  return cells;
}

std::vector<Cells> rows_of(const Robustness& robustness) {
  std::vector<Cells> rows;
  for (std::size_t kind = 0; kind < robustness.kinds.size(); ++kind) rows.push_back(row_of(robustness, kind));
  rows.push_back(mean_row(robustness));
  return rows;
}

std::string clean_text(const Robustness& robustness) {
  const std::string clean = cat("clean ", number(1 - robustness.model.clean));
  return robustness.baseline ? cat(clean, ", baseline ", number(1 - robustness.baseline->clean)) : clean;
}

// Right answers at strength 0, which is clean, and above.
Series series_of(const std::string& name, const CorruptionErrors& errors,
                 const std::function<double(std::size_t)>& error_at) {
  Series series{.name = name, .points = {{0, 1 - errors.clean}}};
  for (std::size_t i = 0; i < kStrengths; ++i)
    series.points.emplace_back(static_cast<double>(i + 1), 1 - error_at(i));
  return series;
}

Chart chart_of(const std::string& title, const std::string& score) {
  return {.title = title, .x_label = "strength, 0 is clean", .y_label = score, .series = {}};
}

// Eight lines to a chart are told apart: kinds that belong together share one.
std::vector<Chart> kind_charts(const std::string& split, const Robustness& robustness,
                               const std::string& score) {
  constexpr std::size_t kLines = 5;
  std::vector<Chart> charts;
  for (std::size_t kind = 0; kind < robustness.kinds.size(); ++kind) {
    if (kind % kLines == 0) charts.push_back(chart_of(cat(split, " by kind of corruption"), score));
    charts.back().series.push_back(
        series_of(spoken(robustness.kinds[kind]), robustness.model,
                  [&](std::size_t i) { return robustness.model.corrupted[kind][i]; }));
  }
  return charts;
}

}  // namespace

std::string corruption_text(const std::string& split, const Robustness& robustness, const std::string& score) {
  std::vector<Cells> rows = rows_of(robustness);
  rows.insert(rows.begin(), header(robustness, score));
  return cat("\n", split, " corrupted: ", clean_text(robustness), "\n", aligned(rows));
}

void add_corruptions(Page& page, const std::string& split, const Robustness& robustness,
                     const std::string& score, const std::vector<Image>& example, int strength) {
  page.tables.push_back({.title = cat(split, " corrupted: ", clean_text(robustness)),
                         .header = header(robustness, score),
                         .rows = rows_of(robustness)});
  Chart means = chart_of(cat(split, " corrupted, mean over kinds"), score);
  means.series.push_back(
      series_of("model", robustness.model, [&](std::size_t i) { return mean_at(robustness.model, i); }));
  if (robustness.baseline)
    means.series.push_back(series_of("baseline", *robustness.baseline,
                                     [&](std::size_t i) { return mean_at(*robustness.baseline, i); }));
  page.charts.push_back(std::move(means));
  for (Chart& chart : kind_charts(split, robustness, score)) page.charts.push_back(std::move(chart));
  Sheet sheet{.title = cat("A picture of ", split, " under each corruption"),
              .note = cat("strength ", strength, " of ", kStrengths),
              .cards = {}};
  for (std::size_t i = 0; i < example.size(); ++i) {
    const std::string name = i == 0 ? "clean" : spoken(robustness.kinds[i - 1]);
    sheet.cards.push_back({.pictures = {{.bytes = png_bytes(example[i]), .title = name}}, .words = name});
  }
  page.sheets.push_back(std::move(sheet));
}

}  // namespace duet
