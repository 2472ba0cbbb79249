// The ways in which pairs lie on a disk. A new one is one file here, one row of the table in source.cpp, one
// CMake line.
#pragma once
#include "datasets/source.h"

namespace duet {

// Each fills everything but Source::name. Errors as read_source says.
Source read_tsv(const SourceOptions& options, bool need_captions);
Source read_image_folder(const SourceOptions& options, bool need_captions);
Source read_sentences(const SourceOptions& options, bool need_captions);
Source read_shapes(const SourceOptions& options, bool need_captions);

// Whether options.data looks like a source of this kind: what format = "auto" asks, in the order of the table.
bool is_tsv(const SourceOptions& options);
bool is_image_folder(const SourceOptions& options);
bool is_sentences(const SourceOptions& options);
bool is_shapes(const SourceOptions& options);

// Whether a file's first line can be the header of a table of pictures: it has a column for them, and another.
bool heads_table(std::string_view line, const SourceOptions& options);

// The bytes of a manifest, caption file or list of texts. Error(data) when they cannot be read.
std::string read_bytes(const std::filesystem::path& path);
// Such bytes as UTF-8 (a byte order mark is taken off, UTF-16 converted). Error(data) naming line and byte
// where they are no text; `name` is the file's.
std::string text_of(std::string bytes, const std::string& name);
std::string read_text(const std::filesystem::path& path);  // both
std::string_view trimmed(std::string_view text);           // without white space (ASCII) at both ends

}  // namespace duet
