#include "training/run_report.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>

#include "core/files.h"
#include "core/format.h"
#include "evaluation/retrieval.h"
#include "report/page.h"
#include "training/metrics_log.h"

namespace duet {
namespace {

constexpr std::int64_t kQueries = 14, kPictures = 8;

// A damaged log may hold anything: nothing where the keys do not lead to a number.
std::optional<double> number_at(const nlohmann::json& value, std::initializer_list<std::string_view> keys) {
  const nlohmann::json* at = &value;
  for (const std::string_view key : keys) {
    if (!at->is_object() || !at->contains(key)) return {};
    at = &at->at(std::string(key));
  }
  return at->is_number() ? std::optional(at->get<double>()) : std::nullopt;
}

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
    const auto add = [step](Chart& chart, const std::string& name, std::optional<double> value) {
      if (value) series_of(chart, name).points.emplace_back(step, *value);
    };
    add(loss, "total", number_at(line, {"loss"}));
    for (const auto& [key, value] : line.items()) add(loss, key, number_at(value, {"loss"}));
    for (const Source& split : validation) {
      for (const auto& [key, label] :
           {std::pair{"recall_at_1", "R@1"}, {"recall_at_5", "R@5"}, {"recall_at_10", "R@10"}}) {
        add(recall, cat(split.name, " ", label), number_at(line, {split.name, "text_to_image", key}));
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

constexpr std::array kDirections = {std::pair{"text_to_image", "text to image"},
                                    std::pair{"image_to_text", "image to text"}};

// The finished model's scores where there are some, else the newest ones of the curves.
std::vector<Table> make_tables(const std::vector<nlohmann::json>& metrics,
                               const std::vector<Source>& validation,
                               const std::vector<RetrievalResult>& finished) {
  Table table{.title = finished.empty() ? "Latest validation scores" : "The finished model on validation data",
              .header = {"split", "direction", "R@1", "R@5", "R@10"},
              .rows = {}};
  for (std::size_t i = 0; i < validation.size(); ++i) {
    const std::string& name = validation[i].name;
    const auto latest = std::find_if(metrics.rbegin(), metrics.rend(),
                                     [&](const nlohmann::json& line) { return line.contains(name); });
    if (finished.empty() && latest == metrics.rend()) continue;
    const nlohmann::json scores =
        finished.empty() ? latest->at(name) : to_json(finished.at(i), validation[i].manifest.string());
    for (const auto& [key, label] : kDirections) {
      std::vector<std::string> row = {name, label};
      for (const char* recall : {"recall_at_1", "recall_at_5", "recall_at_10"}) {
        const std::optional<double> value = number_at(scores, {key, recall});
        row.push_back(value ? fixed(*value, 3) : "");
      }
      table.rows.push_back(std::move(row));
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
                      const std::vector<Source>& validation, const std::vector<RetrievalResult>& finished,
                      std::vector<ContactRow> contact) {
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
  page.tables = make_tables(metrics, validation, finished);
  page.charts = make_charts(metrics, validation);
  if (!contact.empty()) {
    page.contact_title = cat("Queries of ", validation.front().name, " and the pictures found");
    page.contact = std::move(contact);
  }
  page.text = recipe.toml;
  replace_file(run / "report.html", to_html(page));
}

}  // namespace duet
