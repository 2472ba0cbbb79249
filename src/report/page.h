// Self-contained HTML pages: no scripts, no network, pictures inline. Light and dark by the reader's setting.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "report/heat_map.h"

namespace duet {

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  // (step, value); values that are not finite leave a gap
};
struct Chart {
  std::string title, x_label, y_label;
  std::vector<Series> series;
};
struct Picture {
  std::string bytes = {};  // an encoded PNG, JPEG, WebP or GIF: inlined as base64
  std::string link = {};   // where a click leads: a path; also what is shown when bytes is empty
  std::string title = {};  // shown on hover: path, caption
  double score = 0;
  int right = -1;            // 1 right, 0 wrong, -1 unknown
  std::string caption = {};  // printed below the picture on a card, and when its row is the page's only one
};
struct ContactRow {
  std::string query;
  std::vector<Picture> pictures;  // best first
};
// Pictures that belong together, side by side, and a line below them.
struct Card {
  std::vector<Picture> pictures;
  std::string words;
  int right = -1;  // as a picture's
};
struct Sheet {
  std::string title, note;
  std::vector<Card> cards;
};
struct Table {
  std::string title;
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;  // columns of numbers are set to the right
};
// Shown in this order; what is empty is left out.
struct Page {
  std::string title, subtitle = {};
  std::vector<std::pair<std::string, std::string>> facts = {};
  std::vector<Table> tables = {};
  std::vector<Chart> charts = {};
  std::vector<HeatMap> heat_maps = {};
  std::string contact_title = {};
  std::vector<ContactRow> contact = {};  // a single row is shown as a gallery of large pictures
  std::vector<Sheet> sheets = {};
  std::string text = {};  // preformatted, folded at the end: the recipe
  std::string text_title = "Recipe";
};
std::string to_html(const Page& page);
// One <svg> to stand inside HTML; its colours are the page's where a style sheet sets them.
std::string chart_svg(const Chart& chart);

}  // namespace duet
