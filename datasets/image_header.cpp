#include "datasets/image_header.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <optional>
#include <string>

#include "core/format.h"
#include "datasets/image.h"

namespace duet {
namespace {

using namespace std::string_view_literals;

// Bytes with a bound check at each read; a header that ends too early is BadImage.
class Reader {
 public:
  Reader(std::string_view bytes, std::string_view type) : bytes_(bytes), type_(type) {}

  std::uint32_t byte(std::size_t at) const {
    if (at >= bytes_.size()) throw BadImage(cat("truncated ", type_));
    return static_cast<unsigned char>(bytes_[at]);
  }
  std::uint32_t little(std::size_t at, int count) const {
    std::uint32_t value = 0;
    for (int i = count; i-- > 0;) value = value << 8 | byte(at + static_cast<std::size_t>(i));
    return value;
  }
  std::uint32_t big(std::size_t at, int count) const {
    std::uint32_t value = 0;
    for (int i = 0; i < count; ++i) value = value << 8 | byte(at + static_cast<std::size_t>(i));
    return value;
  }
  std::string_view text(std::size_t at, std::size_t count) const {
    return at < bytes_.size() ? bytes_.substr(at, count) : std::string_view();
  }
  std::size_t size() const { return bytes_.size(); }

 private:
  std::string_view bytes_, type_;
};

// The orientation tag of an EXIF block (a TIFF file: byte order, 42, offset of its first directory). Nonsense
// is 1: a damaged EXIF block is no reason to refuse a picture.
int exif_orientation(std::string_view tiff) {
  if (tiff.starts_with("Exif\0\0"sv)) tiff.remove_prefix(6);
  const bool intel = tiff.starts_with("II*\0"sv);
  if (!intel && !tiff.starts_with("MM\0*"sv)) return 1;
  try {
    const Reader reader(tiff, "EXIF");
    const auto number = [&](std::size_t at, int count) {
      return intel ? reader.little(at, count) : reader.big(at, count);
    };
    const std::size_t directory = number(4, 4);
    const std::size_t entries = number(directory, 2);
    for (std::size_t i = 0; i < entries; ++i) {
      const std::size_t entry = directory + 2 + 12 * i;
      if (number(entry, 2) != 0x0112) continue;
      const std::uint32_t value = number(entry + 8, 2);
      return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
    }
  } catch (const BadImage&) {
  }
  return 1;
}

ImageHeader read_jpeg(const Reader& reader) {
  ImageHeader header{"JPEG"};
  for (std::size_t at = 2;;) {
    while (reader.byte(at) != 0xFF) ++at;  // libjpeg skips what stands between two segments, too
    while (reader.byte(at) == 0xFF) ++at;
    const std::uint32_t marker = reader.byte(at++);
    if (marker == 0x00 || marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) continue;  // without a length
    if (marker == 0xD9 || marker == 0xDA) throw BadImage("damaged JPEG: no frame header");
    const std::size_t length = reader.big(at, 2);
    const bool frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (frame) {
      header.height = reader.big(at + 3, 2);
      header.width = reader.big(at + 5, 2);
      return header;
    }
    if (marker == 0xE1 && header.orientation == 1 && reader.text(at + 2, 6) == "Exif\0\0"sv)
      header.orientation = exif_orientation(reader.text(at + 2, std::max<std::size_t>(length, 2) - 2));
    at += std::max<std::size_t>(length, 2);
  }
}

ImageHeader read_png(const Reader& reader) {
  ImageHeader header{"PNG", reader.big(16, 4), reader.big(20, 4)};
  for (std::size_t at = 8; at + 8 <= reader.size();) {  // the EXIF chunk may stand anywhere
    const std::size_t length = reader.big(at, 4);
    if (reader.text(at + 4, 4) == "eXIf"sv) header.orientation = exif_orientation(reader.text(at + 8, length));
    at += length + 12;
  }
  return header;
}

ImageHeader read_webp(const Reader& reader) {
  ImageHeader header{"WebP"};
  const std::size_t end = std::size_t{8} + reader.little(4, 4);
  if (end > reader.size()) throw BadImage("truncated WebP");
  const std::string_view first = reader.text(12, 4);
  if (first == "VP8 "sv) {
    if (reader.big(23, 3) != 0x9D012A) throw BadImage("damaged WebP: no frame header");
    header.width = reader.little(26, 2) & 0x3FFF;
    header.height = reader.little(28, 2) & 0x3FFF;
  } else if (first == "VP8L"sv) {
    const std::uint32_t sizes = reader.little(21, 4);
    header.width = (sizes & 0x3FFF) + 1;
    header.height = (sizes >> 14 & 0x3FFF) + 1;
  } else if (first == "VP8X"sv) {
    if ((reader.byte(20) & 0x02) != 0) throw BadImage("is an animated WebP, which is not supported");
    header.width = std::int64_t{reader.little(24, 3)} + 1;
    header.height = std::int64_t{reader.little(27, 3)} + 1;
    for (std::size_t at = 12; at + 8 <= end;) {
      const std::size_t length = reader.little(at + 4, 4);
      if (reader.text(at, 4) == "EXIF"sv) header.orientation = exif_orientation(reader.text(at + 8, length));
      at += 8 + length + length % 2;
    }
  } else {
    throw BadImage("damaged WebP: unknown first chunk");
  }
  return header;
}

ImageHeader read_gif(const Reader& reader) { return {"GIF", reader.little(6, 2), reader.little(8, 2)}; }

ImageHeader read_bmp(const Reader& reader) {
  const auto signed_at = [&](std::size_t at) {
    return std::int64_t{std::bit_cast<std::int32_t>(reader.little(at, 4))};
  };
  const bool old = reader.little(14, 4) == 12;  // OS/2: short sizes, never compressed
  ImageHeader header{"BMP", reader.little(18, 2), reader.little(20, 2)};
  if (!old) {
    header.width = signed_at(18);
    header.height = std::abs(signed_at(22));  // negative: rows from top to bottom
  }
  const std::int64_t bits = reader.little(old ? 24 : 28, 2);
  const std::uint32_t compression = old ? 0 : reader.little(30, 4);
  const double row_bytes = std::ceil(static_cast<double>(header.width * bits) / 32) * 4;
  const double end = reader.little(10, 4) + row_bytes * static_cast<double>(header.height);
  const bool packed = compression == 1 || compression == 2;  // run lengths: any size
  header.truncated = !packed && end > static_cast<double>(reader.size());
  return header;
}

struct Magic {
  std::string_view type;
  std::size_t at;
  std::string_view bytes;
  ImageHeader (*read)(const Reader&);  // null: known and not supported, `type` with its article
};

constexpr std::array kMagics = {
    Magic{"JPEG", 0, "\xFF\xD8\xFF"sv, read_jpeg},
    Magic{"PNG", 0, "\x89PNG\r\n\x1A\n"sv, read_png},
    Magic{"WebP", 8, "WEBP"sv, read_webp},
    Magic{"GIF", 0, "GIF87a"sv, read_gif},
    Magic{"GIF", 0, "GIF89a"sv, read_gif},
    Magic{"an AVIF picture", 4, "ftypavif"sv, nullptr},
    Magic{"an AVIF picture", 4, "ftypavis"sv, nullptr},
    Magic{"a HEIC picture", 4, "ftyphei"sv, nullptr},
    Magic{"a HEIC picture", 4, "ftyphev"sv, nullptr},
    Magic{"a HEIC picture", 4, "ftypmif1"sv, nullptr},
    Magic{"a HEIC picture", 4, "ftypmsf1"sv, nullptr},
    Magic{"a video", 4, "ftyp"sv, nullptr},
    Magic{"a TIFF picture", 0, "II*\0"sv, nullptr},
    Magic{"a TIFF picture", 0, "MM\0*"sv, nullptr},
    Magic{"a JPEG XL picture", 0, "\xFF\x0A"sv, nullptr},
    Magic{"a JPEG XL picture", 0, "\0\0\0\x0CJXL "sv, nullptr},
    Magic{"a JPEG 2000 picture", 0, "\0\0\0\x0CjP  "sv, nullptr},
    Magic{"a JPEG 2000 picture", 0, "\xFF\x4F\xFF\x51"sv, nullptr},
    Magic{"a PDF document", 0, "%PDF"sv, nullptr},
    Magic{"a PostScript document", 0, "%!PS"sv, nullptr},
    Magic{"a Photoshop picture", 0, "8BPS"sv, nullptr},
    Magic{"a Windows icon", 0, "\0\0\1\0"sv, nullptr},
    Magic{"a ZIP archive", 0, "PK\3\4"sv, nullptr},
    Magic{"a gzip archive", 0, "\x1F\x8B"sv, nullptr},
    Magic{"a tar archive", 257, "ustar"sv, nullptr},
    Magic{"a Parquet table", 0, "PAR1"sv, nullptr},
    Magic{"BMP", 0, "BM"sv, read_bmp},
};

// The first of the table that fits, or null.
const Magic* magic_of(std::string_view bytes) {
  for (const Magic& magic : kMagics) {
    if (bytes.size() < magic.at || !bytes.substr(magic.at).starts_with(magic.bytes)) continue;
    if (magic.type != "WebP" || bytes.starts_with("RIFF")) return &magic;
  }
  return nullptr;
}

// Markup begins anywhere: after a byte order mark, white space, a prologue, comments.
std::optional<std::string_view> markup_type(std::string_view bytes) {
  std::string head(bytes.substr(0, 1024));
  for (char& c : head) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  const std::size_t begin = head.find_first_not_of("\xEF\xBB\xBF \t\r\n");
  if (begin == std::string::npos || head[begin] != '<') return std::nullopt;
  if (head.find("<svg") != std::string::npos) return "an SVG drawing";
  if (head.find("<!doctype html") != std::string::npos || head.find("<html") != std::string::npos ||
      head.find("<head") != std::string::npos || head.find("<body") != std::string::npos)
    return "an HTML page";
  return "an XML document";
}

[[noreturn]] void refuse(std::string_view what, std::string_view remedy = "convert it to JPEG or PNG") {
  throw BadImage(cat("is ", what, ", which is not supported; ", remedy));
}

}  // namespace

ImageHeader read_image_header(std::span<const std::byte> bytes) {
  if (bytes.empty()) throw BadImage("empty file");
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (const Magic* magic = magic_of(text)) {
    if (magic->read == nullptr) refuse(magic->type);
    const ImageHeader header = magic->read(Reader(text, magic->type));
    if (header.width <= 0 || header.height <= 0) throw BadImage(cat("damaged ", header.type, ": no pixels"));
    return header;
  }
  if (const auto markup = markup_type(text))
    refuse(*markup,
           *markup == "an HTML page" ? "the download failed: fetch it again" : "convert it to JPEG or PNG");
  throw BadImage("is no picture that duet knows (JPEG, PNG, WebP, BMP)");
}

std::string kind_of_file(std::string_view bytes) {
  const Magic* magic = magic_of(bytes);
  if (magic != nullptr && magic->type == "BMP" && bytes.find('\0') == std::string_view::npos)
    magic = nullptr;  // "BM" may begin a text
  if (magic != nullptr)
    return magic->read == nullptr ? std::string(magic->type) : cat("a ", magic->type, " picture");
  return std::string(markup_type(bytes).value_or(""));
}

}  // namespace duet
