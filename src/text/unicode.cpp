#include "text/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "core/error.h"

namespace duet {
namespace {

constexpr std::int32_t kReplacement = 0xfffd;
constexpr std::int32_t kEmojiStyle = 0xfe0f;  // variation selector 16: shown as a wide picture

struct Character {
  std::int32_t code = kReplacement;  // what stands for a byte that is no UTF-8
  std::size_t bytes = 1;
  bool valid = false;
};

Character character_at(std::string_view text, std::size_t at) {
  utf8proc_int32_t code = 0;
  const auto length = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + at,
                                       static_cast<utf8proc_ssize_t>(text.size() - at), &code);
  if (length <= 0) return {};
  return {.code = code, .bytes = static_cast<std::size_t>(length), .valid = true};
}

void append(std::string& text, std::int32_t code) {
  utf8proc_uint8_t bytes[4];
  const auto length = utf8proc_encode_char(code, bytes);
  text.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(length));
}

// What a reader takes for one character, and the terminal cells that it fills.
struct Grapheme {
  std::size_t bytes = 0, cells = 0;
};

bool is_regional_indicator(std::int32_t code) { return code >= 0x1f1e6 && code <= 0x1f1ff; }

Grapheme grapheme_at(std::string_view text, std::size_t at) {
  Grapheme grapheme;
  utf8proc_int32_t state = 0;
  std::int32_t last = 0;
  while (at + grapheme.bytes < text.size()) {
    const Character next = character_at(text, at + grapheme.bytes);
    if (grapheme.bytes > 0 && utf8proc_grapheme_break_stateful(last, next.code, &state)) break;
    auto cells = static_cast<std::size_t>(std::max(utf8proc_charwidth(next.code), 0));
    const bool flag = is_regional_indicator(last) && is_regional_indicator(next.code);
    if (next.code == kEmojiStyle || flag) cells = 2;
    grapheme.cells = std::max(grapheme.cells, cells);
    grapheme.bytes += next.bytes;
    last = next.code;
  }
  return grapheme;
}

std::string from_utf16(std::string_view bytes, bool big_endian) {
  std::string text;
  const auto unit = [&](std::size_t at) {
    const auto first = static_cast<unsigned char>(bytes[at]),
               second = static_cast<unsigned char>(bytes[at + 1]);
    return big_endian ? first << 8 | second : second << 8 | first;
  };
  for (std::size_t at = 0; at + 1 < bytes.size(); at += 2) {
    std::int32_t code = unit(at);
    const bool high = code >= 0xd800 && code < 0xdc00, low = code >= 0xdc00 && code < 0xe000;
    if (high && at + 3 < bytes.size() && (unit(at + 2) & 0xfc00) == 0xdc00) {
      code = 0x10000 + ((code & 0x3ff) << 10) + (unit(at + 2) & 0x3ff);
      at += 2;
    } else if (high || low) {
      code = kReplacement;
    }
    append(text, code);
  }
  if (bytes.size() % 2 == 1) append(text, kReplacement);
  return text;
}

bool is_space(std::int32_t code) {
  const auto category = utf8proc_category(code);
  return (code >= 0x09 && code <= 0x0d) || code == 0x85 || category == UTF8PROC_CATEGORY_ZS ||
         category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

bool is_letter_or_digit(std::int32_t code) {
  const auto category = utf8proc_category(code);
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
         (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO);
}

// Vowel signs of Arabic or Devanagari; alone (behind an emoji, say) they are no word.
bool is_mark(std::int32_t code) {
  const auto category = utf8proc_category(code);
  return category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME;
}

std::string mapped(std::string_view text, int options) {
  utf8proc_uint8_t* bytes = nullptr;
  const auto length = utf8proc_map(
      reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
      &bytes, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | options));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(bytes, &std::free);
  if (length < 0) fail(Exit::data, "", "a text is not UTF-8");
  return {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(length)};
}

}  // namespace

std::optional<std::size_t> invalid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const Character next = character_at(text, at);
    if (!next.valid) return at;
    at += next.bytes;
  }
  return std::nullopt;
}

std::string to_utf8(std::string_view bytes) {
  if (bytes.starts_with("\xef\xbb\xbf")) return std::string(bytes.substr(3));
  if (bytes.starts_with("\xff\xfe")) return from_utf16(bytes.substr(2), false);
  if (bytes.starts_with("\xfe\xff")) return from_utf16(bytes.substr(2), true);
  return std::string(bytes);
}

std::size_t display_width(std::string_view text) {
  std::size_t cells = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Grapheme next = grapheme_at(text, at);
    cells += next.cells;
    at += next.bytes;
  }
  return cells;
}

std::string clipped(std::string_view text, std::size_t cells) {
  if (display_width(text) <= cells) return std::string(text);
  if (cells == 0) return "";
  std::size_t at = 0, used = 0;
  while (at < text.size()) {
    const Grapheme next = grapheme_at(text, at);
    if (used + next.cells > cells - 1) break;
    used += next.cells;
    at += next.bytes;
  }
  return std::string(text.substr(0, at)) + "\u2026";
}

std::string folded(std::string_view text) {
  const std::string normal = mapped(text, UTF8PROC_COMPAT | UTF8PROC_CASEFOLD);
  std::string result;
  bool space = false;
  for (std::size_t at = 0; at < normal.size();) {
    const Character next = character_at(normal, at);
    if (is_space(next.code)) {
      space = !result.empty();
    } else {
      if (space) result += ' ';
      space = false;
      result.append(normal, at, next.bytes);
    }
    at += next.bytes;
  }
  return result;
}

std::string composed(std::string_view text) { return mapped(text, 0); }

std::vector<std::string> words(std::string_view text) {
  const std::string plain = folded(text);
  std::vector<std::string> result;
  bool inside = false;
  for (std::size_t at = 0; at < plain.size();) {
    const Character next = character_at(plain, at);
    const bool belongs = is_letter_or_digit(next.code) || (inside && is_mark(next.code));
    if (belongs && !inside) result.emplace_back();
    if (belongs) result.back() += plain.substr(at, next.bytes);
    inside = belongs;
    at += next.bytes;
  }
  return result;
}

}  // namespace duet
