// Text and pictures made safe to stand inside an HTML page or an SVG drawing.
#pragma once
#include <string>
#include <string_view>

namespace duet {

// For element content and quoted attributes: & < > " ' escaped, control characters and broken UTF-8 replaced.
std::string escaped_html(std::string_view text);
// A path as a relative or absolute URL reference: everything but unreserved characters and '/' percent-encoded.
std::string url_of_path(std::string_view path);
// "data:image/png;base64,..." for bytes that begin as PNG, JPEG, GIF, WebP or BMP do; "" for any other.
std::string data_url(std::string_view bytes);
std::string base64(std::string_view bytes);

}  // namespace duet
