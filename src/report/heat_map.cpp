#include "report/heat_map.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/format.h"
#include "report/html.h"
#include "text/unicode.h"

namespace duet {

namespace {

constexpr double kTop = 58, kLeft = 24, kKey = 40;  // title and axis words above, axis word beside, key below
constexpr double kMost = 900, kLargest = 64;        // the matrix' side, a cell's
constexpr double kNames = 170;                      // the longest name's place
constexpr double kReadable = 6.5;                   // the smallest type that names are set in
constexpr double kCharacter = .56;                  // of the type's size: what a letter takes

// Where everything lies: the same on both axes.
struct Layout {
  std::size_t classes = 0;
  double cell = 0, type = 0, names = 0;  // type 0: names do not fit
  double left() const { return kLeft + names; }
  double top() const { return kTop + names; }
  double side() const { return cell * static_cast<double>(classes); }
  double width() const { return std::max(460.0, left() + side() + 12); }
  double height() const { return top() + side() + kKey; }
};

std::string pixel(double value) { return fixed(value, 1); }

std::string name_of(const HeatMap& map, std::size_t at, double room, double type) {
  return clipped(map.names[at], static_cast<std::size_t>(room / (type * kCharacter)));
}

Layout layout_of(const HeatMap& map) {
  Layout layout{.classes = map.names.size()};
  layout.cell = std::min(kLargest, kMost / static_cast<double>(std::max<std::size_t>(1, layout.classes)));
  if (layout.cell < kReadable) return layout;
  layout.type = std::min(12.0, layout.cell);
  for (std::size_t i = 0; i < layout.classes; ++i) {
    const std::string name = name_of(map, i, kNames, layout.type);
    layout.names = std::max(layout.names, static_cast<double>(display_width(name)) * layout.type * kCharacter);
  }
  layout.names += 8;
  return layout;
}

std::int64_t items_of(const std::vector<std::int64_t>& row) {
  return std::accumulate(row.begin(), row.end(), std::int64_t{0});
}

// Small shares show too: a class mistaken once in twenty times is worth seeing.
double opacity_of(double share) { return .08 + .92 * std::pow(share, .7); }

const char* color_of(bool right) { return right ? "var(--s1,#2f6fde)" : "var(--s2,#d9660d)"; }

void draw_names(std::string& out, const HeatMap& map, const Layout& at) {
  if (at.type == 0) return;
  out += cat("<g font-size='", pixel(at.type), "' fill-opacity='.85'>");
  for (std::size_t i = 0; i < at.classes; ++i) {
    const double middle = (static_cast<double>(i) + .5) * at.cell + at.type * .35;
    const std::string full = escaped_html(map.names[i]), name = escaped_html(name_of(map, i, kNames, at.type));
    const std::string title = full == name ? "" : cat("<title>", full, "</title>");
    const std::string x = pixel(at.left() + middle), y = pixel(at.top() - 6);
    out += cat("<text text-anchor='end' x='", pixel(at.left() - 6), "' y='", pixel(at.top() + middle), "'>",
               name, title, "</text><text transform='rotate(-90 ", x, " ", y, ")' x='", x, "' y='", y, "'>",
               name, title, "</text>");
  }
  out += "</g>";
}

void draw_grid(std::string& out, const Layout& at) {
  // Of many classes every fifth line: a line a cell would be all that one sees.
  const std::size_t step = at.classes <= 30 ? 1 : 5;
  out += "<g stroke='currentColor' stroke-opacity='.13'>";
  for (std::size_t i = 0; i <= at.classes; i = i == at.classes ? i + 1 : std::min(i + step, at.classes)) {
    const double along = static_cast<double>(i) * at.cell;
    out += cat("<path d='M", pixel(at.left() + along), " ", pixel(at.top()), "v", pixel(at.side()), "M",
               pixel(at.left()), " ", pixel(at.top() + along), "h", pixel(at.side()), "'/>");
  }
  out += "</g>";
}

void draw_cell(std::string& out, const HeatMap& map, const Layout& at, std::size_t row, std::size_t column,
               std::int64_t items) {
  const std::int64_t count = map.counts[row][column];
  const double share = static_cast<double>(count) / static_cast<double>(items);
  const double x = at.left() + static_cast<double>(column) * at.cell,
               y = at.top() + static_cast<double>(row) * at.cell;
  const std::string number = cat(count);
  out += cat("<g><rect x='", pixel(x), "' y='", pixel(y), "' width='", pixel(at.cell), "' height='",
             pixel(at.cell), "' style='fill:", color_of(row == column), "' fill-opacity='",
             fixed(opacity_of(share), 2), "'/>");
  const double type = std::min(13.0, at.cell * .45);
  if (type >= kReadable + 1 && static_cast<double>(number.size()) * type * kCharacter < at.cell - 2) {
    out += cat("<text text-anchor='middle' font-size='", pixel(type), "' x='", pixel(x + at.cell / 2), "' y='",
               pixel(y + at.cell / 2 + type * .35), "'",
               opacity_of(share) > .6 ? " style='fill:var(--card,#fff)'" : "", ">", number, "</text>");
  }
  out += cat("<title>", escaped_html(map.names[row]), row == column ? ", told right: " : " taken for ",
             row == column ? "" : cat(escaped_html(map.names[column]), ": "), number, " of ", items, " (",
             fixed(100 * share, share < .1 ? 1 : 0), " %)</title></g>");
}

// Two strips of the colours from no share to all.
void draw_key(std::string& out, const Layout& at) {
  const double y = at.top() + at.side() + 24;
  double x = kLeft;
  for (const bool right : {true, false}) {
    for (int step = 0; step < 5; ++step) {
      out += cat("<rect x='", pixel(x + 16 * step), "' y='", pixel(y - 10),
                 "' width='16' height='12' style='fill:", color_of(right), "' fill-opacity='",
                 fixed(opacity_of(.25 * step), 2), "'/>");
    }
    out += cat("<text x='", pixel(x + 88), "' y='", pixel(y), "'>", right ? "right" : "wrong", "</text>");
    x += 140;
  }
  out += cat("<text class='mute' fill-opacity='.65' x='", pixel(x), "' y='", pixel(y),
             "'>0 to 100 % of the row</text>");
}

}  // namespace

std::string heat_map_svg(const HeatMap& map) {
  const Layout at = layout_of(map);
  const double middle = at.side() / 2;
  std::string out =
      cat("<svg class='chart' viewBox='0 0 ", pixel(at.width()), " ", pixel(at.height()),
          "' style='max-width:", pixel(at.width()),
          "px' role='img' font-family='system-ui,sans-serif' font-size='12' fill='currentColor' aria-label='",
          escaped_html(cat("Confusion matrix: ", map.title)), "'><text x='12' y='22' font-size='14' ",
          "font-weight='600'>", escaped_html(map.title), "</text><g fill-opacity='.65'>",
          "<text text-anchor='middle' x='", pixel(at.left() + middle), "' y='46'>answer</text>",
          "<text text-anchor='middle' transform='rotate(-90 15 ", pixel(at.top() + middle), ")' x='15' y='",
          pixel(at.top() + middle), "'>truth</text></g>");
  draw_names(out, map, at);
  for (std::size_t row = 0; row < at.classes; ++row) {
    const std::int64_t items = items_of(map.counts[row]);
    for (std::size_t column = 0; column < at.classes; ++column) {
      if (map.counts[row][column] > 0) draw_cell(out, map, at, row, column, items);
    }
  }
  draw_grid(out, at);
  draw_key(out, at);
  return out + "</svg>";
}

}  // namespace duet
