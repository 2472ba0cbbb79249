// A text: one sentence a line, blank lines between documents. Rows without pictures, for learning from texts
// alone.
#include <algorithm>
#include <fstream>

#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "datasets/formats/format.h"
#include "datasets/image_header.h"
#include "text/unicode.h"

namespace duet {
namespace {

// Takes the first line off `text`: it ends in LF, CR LF or CR.
std::string_view next_line(std::string_view& text) {
  const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + (text.substr(end).starts_with("\r\n") ? 2 : 1), text.size()));
  return line;
}

// The first line of a large file, without reading the rest. What is no text is said when it is read whole.
std::string first_line(const fs::path& path) {
  std::string begin(4096, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(begin.data(), static_cast<std::streamsize>(begin.size()));
  begin.resize(static_cast<std::size_t>(file.gcount()));
  const std::string text = to_utf8(begin);
  std::string_view rest = text;
  return std::string(next_line(rest));
}

}  // namespace

// A table of pictures may have been called .txt as well.
bool is_sentences(const SourceOptions& options) {
  std::error_code none;
  return fs::path(options.data).extension() == ".txt" && fs::is_regular_file(options.data, none) &&
         !heads_table(first_line(options.data), options);
}

Source read_sentences(const SourceOptions& options, bool /*need_captions*/) {
  Source source;
  source.manifest = options.data;
  source.root = source.manifest.parent_path();
  std::string bytes = read_bytes(source.manifest);
  if (const std::string kind = kind_of_file(bytes); !kind.empty())
    fail(Exit::data, options.data, cat("is ", kind, ", not a text"),
         "give a text with a sentence a line, blank lines between documents");
  const std::string text = text_of(std::move(bytes), options.data);

  std::int64_t document = 0, line = 0;
  bool is_open = false;  // the last line was a sentence
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view sentence = trimmed(next_line(rest));
    ++line;
    document += !is_open && !sentence.empty();
    is_open = !sentence.empty();
    if (!is_open) continue;
    source.pairs.push_back({.captions = {std::string(sentence)}, .columns = {}, .line = line});
    source.pairs.back().concept_key = cat("document-", document);
  }
  if (source.pairs.empty())
    fail(Exit::data, options.data, "no sentences",
         "write a sentence a line, and a blank line between documents");
  // Without a blank line nothing says what belongs together: a list of sentences is no document.
  if (document == 1)
    for (Pair& pair : source.pairs) pair.concept_key.clear();
  source.rows = static_cast<std::int64_t>(source.pairs.size());
  return source;
}

}  // namespace duet
