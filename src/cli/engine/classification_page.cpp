#include "cli/engine/classification_page.h"

#include <ATen/ops/amax.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/softmax.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/format.h"
#include "datasets/image.h"
#include "text/unicode.h"

namespace duet {
namespace {

constexpr std::size_t kShown = 36;  // mistakes, and a third of it right answers
constexpr std::size_t kTextCells = 160;

struct Judged {
  std::size_t item = 0;
  std::int64_t truth = 0, answer = 0;
  double probability = 0;  // of the answer
};

// The surest first.
std::vector<Judged> judged_items(const Labelled& items, const torch::Tensor& logits) {
  const torch::Tensor probabilities = logits.softmax(1).amax(1).to(torch::kDouble).contiguous(),
                      answers = logits.argmax(1).contiguous();
  const double* probability = probabilities.data_ptr<double>();
  const std::int64_t* answer = answers.data_ptr<std::int64_t>();
  std::vector<Judged> all;
  for (std::size_t i = 0; i < items.labels.size(); ++i)
    all.push_back({i, items.labels[i].front(), answer[i], probability[i]});
  std::ranges::stable_sort(all, std::greater(), &Judged::probability);
  return all;
}

std::vector<Judged> first_of(const std::vector<Judged>& all, bool right, std::size_t most) {
  std::vector<Judged> some;
  for (const Judged& one : all) {
    if ((one.truth == one.answer) == right && some.size() < most) some.push_back(one);
  }
  return some;
}

std::string words_of(const Labelled& items, const Judged& one) {
  const auto name = [&](std::int64_t at) { return items.classes[static_cast<std::size_t>(at)]; };
  const std::string sure = fixed(one.probability, 2);
  if (one.truth == one.answer) return cat(name(one.truth), " (", sure, ")");
  return cat(name(one.answer), " (", sure, "), is ", name(one.truth));
}

Card card_of(const Labelled& items, const Judged& one, std::int64_t max_pixels) {
  const Pair& pair = items.source.pairs[one.item];
  Picture picture{.title = pair.image};
  try {
    const Image image = items.source.draw
                            ? items.source.draw(static_cast<std::int64_t>(one.item))
                            : load_image(items.source.path_of(pair), {.enough = 128, .max_pixels = max_pixels});
    picture.bytes = png_bytes(resize_image(image, {.size = 96, .resize = "pad"}));
  } catch (const BadImage&) {
    // It was read before: gone since. The card's words stay.
  }
  return {.pictures = {picture}, .words = words_of(items, one), .right = one.truth == one.answer ? 1 : 0};
}

Sheet sheet_of(const std::string& title, const Labelled& items, const std::vector<Judged>& shown,
               std::int64_t max_pixels) {
  Sheet sheet{.title = title, .note = "the answer and its probability", .cards = {}};
  for (const Judged& one : shown) sheet.cards.push_back(card_of(items, one, max_pixels));
  return sheet;
}

Table text_table(const std::string& title, const Labelled& items, const std::vector<Judged>& shown) {
  Table table{.title = title, .header = {"text", "answer", "is"}, .rows = {}};
  for (const Judged& one : shown) {
    const std::string text = joined(items.source.pairs[one.item].captions, " | ");
    table.rows.push_back(
        {clipped(text, kTextCells),
         cat(items.classes[static_cast<std::size_t>(one.answer)], " (", fixed(one.probability, 2), ")"),
         items.classes[static_cast<std::size_t>(one.truth)]});
  }
  return table;
}

std::string interval_text(const Interval& interval) {
  return cat("[", fixed(interval.low, 3), ", ", fixed(interval.high, 3), "]");
}

Table score_table(const std::string& split, const ClassificationScores& scores) {
  Table table{.title = cat("Scores on ", split), .header = {"score", "value", "95 % interval"}, .rows = {}};
  table.rows = {
      {"top-1", fixed(scores.top_1, 3), interval_text(scores.top_1_interval)},
      {"top-5", fixed(scores.top_5, 3), ""},
      {"mean per class", fixed(scores.mean_per_class, 3), interval_text(scores.mean_per_class_interval)},
      {"macro-F1", fixed(scores.macro_f1, 3), interval_text(scores.macro_f1_interval)},
      {"expected calibration error", fixed(scores.calibration_error, 3), ""}};
  if (scores.roc_auc) table.rows.push_back({"ROC-AUC", fixed(*scores.roc_auc, 3), ""});
  return table;
}

// The classes that are told worst come first.
Table class_table(const std::string& split, const ClassificationScores& scores) {
  Table table{.title = cat("Classes of ", split),
              .header = {"class", "items", "precision", "recall", "F1", "mostly taken for"},
              .rows = {}};
  std::vector<std::size_t> order;
  for (std::size_t c = 0; c < scores.per_class.size(); ++c) {
    if (scores.per_class[c].items > 0) order.push_back(c);
  }
  std::ranges::stable_sort(order, {}, [&](std::size_t c) { return scores.per_class[c].recall; });
  for (const std::size_t c : order) {
    const ClassScores& one = scores.per_class[c];
    std::vector<std::int64_t> others = scores.confusion[c];
    others[c] = 0;
    const auto most = static_cast<std::size_t>(std::ranges::max_element(others) - others.begin());
    table.rows.push_back(
        {one.name, grouped(one.items), fixed(one.precision, 3), fixed(one.recall, 3), fixed(one.f1, 3),
         others[most] == 0 ? std::string() : cat(scores.per_class[most].name, " (", others[most], ")")});
  }
  return table;
}

}  // namespace

void add_classification(Page& page, const std::string& split, const Labelled& items,
                        const torch::Tensor& logits, const ClassificationScores& scores,
                        std::int64_t max_pixels) {
  page.tables.push_back(score_table(split, scores));
  page.tables.push_back(class_table(split, scores));
  HeatMap map{
      .title = cat("Who is taken for whom: ", split), .names = items.classes, .counts = scores.confusion};
  page.heat_maps.push_back(std::move(map));
  const std::vector<Judged> all = judged_items(items, logits);
  const std::vector<Judged> wrong = first_of(all, false, kShown), right = first_of(all, true, kShown / 3);
  const std::string mistakes = cat("Worst mistakes on ", split), hits = cat("Surest right answers on ", split);
  if (items.texts) {
    if (!wrong.empty()) page.tables.push_back(text_table(mistakes, items, wrong));
    if (!right.empty()) page.tables.push_back(text_table(hits, items, right));
    return;
  }
  if (!wrong.empty()) page.sheets.push_back(sheet_of(mistakes, items, wrong, max_pixels));
  if (!right.empty()) page.sheets.push_back(sheet_of(hits, items, right, max_pixels));
}

void add_classification(Page& page, const std::string& split, const MultiLabelScores& scores) {
  page.tables.push_back({.title = cat("Scores on ", split),
                         .header = {"score", "value", "95 % interval"},
                         .rows = {{"mean average precision", fixed(scores.mean_average_precision, 3),
                                   interval_text(scores.interval)}}});
  Table table{.title = cat("Classes of ", split), .header = {"class", "average precision"}, .rows = {}};
  for (const auto& [name, precision] : scores.per_class)
    table.rows.push_back({name, std::isnan(precision) ? "-" : fixed(precision, 3)});
  page.tables.push_back(std::move(table));
}

}  // namespace duet
