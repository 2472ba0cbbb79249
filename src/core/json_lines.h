// A file of JSON lines, one a result of work that takes long: a row is on the disk before the next one is
// worked for, and a later call reads what is there already.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/files.h"

namespace duet {

// What the rows are, for messages.
struct JsonLinesKind {
  std::string_view row;      // "row of an ablation"
  std::string_view key;      // an object without it is no such row
  std::string_view again;    // of a line taken out: "its run is run again"
  std::string_view command;  // that writes the file: "duet ablate"
  int version;               // written into each row
};

class JsonLines {
 public:
  JsonLines(fs::path file, const JsonLinesKind& kind);  // "": none is read, none is written

  // Gives each row with its place, "FILE:LINE"; nothing where there is no file. A last line without an end is
  // cut off by the first append, with a warning now. Error(artifact) naming the place: no such row, of another
  // version, or `take` throws an exception of nlohmann's.
  void read(const std::function<void(const nlohmann::ordered_json& row, const std::string& place)>& take);
  // On the disk when it returns; the first one makes the file. Error(failed): the file has changed since it was
  // read.
  void append(const nlohmann::ordered_json& row);
  [[noreturn]] void refuse(std::string_view place, std::string_view what) const;  // Error(artifact)
  const fs::path& file() const { return file_; }

 private:
  nlohmann::ordered_json parsed(const std::string& text, const std::string& place) const;
  void open();

  fs::path file_;
  JsonLinesKind kind_;
  std::uintmax_t whole_bytes_ = 0;   // lines with an end
  std::uintmax_t read_bytes_ = 0;    // the file as it was read
  std::unique_ptr<AppendFile> out_;  // once something is added
};

}  // namespace duet
