#include "evaluation/class_names.h"

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "datasets/formats/format.h"
#include "evaluation/prompt_templates.h"
#include "text/unicode.h"

namespace duet {
namespace {

constexpr const char* kOpenAi = "openai";
constexpr const char* kSimple = "simple";
constexpr std::string_view kPlace = "{}";

// Parts between separators; at least one.
std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

// "face-smiling" is said as "face smiling".
std::string spoken(std::string_view label) {
  std::string name(label);
  std::ranges::replace_if(
      name, [](char c) { return c == '-' || c == '_'; }, ' ');
  name = std::string(trimmed(name));
  return name.empty() ? std::string(label) : name;
}

std::string first_of(const std::vector<std::string>& all) {
  const std::size_t shown = std::min<std::size_t>(10, all.size());
  return cat(joined(std::span(all).first(shown)), shown < all.size() ? " ..." : "");
}

void warn_of_unknown(const std::vector<std::string>& unknown, std::size_t classes) {
  if (unknown.empty()) return;
  log_warning(cat("no caption that the model learned from had a word of ", unknown.size(), " of ", classes,
                  " classes: ", first_of(unknown)));
}

// Names of the same pieces have the same vector, and of classes that are equally likely the first one counts.
void warn_of_equal_names(const Tokenizer& tokenizer, const std::vector<ClassNames>& classes) {
  std::map<std::vector<std::int64_t>, std::string> label_of;
  std::vector<std::string> equal;
  for (const ClassNames& one : classes) {
    for (const std::string& name : one.names) {
      const auto [other, is_new] = label_of.try_emplace(tokenizer.encode(name), one.label);
      if (!is_new && other->second != one.label)
        equal.push_back(cat("'", other->second, "' and '", one.label, "' (", name, ")"));
    }
  }
  if (!equal.empty()) log_warning(cat("nothing tells classes of the same name apart: ", first_of(equal)));
}

// Names with the same number are the same to the tower: in each template, as far as it reads.
std::vector<std::size_t> read_alike(const EmbedSetting& setting, const std::vector<std::string>& names,
                                    const std::vector<std::string>& templates) {
  std::vector<std::size_t> alike(names.size());
  for (const std::string& text : templates) {
    std::map<std::pair<std::size_t, std::vector<std::int64_t>>, std::size_t> numbers;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto ids = encode_caption(*setting.tokenizer, filled(text, names[i]), setting.text_format);
      alike[i] = numbers.try_emplace({alike[i], ids}, numbers.size()).first->second;
    }
    if (numbers.size() == names.size()) break;
  }
  return alike;
}

// Names that differ behind the end of what the tower reads.
void warn_of_cut_names(const EmbedSetting& setting, const std::vector<ClassNames>& classes,
                       const std::vector<std::string>& templates) {
  constexpr std::size_t kCells = 60;
  std::vector<std::string> names, shown, equal;
  std::vector<std::size_t> class_of;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const std::string label = cat("'", clipped(classes[c].label, kCells), "'");
    for (const std::string& name : classes[c].names) {
      names.push_back(name);
      shown.push_back(classes[c].names.size() == 1 ? label : cat(label, " (", clipped(name, kCells), ")"));
      class_of.push_back(c);
    }
  }
  const std::vector<std::size_t> alike = read_alike(setting, names, templates);
  std::map<std::size_t, std::size_t> first;
  std::set<std::pair<std::size_t, std::size_t>> told;  // two classes are named once, whatever names they have
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::size_t other = first.try_emplace(alike[i], i).first->second;
    if (class_of[other] == class_of[i]) continue;
    if (setting.tokenizer->encode(names[other]) == setting.tokenizer->encode(names[i]))
      continue;  // said already
    if (told.emplace(class_of[other], class_of[i]).second)
      equal.push_back(cat(shown[other], " and ", shown[i]));
  }
  if (equal.empty()) return;
  const std::string& text = templates.front();
  log_warning(cat("of a text the model reads ", setting.text_format.context,
                  " tokens, its context, and what tells classes apart comes later",
                  text == kPlace ? "" : cat(", in '", clipped(text, kCells), "'"), ": ", first_of(equal),
                  "; give shorter ", text == kPlace ? "names" : "names or templates"));
}

}  // namespace

std::vector<ClassNames> read_class_names(const fs::path& file) {
  const auto place = [&](std::size_t line) { return cat(file.string(), ":", line); };
  std::vector<std::string> lines = split(composed(read_text(file)), '\n');
  while (!lines.empty() && trimmed(lines.back()).empty()) lines.pop_back();
  std::vector<ClassNames> classes;
  std::map<std::string, std::size_t> line_of;
  for (std::size_t line = 1; line <= lines.size(); ++line) {
    std::vector<std::string> names = split(lines[line - 1], '\t');
    for (std::string& name : names) name = std::string(trimmed(name));
    if (std::ranges::find(names, "") != names.end())
      fail(Exit::data, place(line), "an empty class name",
           "a class a line: label, or label<TAB>name<TAB>name...");
    const auto [other, is_new] = line_of.try_emplace(names.front(), line);
    if (!is_new)
      fail(Exit::data, place(line), cat("class '", names.front(), "' stands in line ", other->second, " too"),
           "further names of a class go behind a TAB on its line");
    const std::string label = names.front();
    names.erase(names.begin());
    if (names.empty()) names.push_back(spoken(label));
    classes.push_back({label, names});
  }
  if (classes.size() < 2)
    fail(Exit::data, file.string(), classes.empty() ? "has no classes" : "has one class only",
         "a class a line, two or more");
  return classes;
}

std::vector<ClassNames> class_names_of(const std::vector<std::string>& labels) {
  std::vector<ClassNames> classes;
  for (const std::string& label : labels) classes.push_back({label, {spoken(label)}});
  return classes;
}

std::vector<std::string> read_templates(const std::string& templates) {
  if (templates == kSimple) return {std::string(kPlace)};
  if (templates == kOpenAi) return {openai_templates().begin(), openai_templates().end()};
  std::error_code none;
  if (!fs::exists(templates, none)) {
    const std::vector<std::string> known = {kOpenAi, kSimple};
    fail(Exit::usage, "--templates", cat("there is no file '", templates, "'", did_you_mean(templates, known)),
         "allowed are openai, simple, or a file with a template a line");
  }
  const std::vector<std::string> lines = split(read_text(templates), '\n');
  std::vector<std::string> found;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string_view line = trimmed(lines[i]);
    if (line.empty()) continue;
    if (line.find(kPlace) == std::string::npos)
      fail(Exit::data, cat(templates, ":", i + 1), cat("'", line, "' has no {}"),
           "{} stands for the class name, as in: a photo of a {}.");
    found.emplace_back(line);
  }
  if (found.empty()) fail(Exit::data, templates, "has no templates", "write one a line, as: a photo of a {}.");
  return found;
}

std::string filled(std::string text, std::string_view name) {
  for (std::size_t at = text.find(kPlace); at != std::string::npos; at = text.find(kPlace, at + name.size()))
    text.replace(at, kPlace.size(), name);
  return text;
}

KnownPieces::KnownPieces(const EmbedSetting& setting) : tokenizer_(*setting.tokenizer) {
  constexpr std::string_view kSpace = "\u2581";
  const torch::Tensor known =
      setting.model->text->token_table().detach().ne(0).any(1).to(torch::kCPU).contiguous();
  for (std::int64_t id = 0; id < tokenizer_.pieces(); ++id) {
    const std::string piece = tokenizer_.piece(id);
    // <unk> is whatever has no piece.
    known_.push_back(piece != kSpace && !tokenizer_.is_unknown(id) && known.data_ptr<bool>()[id]);
    byte_.push_back(piece.size() == 6 && piece.starts_with("<0x") && piece.ends_with('>'));
  }
}

bool KnownPieces::in(std::string_view text) const {
  std::size_t bytes = 0, known_bytes = 0;
  for (const std::int64_t id : tokenizer_.encode(text)) {
    const auto at = static_cast<std::size_t>(id);
    if (!byte_[at] && known_[at]) return true;
    bytes += byte_[at];
    known_bytes += byte_[at] && known_[at];
  }
  return bytes > 0 && known_bytes == bytes;
}

std::vector<ClassNames> telling_names(const EmbedSetting& setting, const std::vector<ClassNames>& classes) {
  const KnownPieces pieces(setting);
  std::vector<ClassNames> telling;
  std::vector<std::string> unknown;
  for (const ClassNames& one : classes) {
    ClassNames kept{one.label, {}};
    for (const std::string& name : one.names) {
      if (pieces.in(name) && std::ranges::find(kept.names, name) == kept.names.end())
        kept.names.push_back(name);
    }
    if (kept.names.empty()) {
      unknown.push_back(cat("'", one.label, "'"));
      kept.names = one.names;
    }
    telling.push_back(std::move(kept));
  }
  warn_of_unknown(unknown, classes.size());
  return telling;
}

void warn_of_names_alike(const EmbedSetting& setting, const std::vector<ClassNames>& classes,
                         const std::vector<std::string>& templates) {
  warn_of_equal_names(*setting.tokenizer, classes);
  warn_of_cut_names(setting, classes, templates);
}

}  // namespace duet
