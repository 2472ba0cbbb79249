#include "report/page.h"

#include <algorithm>
#include <string_view>

#include "core/format.h"
#include "report/html.h"
#include "report/page_style.h"

namespace duet {

namespace {

bool looks_numeric(std::string_view cell) {
  if (cell.empty() || cell == "-") return true;
  return cell.find_first_of("0123456789") != std::string_view::npos &&
         cell.find_first_not_of("0123456789+-.,%±[]() –eEkM") == std::string_view::npos;
}

std::vector<bool> numeric_columns(const Table& table) {
  std::vector<bool> numeric(table.header.size(), !table.rows.empty());
  for (const auto& row : table.rows) {
    for (std::size_t i = 0; i < std::min(row.size(), numeric.size()); ++i) {
      numeric[i] = numeric[i] && looks_numeric(row[i]);
    }
  }
  return numeric;
}

void add_facts(std::string& out, const Page& page) {
  if (page.facts.empty()) return;
  out += "<dl class=\"facts\">";
  for (const auto& [name, value] : page.facts) {
    out += cat("<div><dt>", escaped_html(name), "</dt><dd", value.size() > 18 ? " class=\"long\"" : "", ">",
               escaped_html(value), "</dd></div>");
  }
  out += "</dl>\n";
}

void add_table(std::string& out, const Table& table) {
  const std::vector<bool> numeric = numeric_columns(table);
  const auto mark = [&](std::size_t i) { return i < numeric.size() && numeric[i] ? " class=\"num\"" : ""; };
  out += "<div class=\"scroll\" tabindex=\"0\"><table>";
  if (!table.title.empty()) out += cat("<caption>", escaped_html(table.title), "</caption>");
  out += "<thead><tr>";
  for (std::size_t i = 0; i < table.header.size(); ++i) {
    out += cat("<th scope=\"col\"", mark(i), ">", escaped_html(table.header[i]), "</th>");
  }
  out += "</tr></thead><tbody>";
  for (const auto& row : table.rows) {
    out += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) out += cat("<td", mark(i), ">", escaped_html(row[i]), "</td>");
    out += "</tr>";
  }
  out += "</tbody></table></div>\n";
}

void add_charts(std::string& out, const Page& page) {
  if (page.charts.empty()) return;
  out += cat("<section class=\"charts", page.charts.size() == 1 ? " one" : "", "\">");
  for (const Chart& chart : page.charts) out += cat("<figure>", chart_svg(chart), "</figure>\n");
  out += "</section>\n";
}

void add_heat_maps(std::string& out, const Page& page) {
  for (const HeatMap& map : page.heat_maps)
    out += cat("<section class=\"charts map\"><figure>", heat_map_svg(map), "</figure></section>\n");
}

void add_picture(std::string& out, const Picture& picture, std::size_t rank, bool gallery) {
  const std::string inlined = data_url(picture.bytes);
  const std::string link = url_of_path(picture.link);
  const std::string title = escaped_html(picture.title);
  const char* verdict = picture.right == 1 ? " class=\"right\"" : picture.right == 0 ? " class=\"wrong\"" : "";
  out += cat("<figure", verdict, ">");
  if (!link.empty()) out += cat("<a href=\"", link, "\">");
  out += cat("<img loading=\"lazy\" decoding=\"async\" alt=\"", title, "\" title=\"", title, "\" src=\"",
             inlined.empty() ? link : inlined, "\">");
  if (!link.empty()) out += "</a>";
  out += "<figcaption>";
  if (gallery) {
    out += cat("<span class=\"rank\">", rank, "</span> ");
    if (!picture.caption.empty())
      out += cat("<span class=\"name\">", escaped_html(picture.caption), "</span> ");
  }
  if (picture.right == 1) out += "<span class=\"tick\" title=\"right\">&#10003;</span> ";
  out += cat("<span class=\"score\">", fixed(picture.score, 3), "</span></figcaption></figure>");
}

void add_contact_sheet(std::string& out, const Page& page) {
  if (page.contact.empty()) return;
  const bool gallery = page.contact.size() == 1;
  out += cat("<section class=\"", gallery ? "gallery" : "contact", "\">");
  if (!page.contact_title.empty()) out += cat("<h2>", escaped_html(page.contact_title), "</h2>");
  bool judged = false;
  for (const ContactRow& row : page.contact) {
    for (const Picture& picture : row.pictures) judged = judged || picture.right == 1;
  }
  if (judged)
    out += "<p class=\"key\"><span class=\"tick\">&#10003;</span> a right answer; the number is the score</p>";
  for (const ContactRow& row : page.contact) {
    out += "<article>";
    if (!row.query.empty()) out += cat("<h3>", escaped_html(row.query), "</h3>");
    out += "<div class=\"strip\">";
    for (std::size_t i = 0; i < row.pictures.size(); ++i) add_picture(out, row.pictures[i], i + 1, gallery);
    out += "</div></article>\n";
  }
  out += "</section>\n";
}

void add_card(std::string& out, const Card& card) {
  out += cat("<article", card.right == 1 ? " class=\"right\"" : "", "><div class=\"side\">");
  for (const Picture& picture : card.pictures) {
    const std::string title = escaped_html(picture.title);
    out += cat("<figure><img loading=\"lazy\" decoding=\"async\" alt=\"", title, "\" title=\"", title,
               "\" src=\"", data_url(picture.bytes), "\"><figcaption>", escaped_html(picture.caption),
               "</figcaption></figure>");
  }
  const char* verdict = card.right == 1   ? "<span class=\"tick\" title=\"right\">&#10003;</span> "
                        : card.right == 0 ? "<span class=\"cross\" title=\"wrong\">&#10007;</span> "
                                          : "";
  out += cat("</div><p>", verdict, escaped_html(card.words), "</p></article>\n");
}

void add_sheet(std::string& out, const Sheet& sheet) {
  std::size_t side = 1;
  for (const Card& card : sheet.cards) side = std::max(side, card.pictures.size());
  out += cat("<section class=\"sheet\"><h2>", escaped_html(sheet.title), "</h2>");
  if (!sheet.note.empty()) out += cat("<p class=\"key\">", escaped_html(sheet.note), "</p>");
  out += cat("<div class=\"cards\" style=\"--side:", side, "\">");
  for (const Card& card : sheet.cards) add_card(out, card);
  out += "</div></section>\n";
}

}  // namespace

std::string to_html(const Page& page) {
  // The policy lets nothing run and nothing load but inlined pictures and files, whatever a caption may hold.
  std::string out = cat(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"generator\" content=\"duet\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
      "img-src data: file: 'self'\">\n<title>",
      escaped_html(page.title), "</title>\n<style>", kPageStyle,
      "</style>\n</head>\n<body>\n<main>\n<header><h1>", escaped_html(page.title), "</h1>");
  if (!page.subtitle.empty()) out += cat("<p>", escaped_html(page.subtitle), "</p>");
  out += "</header>\n";
  add_facts(out, page);
  for (const Table& table : page.tables) add_table(out, table);
  add_charts(out, page);
  add_heat_maps(out, page);
  add_contact_sheet(out, page);
  for (const Sheet& sheet : page.sheets) add_sheet(out, sheet);
  if (!page.text.empty()) {
    out += cat("<details><summary>", escaped_html(page.text_title), "</summary><pre>", escaped_html(page.text),
               "</pre></details>\n");
  }
  return out + "</main>\n</body>\n</html>\n";
}

}  // namespace duet
