// UTF-8 checks and conversions (utf8proc), shared by manifests, captions and terminal tables.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace duet {

// Byte offset of the first byte that is no UTF-8, or nothing.
std::optional<std::size_t> invalid_utf8(std::string_view text);
std::string to_utf8(
    std::string_view bytes);  // strips a UTF-8 BOM; converts UTF-16 LE/BE with a BOM; else unchanged
std::size_t display_width(std::string_view text);  // terminal cells
std::string clipped(std::string_view text,
                    std::size_t cells);     // cut to `cells` with an ellipsis, on grapheme boundaries
std::string folded(std::string_view text);  // NFKC, case folded, runs of white space to one space, trimmed
// NFC: "e" with an accent behind it, as file names of macOS have it, becomes one character. Error(data): no
// UTF-8.
std::string composed(std::string_view text);
std::vector<std::string> words(std::string_view text);  // of the folded text: letters and digits of any script

}  // namespace duet
