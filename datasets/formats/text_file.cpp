#include <algorithm>

#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "datasets/formats/format.h"
#include "text/unicode.h"

namespace duet {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kWhite = " \t\r\n\v\f";
  const std::size_t begin = text.find_first_not_of(kWhite);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kWhite) - begin + 1);
}

std::string read_text(const fs::path& path) {
  if (!fs::exists(path)) fail(Exit::data, path.string(), "no such file");
  if (fs::is_directory(path)) fail(Exit::data, path.string(), "is a directory", "expected a text file");
  std::string text = to_utf8(read_file(path));
  if (text.find('\0') != std::string::npos)
    fail(Exit::data, path.string(), "holds NUL bytes: it is no text, or UTF-16 without a byte order mark",
         "save it as UTF-8");
  const auto wrong = invalid_utf8(text);
  if (!wrong) return text;
  const auto begin = text.begin(), at = begin + static_cast<std::ptrdiff_t>(*wrong);
  const std::size_t line_begin = *wrong == 0 ? std::string::npos : text.rfind('\n', *wrong - 1);
  const std::size_t column = *wrong - (line_begin == std::string::npos ? 0 : line_begin + 1) + 1;
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(*at);
  fail(Exit::data, cat(path.string(), ":", std::count(begin, at, '\n') + 1, ":", column),
       cat("byte 0x", kDigits[byte >> 4], kDigits[byte & 15], " is no UTF-8"), "save the file as UTF-8");
}

}  // namespace duet
