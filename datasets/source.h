// A data source: rows of (picture, captions, concept) without pixels, read from a manifest, a folder or a text,
// or drawn. A row may lack its picture (a sentence of a text) or its captions (pictures alone).
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/config.h"
#include "datasets/image.h"

namespace duet {

struct Pair {
  // Path relative to Source::root (or as the manifest gives it when absolute); "" for a sentence.
  std::string image = {};
  std::vector<std::string> captions = {};  // UTF-8; empty for a source of pictures alone
  std::string concept_key = {};            // "" without a concept column; "document-17" for a sentence
  std::vector<std::string> columns = {};   // every other column, in the order of Source::columns
  std::int64_t line = 0;                   // of the manifest, for messages
};

struct Source {
  std::string name = "pairs";
  std::filesystem::path manifest;    // what was read, for messages
  std::filesystem::path root;        // relative picture paths start here
  std::vector<std::string> columns;  // names of Pair::columns
  std::vector<Pair> pairs;
  std::int64_t rows = 0;  // of the manifest, before rows of the same picture were merged
  // Draws row i when the source makes its own pictures (shapes); empty otherwise.
  std::function<Image(std::int64_t)> draw;

  std::filesystem::path path_of(const Pair& pair) const { return root / pair.image; }
  // "photos.csv:17", or the picture's path where no manifest names it.
  std::string place_of(const Pair& pair) const;
  bool has_pictures() const;  // some row has one, or they are drawn
  bool has_texts() const;     // some row has a caption
  bool has_follows() const;   // some caption has another beside it, see follows()
  // What may stand next to a row's caption number `caption`: the sentence after it in its document, or the
  // other captions of its picture (no equal ones). Empty where there is none.
  std::vector<std::string> follows(std::int64_t row, std::size_t caption = 0) const;
  // Ids by which rows are each other's positives: hashes of picture path (a sentence: of its text and line),
  // and of the concept (else the image_id).
  std::int64_t image_id(std::int64_t row) const;
  std::int64_t concept_id(std::int64_t row) const;
  Source subset(const std::vector<std::int64_t>& rows, std::string new_name) const;
};

struct SourceOptions {
  std::string data = {};                          // manifest, folder, text, or "shapes[:COUNT[:SEED]]"
  std::string format = "auto";                    // auto | tsv | image_folder | sentences | shapes
  std::string root = {};                          // "": the manifest's folder
  std::string image_column = {};                  // "": filepath, image, file or path, said aloud
  std::vector<std::string> caption_columns = {};  // empty: caption, title, text or description, said aloud
  std::string concept_column = "concept";         // used when it exists
  // In lower case. Where there are any, a manifest must have one of them: the first stays in Source::columns
  // whatever else it serves as, and rows that give one picture different values in it are refused.
  std::vector<std::string> label_columns = {};
  std::int64_t shapes_count = 2048;  // shapes only
  std::uint64_t shapes_seed = 1;
  bool aloud = true;  // says what was guessed and what is left out; false for data that is read again
};
SourceOptions read_source_options(Config& config, std::string_view data_key);

// Rows of the same picture are merged into one Pair with several captions. Error(data) naming file, line and
// column for: no such file, no rows, no image column, a row with too few or many fields, text that is no UTF-8,
// a picture that two rows give different concepts, and pictures that have no caption at all; beside others,
// empty captions are left out. `need_captions` false accepts pictures without captions (index, data check),
// keeps empty captions as they stand, and warns of caption files that cannot be read instead of failing. In an
// image_folder a class (first folder) is also the concept, unless captions come from .txt files or
// concept_column is ""; "class" makes it so in any case.
Source read_source(const SourceOptions& options, bool need_captions = true);

// Error(data) when captions would teach nothing: camera names (IMG_1234, DSC0001, 2024-05-01 12.30.11), or over
// 90 % equal. Sentences are only held to the latter.
void check_captions(const Source& source);

// Splits off `fraction` of the pictures, as nearly as whole concepts allow (single pictures when rows carry no
// concept or fewer than two concepts would go; pictures with equal bytes stay together): {train, validation},
// neither empty. Concepts go in the order of a hash of what is in them until the share is full, so that the
// split is a function of the data alone, not of its order, and more data moves few: those near the end of the
// share. Of a text whole documents are split off, equal ones together. Error(data) when all pictures
// (sentences) are equal.
std::pair<Source, Source> split_off(const Source& source, double fraction);

// What `duet data check` prints. Of a text: no pictures, captions are its sentences, concepts its documents.
struct SourceReport {
  std::int64_t rows = 0, pictures = 0, captions = 0, concepts = 0;
  std::vector<std::string> unreadable, missing;        // "photos.csv:17: cat.jpg: why"
  std::vector<std::string> duplicate_pictures;         // groups of paths with equal content, joined by " = "
  std::int64_t empty_captions = 0, long_captions = 0;  // pictures alone have no empty ones
  std::int64_t duplicate_captions = 0;                 // beyond the first of each
  std::map<std::string, std::int64_t> sizes;           // "64x64" -> pictures
};
// Every picture is decoded in full by `threads` threads.
SourceReport examine(const Source& source, std::int64_t long_caption_bytes, int threads);

}  // namespace duet
