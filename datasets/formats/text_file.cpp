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

std::string read_bytes(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error) && !error) fail(Exit::data, path.string(), "no such file");
  if (fs::is_directory(path, error)) fail(Exit::data, path.string(), "is a directory", "expected a text file");
  try {
    return read_file(path);
  } catch (const Error& reason) {
    throw Error(Exit::data, reason.what());
  }
}

std::string text_of(std::string bytes, const std::string& name) {
  std::string text = to_utf8(std::move(bytes));
  const auto place = [&](std::size_t at) {  // "photos.csv:3:6"
    const std::string_view before = std::string_view(text).substr(0, at);
    const std::size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
    return cat(name, ":", std::count(before.begin(), before.end(), '\n') + 1, ":", at - line_begin + 1);
  };
  if (const std::size_t nul = text.find('\0'); nul != std::string::npos)
    fail(Exit::data, place(nul), "a NUL byte: this is no text, or UTF-16 without a byte order mark",
         "save the file as UTF-8");
  const auto wrong = invalid_utf8(text);
  if (!wrong) return text;
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(text[*wrong]);
  fail(Exit::data, place(*wrong), cat("byte 0x", kDigits[byte >> 4], kDigits[byte & 15], " is no UTF-8"),
       "save the file as UTF-8");
}

std::string read_text(const fs::path& path) { return text_of(read_bytes(path), path.string()); }

}  // namespace duet
