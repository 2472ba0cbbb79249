#include "datasets/camera_name.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace duet {
namespace {

constexpr std::array<std::string_view, 62> kWords = {
    "am",       "at",       "aw",         "capture", "cimg",  "copy",     "dcim", "dcp",      "dji",
    "download", "dsc",      "dscf",       "dscn",    "edit",  "edited",   "fb",   "file",     "from",
    "gopr",     "hdr",      "hpim",       "image",   "imag",  "images",   "img",  "imgp",     "jpeg",
    "jpg",      "kif",      "mg",         "mvi",     "mvimg", "original", "p",    "pano",     "photo",
    "pic",      "pict",     "picture",    "pm",      "png",   "portrait", "pxl",  "received", "sam",
    "scan",     "screen",   "screenshot", "sdc",     "shot",  "signal",   "snap", "snapchat", "t",
    "unnamed",  "untitled", "vid",        "wa",      "webp",  "whatsapp", "wp",   "z"};

bool is_letter(unsigned char c) { return std::isalpha(c) != 0 || c >= 0x80; }

bool is_uuid(std::string_view text) {
  const auto digits = std::ranges::count_if(text, [](unsigned char c) { return std::isxdigit(c) != 0; });
  const bool only =
      std::ranges::all_of(text, [](unsigned char c) { return std::isxdigit(c) != 0 || c == '-' || c == '_'; });
  return only && digits >= 16;
}

}  // namespace

bool is_camera_name(std::string_view caption) {
  if (is_uuid(caption.substr(0, caption.rfind('.')))) return true;
  std::size_t digits = 0, letters = 0;
  for (std::size_t at = 0; at < caption.size();) {
    const auto c = static_cast<unsigned char>(caption[at]);
    digits += std::isdigit(c) != 0;
    if (!is_letter(c)) {
      ++at;
      continue;
    }
    std::string word;
    for (; at < caption.size() && is_letter(static_cast<unsigned char>(caption[at])); ++at)
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(caption[at])));
    if (std::ranges::find(kWords, word) == kWords.end()) return false;
    letters += word.size();
  }
  // A bare number of one or two digits is a class ("7"); "007" and "1234" are counters.
  return letters > 0 ? digits > 0 : digits >= 3;
}

}  // namespace duet
