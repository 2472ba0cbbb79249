#include <algorithm>
#include <charconv>
#include <fstream>
#include <iostream>
#include <iterator>

#include "cli/front.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "core/sealed.h"
#include "retrieval/bundle.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

namespace duet {

namespace {

constexpr std::string_view kConvert = "convert it: iconv -f latin1 -t utf-8";

std::string read_text(const std::string& path) {
  if (path == "-") return {std::istreambuf_iterator<char>(std::cin), {}};
  const std::string extension = fs::path(path).extension().string();
  if (extension == ".csv" || extension == ".tsv") {
    fail(Exit::usage, path, "is a manifest, not a text",
         "give its captions, one a line: cut -f2 photos.tsv | duet tokenizer train - ...");
  }
  if (fs::is_directory(path))
    fail(Exit::data, path, "is a folder, not a text",
         "a text file with a caption a line, or - for standard input");
  if (!fs::exists(path))
    fail(Exit::data, path, "no such file", "a text file with a caption a line, or - for standard input");
  try {
    return read_file(path);
  } catch (const Error& error) {
    throw Error(Exit::data, error.what());
  }
}

std::vector<std::string> captions_of(const std::string& path) {
  const std::string text = to_utf8(read_text(path));
  std::vector<std::string> captions;
  std::size_t begin = 0;
  for (std::size_t line = 1; begin < text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string caption = text.substr(begin, end - begin);
    if (caption.ends_with('\r')) caption.pop_back();
    if (invalid_utf8(caption)) fail(Exit::data, cat(path, ":", line), "not UTF-8", kConvert);
    if (!caption.empty()) captions.push_back(std::move(caption));
    begin = end + 1;
  }
  if (captions.empty()) fail(Exit::data, path, "holds no caption");
  return captions;
}

fs::path model_file(const std::string& given) {
  const fs::path path = given;
  if (fs::is_regular_file(path)) return path;
  if (fs::is_regular_file(path / "tokenizer.model")) return path / "tokenizer.model";
  if (fs::exists(path / "CURRENT")) return Bundle::open(path).model_folder() / "tokenizer.model";
  fail(Exit::artifact, given, fs::exists(path) ? "holds no tokenizer.model" : "no such file or folder",
       "a .model file, a run or a bundle");
}

std::int64_t id_of(std::string_view word, std::string_view where) {
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
  if (error != std::errc() || end != word.data() + word.size()) {
    fail(Exit::usage, where, cat("'", word, "' is no token id"), "whole numbers, separated by spaces");
  }
  return id;
}

std::string decoded(const Tokenizer& tokenizer, const std::vector<std::int64_t>& ids) {
  for (const std::int64_t id : ids) {
    if (id < 0 || id >= tokenizer.vocabulary()) {
      fail(Exit::usage, "duet tokenizer decode", cat("no token has the id ", id),
           cat("0 to ", tokenizer.vocabulary() - 1));
    }
  }
  return tokenizer.decode(ids);
}

std::string encoded(const Tokenizer& tokenizer, std::string_view text, bool pieces) {
  std::vector<std::string> words;
  for (const std::int64_t id : tokenizer.encode(text)) words.push_back(pieces ? tokenizer.piece(id) : cat(id));
  return joined(words, " ");
}

}  // namespace

int run_tokenizer_train(const TokenizerTrainOptions& options) {
  check_outside_sealed(options.out);
  std::vector<std::string> captions = captions_of(options.texts);
  const auto count = static_cast<std::int64_t>(captions.size());
  TokenizerOptions training;
  training.kind = options.kind;
  training.vocabulary = options.vocabulary;
  training.lowercase = options.lowercase;
  training.byte_fallback = options.byte_fallback;
  const Tokenizer tokenizer = Tokenizer::train(std::move(captions), training);
  replace_file(options.out, tokenizer.serialized());
  log_info(cat(options.out, ": ", grouped(tokenizer.pieces()), " pieces from ", grouped(count), " captions"));
  return static_cast<int>(Exit::ok);
}

int run_tokenizer_encode(const TokenizerEncodeOptions& options) {
  const Tokenizer tokenizer = Tokenizer::load(model_file(options.model));
  const auto print = [&](std::string_view text) {
    std::cout << encoded(tokenizer, text, options.pieces) << "\n";
  };
  for (const std::string& text : options.texts) {
    if (invalid_utf8(text)) fail(Exit::usage, "duet tokenizer encode", "a text is no UTF-8", kConvert);
    print(text);
  }
  std::string line;
  for (std::size_t number = 1; options.texts.empty() && std::getline(std::cin, line); ++number) {
    if (invalid_utf8(line)) fail(Exit::data, cat("standard input:", number), "not UTF-8", kConvert);
    print(line);
  }
  return static_cast<int>(Exit::ok);
}

int run_tokenizer_decode(const TokenizerDecodeOptions& options) {
  const Tokenizer tokenizer = Tokenizer::load(model_file(options.model));
  if (!options.ids.empty()) std::cout << decoded(tokenizer, options.ids) << "\n";
  std::string line;
  for (std::size_t number = 1; options.ids.empty() && std::getline(std::cin, line); ++number) {
    std::istringstream words(line);
    std::vector<std::int64_t> ids;
    for (std::string word; words >> word;) ids.push_back(id_of(word, cat("line ", number)));
    std::cout << decoded(tokenizer, ids) << "\n";
  }
  return static_cast<int>(Exit::ok);
}

}  // namespace duet
