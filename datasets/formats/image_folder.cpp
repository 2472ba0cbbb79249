// A folder of pictures: root/class/*.jpg or any nesting. Captions come from NAME.txt, else from the name.
#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>
#include <sstream>
#include <system_error>

#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "datasets/camera_name.h"
#include "datasets/formats/format.h"
#include "text/unicode.h"

namespace duet {
namespace {

constexpr std::array<std::string_view, 8> kPictures = {".jpg", ".jpeg", ".jpe", ".jfif",
                                                       ".png", ".webp", ".gif", ".bmp"};
constexpr std::array<std::string_view, 7> kUnsupported = {".heic", ".heif", ".avif", ".tif",
                                                          ".tiff", ".jxl",  ".svg"};

std::string extension_of(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension;
}

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& list, std::string_view extension) {
  return std::ranges::find(list, extension) != list.end();
}

// What lies below the root, hidden files and folders left out.
struct Listing {
  std::vector<fs::path> pictures;          // relative, sorted by name
  std::map<std::string, fs::path> texts;   // relative path without extension -> caption file
  std::map<std::string, int> unsupported;  // extension -> how many
  int unreadable_names = 0;                // no UTF-8
  std::vector<std::string> unlisted;       // folders that cannot be listed, with why
};

void list_folder(const fs::path& root, const fs::path& below, std::set<fs::path>& open, Listing& listing) {
  std::error_code error;
  const fs::path folder = root / below;
  const fs::path real = fs::canonical(folder, error);
  if (!error && open.contains(real)) return;  // a link to a folder that we stand in
  std::vector<fs::directory_entry> entries;
  if (!error) {
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
      entries.push_back(*it);
  }
  if (error) {
    if (below.empty()) fail(Exit::data, folder.string(), cat("cannot be listed: ", error.message()));
    listing.unlisted.push_back(cat(folder.string(), ": ", error.message()));
    return;
  }
  open.insert(real);
  std::ranges::sort(entries);
  for (const fs::directory_entry& entry : entries) {
    const fs::path name = entry.path().filename();
    if (name.native().starts_with('.')) continue;
    const fs::path path = below / name;
    const std::string extension = extension_of(name);
    if (invalid_utf8(name.native())) {
      ++listing.unreadable_names;
    } else if (entry.is_directory(error)) {
      list_folder(root, path, open, listing);
    } else if (is_one_of(kPictures, extension)) {
      listing.pictures.push_back(path);
    } else if (extension == ".txt") {
      listing.texts.emplace(fs::path(path).replace_extension().string(), path);
    } else if (is_one_of(kUnsupported, extension)) {
      ++listing.unsupported[extension];
    }
  }
  open.erase(real);
}

std::vector<std::string> captions_of_file(const fs::path& path) {
  std::vector<std::string> captions;
  std::istringstream lines(read_text(path));
  for (std::string line; std::getline(lines, line);)
    if (const std::string_view caption = trimmed(line); !caption.empty()) captions.emplace_back(caption);
  return captions;
}

bool is_number(std::string_view word) {
  return std::ranges::all_of(word, [](char c) { return (c >= '0' && c <= '9') || c == '(' || c == ')'; });
}

// "red-heart_2" -> "red heart". Empty when the name says nothing ("IMG_1234", "0007").
std::string caption_of_name(const std::string& stem) {
  if (is_camera_name(stem)) return {};
  std::string spaced = stem;
  std::ranges::replace_if(
      spaced, [](char c) { return c == '-' || c == '_' || c == '.' || c == '+'; }, ' ');
  std::vector<std::string> parts;
  std::istringstream stream(spaced);
  for (std::string word; stream >> word;) parts.push_back(word);
  while (!parts.empty() && is_number(parts.back())) parts.pop_back();  // a counter
  return joined(parts, " ");
}

std::string class_of(const fs::path& picture) {
  return picture.has_parent_path() ? picture.begin()->string() : std::string();
}

// "3 files are left out" and so on, with the first of them.
void tell(const std::string& root, const std::vector<std::string>& found, std::string_view one,
          std::string_view many) {
  constexpr std::size_t kShown = 10;
  if (found.empty()) return;
  std::string text = cat(root, ": ", found.size(), " ", found.size() == 1 ? one : many, ":");
  for (std::size_t i = 0; i < std::min(kShown, found.size()); ++i) text += cat("\n  ", found[i]);
  if (found.size() > kShown) text += "\n  ...";
  log_warning(text);
}

void tell_what_is_left_out(const std::string& root, const Listing& listing) {
  tell(root, listing.unlisted, "folder is left out", "folders are left out");
  for (const auto& [extension, count] : listing.unsupported)
    log_warning(cat(root, ": ", count, " ", extension, count == 1 ? " file is" : " files are",
                    " left out: not supported; convert to JPEG or PNG"));
  if (listing.unreadable_names > 0)
    log_warning(cat(root, ": ", listing.unreadable_names,
                    listing.unreadable_names == 1 ? " file or folder is" : " files or folders are",
                    " left out: no UTF-8 in the name"));
}

}  // namespace

bool is_image_folder(const SourceOptions& options) {
  std::error_code none;
  return fs::is_directory(options.data, none);
}

Source read_image_folder(const SourceOptions& options, bool need_captions) {
  if (!is_image_folder(options)) fail(Exit::data, options.data, "no such folder");
  Source source;
  source.manifest = source.root = options.data;
  Listing listing;
  std::set<fs::path> open;
  list_folder(source.root, {}, open, listing);
  if (options.aloud) tell_what_is_left_out(options.data, listing);
  if (listing.pictures.empty())
    fail(Exit::data, options.data, "no pictures in this folder",
         cat("pictures end in ", joined(std::vector<std::string>(kPictures.begin(), kPictures.end()))));

  const bool has_classes =
      std::ranges::any_of(listing.pictures, [](const fs::path& p) { return p.has_parent_path(); });
  if (has_classes) source.columns = {"class"};
  bool from_files = false;
  std::vector<std::string> unread;  // caption files
  for (const fs::path& picture : listing.pictures) {
    Pair pair;
    pair.image = picture.string();
    const std::string label = class_of(picture);
    if (has_classes) pair.columns = {label};
    const auto text = listing.texts.find(fs::path(picture).replace_extension().string());
    if (text != listing.texts.end()) {
      from_files = true;
      try {
        pair.captions = captions_of_file(source.root / text->second);
      } catch (const Error& error) {
        if (need_captions) throw;
        unread.emplace_back(error.what());
      }
    } else {
      std::string caption = caption_of_name(picture.stem().string());
      if (caption.empty()) caption = caption_of_name(label);
      if (caption.empty()) caption = label.empty() ? picture.stem().string() : label;
      pair.captions = {std::move(caption)};
    }
    source.pairs.push_back(std::move(pair));
  }
  source.rows = static_cast<std::int64_t>(source.pairs.size());
  if (options.aloud) tell(options.data, unread, "caption file cannot be read", "caption files cannot be read");

  // Captions that were written for each picture tell more than the folder it lies in ("2024", "holidays").
  const bool by_class = has_classes && (options.concept_column == "class" ||
                                        (options.concept_column == "concept" && !from_files));
  if (by_class) {
    std::set<std::string> classes;
    for (Pair& pair : source.pairs) classes.insert(pair.concept_key = pair.columns[0]);
    if (need_captions && options.aloud)
      log_info(cat(options.data, ": ", classes.size(),
                   classes.size() == 1 ? " folder is taken as class" : " folders are taken as classes"));
  }
  return source;
}

}  // namespace duet
