#include "core/sealed.h"

#include <cstdint>
#include <fstream>
#include <set>

#include "core/checksum.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"

namespace duet {
namespace {

using nlohmann::json;

constexpr const char* kManifest = "manifest.json";
constexpr std::string_view kRemedy = "use another copy of it";

[[noreturn]] void refuse(const fs::path& where, std::string_view what) {
  fail(Exit::artifact, where.string(), what, kRemedy);
}

// "duet-checkpoint" -> "checkpoint"
std::string_view short_name(std::string_view format) {
  return format.starts_with("duet-") ? format.substr(5) : format;
}

// All files below the folder, as relative paths with '/'. Links and devices have no place in a sealed folder.
std::set<std::string> files_below(const fs::path& folder) {
  std::set<std::string> names;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (!entry->is_symlink() && entry->is_directory()) continue;
    const std::string name = entry->path().lexically_relative(folder).generic_string();
    if (entry->is_symlink() || !entry->is_regular_file()) {
      fail(Exit::artifact, entry->path().string(), "is not a plain file", "remove it");
    }
    if (name != kManifest) names.insert(name);
  }
  if (error) fail(Exit::failed, folder.string(), cat("cannot be read: ", error.message()));
  return names;
}

std::string text_of(const json& manifest) { return manifest.dump(2) + "\n"; }

std::string checksum_of(json manifest) {
  manifest.erase("checksum");
  return checksum(manifest.dump());
}

bool is_safe_name(const std::string& name) {
  const fs::path path(name);
  if (name.empty() || path.is_absolute() || path.lexically_normal().generic_string() != name) return false;
  for (const fs::path& part : path) {
    if (part.empty() || part == "." || part == "..") return false;
  }
  return name.find('\0') == std::string::npos;
}

json read_manifest(const fs::path& folder, std::string_view format) {
  const fs::path path = folder / kManifest;
  std::error_code error;
  if (!fs::is_directory(folder, error))
    fail(Exit::artifact, folder.string(), cat("is no ", short_name(format)), "there is no such folder");
  if (!fs::exists(path, error)) {
    fail(Exit::artifact, folder.string(), cat("is no ", short_name(format), ": it has no ", kManifest));
  }
  const std::string text = read_file(path);
  const json manifest = json::parse(text, nullptr, false);
  if (!manifest.is_object()) refuse(path, "is damaged: it is no JSON object");
  return manifest;
}

void check_kind(const fs::path& folder, const json& manifest, std::string_view format, int newest_version) {
  const fs::path path = folder / kManifest;
  const auto found = manifest.find("format"), version = manifest.find("version");
  if (found == manifest.end() || !found->is_string() || version == manifest.end() ||
      !version->is_number_unsigned()) {
    refuse(path, "is damaged: it lacks its format or version");
  }
  if (*found != format) {
    fail(Exit::artifact, folder.string(),
         cat("is a ", short_name(found->get<std::string>()), ", not a ", short_name(format)));
  }
  if (*version > newest_version) {
    fail(Exit::artifact, folder.string(),
         cat("was written by a newer duet (version ", version->dump(), " of the format; this one reads up to ",
             newest_version, ")"),
         "use that version of duet");
  }
}

// The text must be what duet itself writes, to the byte: other white space or key order is a change as well.
void check_manifest(const fs::path& folder, const json& manifest) {
  const fs::path path = folder / kManifest;
  const auto sum = manifest.find("checksum");
  const bool whole = manifest.size() == 5 && sum != manifest.end() && sum->is_string() &&
                     manifest.contains("facts") && manifest.contains("files") && manifest["files"].is_object();
  if (!whole || *sum != checksum_of(manifest) || read_file(path) != text_of(manifest)) {
    refuse(path, "is damaged: its checksum does not match");
  }
}

std::map<std::string, SealedFile> listed_files(const fs::path& folder, const json& manifest) {
  std::map<std::string, SealedFile> files;
  for (const auto& [name, entry] : manifest["files"].items()) {
    const bool whole = entry.is_object() && entry.size() == 2 && entry.contains("size") &&
                       entry["size"].is_number_unsigned() && entry.contains("checksum") &&
                       entry["checksum"].is_string();
    if (!is_safe_name(name) || !whole)
      refuse(folder / kManifest, cat("lists '", name, "', which is no file of this folder"));
    files[name] = {.size = entry["size"], .checksum = entry["checksum"]};
  }
  return files;
}

// The format that a folder's manifest names, "" where it has none of duet's.
std::string format_of(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::is_regular_file(folder / kManifest, ignored)) return {};
  std::ifstream file(folder / kManifest);
  const json manifest = json::parse(file, nullptr, false);
  const auto format = manifest.is_object() ? manifest.find("format") : manifest.end();
  if (!manifest.is_object() || format == manifest.end() || !format->is_string()) return {};
  const std::string name = *format;
  return name.starts_with("duet-") ? name : std::string();
}

void check_sizes(const fs::path& folder, const std::map<std::string, SealedFile>& files) {
  const std::set<std::string> present = files_below(folder);
  for (const auto& [name, file] : files) {
    if (!present.contains(name)) refuse(folder / name, "is missing");
    const auto size = fs::file_size(folder / name);
    if (size != file.size)
      refuse(folder / name, cat("is damaged: it holds ", size, " bytes instead of ", file.size));
  }
  for (const std::string& name : present) {
    if (!files.contains(name))
      fail(Exit::artifact, (folder / name).string(), "does not belong here", "remove it");
  }
}

}  // namespace

Sealed seal_folder(const fs::path& folder, std::string_view format, int version, const json& facts) {
  json manifest{{"format", format}, {"version", version}, {"facts", facts}, {"files", json::object()}};
  std::map<std::string, SealedFile> files;
  for (const std::string& name : files_below(folder)) {
    files[name] = {.size = fs::file_size(folder / name), .checksum = checksum_file(folder / name)};
    manifest["files"][name] = {{"size", files[name].size}, {"checksum", files[name].checksum}};
  }
  try {
    manifest["checksum"] = checksum_of(manifest);
  } catch (const json::exception& error) {  // text that is not UTF-8
    fail(Exit::failed, folder.string(), cat("cannot be sealed: ", error.what()));
  }
  write_file(folder / kManifest, text_of(manifest));
  return {
      .folder = folder, .version = version, .facts = facts, .identity = manifest["checksum"], .files = files};
}

Sealed open_sealed(const fs::path& folder, std::string_view format, int newest_version) {
  return open_sealed_quickly(folder, format, newest_version, UINTMAX_MAX);
}

Sealed open_sealed_quickly(const fs::path& folder, std::string_view format, int newest_version,
                           std::uintmax_t hash_up_to_bytes) {
  const json manifest = read_manifest(folder, format);
  check_kind(folder, manifest, format, newest_version);
  check_manifest(folder, manifest);
  Sealed sealed{.folder = folder,
                .version = manifest["version"],
                .facts = manifest["facts"],
                .identity = manifest["checksum"],
                .files = listed_files(folder, manifest)};
  check_sizes(folder, sealed.files);
  for (const auto& [name, file] : sealed.files) {
    if (file.size <= hash_up_to_bytes) verify_file(sealed, name);
  }
  return sealed;
}

void verify_file(const Sealed& sealed, std::string_view name) {
  const auto file = sealed.files.find(std::string(name));
  if (file == sealed.files.end()) fail(Exit::artifact, sealed.folder.string(), cat("has no file '", name, "'"));
  if (checksum_file(sealed.folder / file->first) != file->second.checksum) {
    refuse(sealed.folder / file->first, "is damaged: its checksum does not match");
  }
}

void check_outside_sealed(const fs::path& path) {
  std::error_code error;
  fs::path folder = fs::weakly_canonical(fs::absolute(path), error);
  if (error) folder = fs::absolute(path).lexically_normal();
  for (;; folder = folder.parent_path()) {
    if (const std::string format = format_of(folder); !format.empty()) {
      fail(Exit::usage, folder.string(), cat("is a sealed ", short_name(format), ", to which nothing is added"),
           "name the run, or another folder");
    }
    if (folder == folder.parent_path()) return;
  }
}

}  // namespace duet
