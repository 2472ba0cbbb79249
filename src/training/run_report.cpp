#include "training/run_report.h"

#include <algorithm>

#include "core/files.h"
#include "core/format.h"
#include "evaluation/retrieval.h"
#include "report/page.h"
#include "training/metrics_log.h"

namespace duet {
namespace {

constexpr std::int64_t kQueries = 14, kPictures = 8;

// Points of one series; those of a new name go to the end, so that legends keep the order of first appearance.
Series& series_of(Chart& chart, const std::string& name) {
  const auto found =
      std::find_if(chart.series.begin(), chart.series.end(), [&](const Series& s) { return s.name == name; });
  if (found != chart.series.end()) return *found;
  return chart.series.emplace_back(Series{name, {}});
}

std::vector<Chart> make_charts(const std::vector<nlohmann::json>& metrics,
                               const std::vector<Source>& validation) {
  Chart loss{.title = "Loss", .x_label = "step", .y_label = "loss", .series = {}};
  Chart recall{.title = "Validation, text to image", .x_label = "step", .y_label = "recall", .series = {}};
  for (const nlohmann::json& line : metrics) {
    const double step = line.at("step").get<double>();
    if (line.contains("loss")) series_of(loss, "total").points.emplace_back(step, line["loss"].get<double>());
    for (const auto& [key, value] : line.items()) {
      if (value.is_object() && value.contains("loss")) {
        series_of(loss, key).points.emplace_back(step, value["loss"].get<double>());
      }
    }
    for (const Source& split : validation) {
      if (!line.contains(split.name)) continue;
      for (const auto& [key, label] :
           {std::pair{"recall_at_1", "R@1"}, {"recall_at_5", "R@5"}, {"recall_at_10", "R@10"}}) {
        const double value = line[split.name]["text_to_image"][key].get<double>();
        series_of(recall, cat(split.name, " ", label)).points.emplace_back(step, value);
      }
    }
  }
  if (loss.series.size() == 2) loss.series.pop_back();  // one objective of weight 1 is the total
  std::vector<Chart> charts = {std::move(loss)};
  if (!recall.series.empty()) charts.push_back(std::move(recall));
  return charts;
}

// Evenly spaced queries of the split with their best pictures, and whether each is right.
std::vector<ContactRow> make_contact_sheet(const EmbedSetting& setting, const Source& split) {
  const RetrievalTask task = make_task(split);
  const auto count = static_cast<std::int64_t>(task.queries.size());
  std::vector<std::string> queries;
  std::vector<std::int64_t> keys;
  for (std::int64_t i = 0; i < std::min(kQueries, count); ++i) {
    const auto at = static_cast<std::size_t>((2 * i + 1) * count / (2 * std::min(kQueries, count)));
    queries.push_back(task.queries[at]);
    keys.push_back(task.query_keys[at]);
  }
  const torch::Tensor images = embed_images(setting, split).rows;
  const torch::Tensor scores = embed_texts(setting, queries).matmul(images.t());  // [Q, N]
  const auto [values, order] = scores.topk(std::min(kPictures, images.size(0)), 1);
  std::vector<ContactRow> rows;
  for (std::size_t q = 0; q < queries.size(); ++q) {
    ContactRow row{.query = queries[q], .pictures = {}};
    for (std::int64_t k = 0; k < order.size(1); ++k) {
      const auto at = static_cast<std::size_t>(order[static_cast<std::int64_t>(q)][k].item<std::int64_t>());
      const Pair& pair = split.pairs[at];
      Picture picture{.bytes = {},
                      .link = {},
                      .title = cat(pair.image, pair.captions.empty() ? "" : "\n" + pair.captions.front())};
      try {
        const Image image =
            split.draw ? split.draw(static_cast<std::int64_t>(at))
                       : load_image(split.path_of(pair), {.enough = 96, .max_pixels = setting.max_pixels});
        picture.bytes = png_bytes(resize_image(image, {.size = 72, .resize = "pad"}));
      } catch (const BadImage&) {
        continue;  // counted where pictures are embedded
      }
      picture.score = values[static_cast<std::int64_t>(q)][k].item<double>();
      picture.right = task.picture_keys[at] == keys[q] ? 1 : 0;
      row.pictures.push_back(std::move(picture));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<Table> make_tables(const std::vector<nlohmann::json>& metrics,
                               const std::vector<Source>& validation) {
  Table table{
      .title = "Latest validation scores", .header = {"split", "direction", "R@1", "R@5", "R@10"}, .rows = {}};
  for (const Source& split : validation) {
    for (auto line = metrics.rbegin(); line != metrics.rend(); ++line) {
      if (!line->contains(split.name)) continue;
      const auto& scores = (*line)[split.name]["text_to_image"];
      table.rows.push_back({split.name, "text to image", fixed(scores["recall_at_1"].get<double>(), 3),
                            fixed(scores["recall_at_5"].get<double>(), 3),
                            fixed(scores["recall_at_10"].get<double>(), 3)});
      break;
    }
  }
  if (table.rows.empty()) return {};
  return {std::move(table)};
}

}  // namespace

std::vector<ContactRow> contact_sheet(const EmbedSetting& setting, const std::vector<Source>& validation) {
  if (validation.empty()) return {};
  torch::NoGradGuard no_grad;
  return make_contact_sheet(setting, validation.front());
}

void write_run_report(const fs::path& run, const Recipe& recipe, const Model& model,
                      const std::vector<Source>& validation, std::vector<ContactRow> contact) {
  const std::vector<nlohmann::json> metrics = read_metrics(run);
  std::int64_t parameters = 0;
  for (const torch::Tensor& tensor : model.parameters()) parameters += tensor.numel();
  const std::int64_t step = metrics.empty() ? 0 : metrics.back().at("step").get<std::int64_t>();
  Page page{.title = fs::absolute(run).lexically_normal().filename().string(),
            .subtitle = "a duet training run"};
  page.facts = {{"steps", grouped(step)},
                {"pairs seen", grouped(step * recipe.train.batch)},
                {"parameters", grouped(parameters)},
                {"batch", grouped(recipe.train.batch)}};
  page.tables = make_tables(metrics, validation);
  page.charts = make_charts(metrics, validation);
  if (!contact.empty()) {
    page.contact_title = cat("Queries of ", validation.front().name, " and the pictures found");
    page.contact = std::move(contact);
  }
  page.text = recipe.toml;
  replace_file(run / "report.html", to_html(page));
}

}  // namespace duet
