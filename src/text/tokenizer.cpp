#include "text/tokenizer.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"

namespace duet {
namespace {

constexpr std::array<std::string_view, kSpecialCount> kSpecialNames{"[PAD]",  "[BOS]", "[EOS]",
                                                                    "[MASK]", "[SEP]", "[CLS]"};
constexpr std::string_view kWordStart = "\u2581";

class Captions : public sentencepiece::SentenceIterator {
 public:
  explicit Captions(const std::vector<std::string>& captions) : next_(captions.begin()), end_(captions.end()) {}
  bool done() const override { return next_ == end_; }
  void Next() override { ++next_; }
  const std::string& value() const override { return *next_; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  std::vector<std::string>::const_iterator next_, end_;
};

std::unordered_map<std::string, std::string> trainer_arguments(const TokenizerOptions& options) {
  return {{"model_type", options.kind},
          {"vocab_size", std::to_string(options.vocabulary)},
          {"hard_vocab_limit", "false"},
          {"byte_fallback", options.byte_fallback ? "true" : "false"},
          {"character_coverage", cat(options.character_coverage)},
          {"normalization_rule_name", options.lowercase ? "nmt_nfkc_cf" : "nmt_nfkc"},
          {"unk_id", "0"},
          {"bos_id", "-1"},  // duet has its own special tokens
          {"eos_id", "-1"},
          {"pad_id", "-1"},
          {"max_sentence_length", "1000000"},
          {"num_threads", "1"},  // sums depend on how many share them
          {"shuffle_input_sentence", "false"},
          {"minloglevel", "3"}};
}

// "Internal: src/trainer_interface.cc(582) [condition] what is wrong": users get the end of it.
[[noreturn]] void fail_training(const std::string& message, const TokenizerOptions& options) {
  const auto least = message.find(" vs ");
  if (message.find("required_chars") != std::string::npos && least != std::string::npos) {
    fail(Exit::usage, "tokenizer.vocabulary",
         cat("is ", options.vocabulary, ", too few for the single characters",
             options.byte_fallback ? " and bytes" : ""),
         cat("write at least ", std::strtoll(message.c_str() + least + 4, nullptr, 10)));
  }
  const auto place = message.rfind("] ");
  fail(Exit::data, "tokenizer",
       cat("cannot be trained: ", place == std::string::npos ? message : message.substr(place + 2)),
       "give more captions or a smaller vocabulary");
}

std::uint64_t take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; !bytes.empty() && shift < 64; shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80) break;
  }
  return value;
}

// Field `number` of a protobuf message, where it is bytes or a message; empty when it is not there.
std::string_view field(std::string_view message, std::uint64_t number) {
  std::string_view found;
  while (!message.empty()) {
    const std::uint64_t key = take_varint(message), wire = key & 7;
    if (wire == 0) {
      take_varint(message);
      continue;
    }
    const std::uint64_t length = wire == 2 ? take_varint(message) : wire == 1 ? 8 : 4;
    const std::string_view value = message.substr(0, length);
    message.remove_prefix(value.size());
    if (wire == 2 && key >> 3 == number) found = value;
  }
  return found;
}

// SentencePiece follows the table of normalisations unchecked, so that a damaged one would crash it: the size
// of a trie, the trie, and the texts that it leads to. The trie is a double array of darts-clone (Yata): a unit
// is a place in the texts, or leads to a block of 256 units.
bool is_sound(std::string_view table) {
  if (table.empty()) return true;
  std::uint32_t bytes = 0, unit = 0;
  if (table.size() < sizeof bytes) return false;
  std::memcpy(&bytes, table.data(), sizeof bytes);
  table.remove_prefix(sizeof bytes);
  if (bytes > table.size() || bytes % sizeof unit != 0) return false;
  const std::uint32_t units = bytes / static_cast<std::uint32_t>(sizeof unit);
  for (std::uint32_t at = 0; at < units; ++at) {
    std::memcpy(&unit, table.data() + at * sizeof unit, sizeof unit);
    const bool is_place = (unit >> 31) != 0;
    const std::uint32_t place = unit & 0x7FFFFFFF, offset = (unit >> 10) << ((unit & (1U << 9)) >> 6);
    if (is_place ? place >= table.size() - bytes : ((at ^ offset) | 255) >= units) return false;
  }
  return true;
}

// Of normalizer_spec and denormalizer_spec in sentencepiece_model.proto: precompiled_charsmap.
bool has_sound_tables(std::string_view model) {
  return is_sound(field(field(model, 3), 2)) && is_sound(field(field(model, 5), 2));
}

}  // namespace

struct Tokenizer::Impl {
  sentencepiece::SentencePieceProcessor processor;
  std::string serialized;
};

TokenizerOptions read_tokenizer_options(Config& config) {
  TokenizerOptions o;
  o.kind = config.choice("kind", o.kind, {"unigram", "bpe"});
  o.vocabulary = config.integer("vocabulary", o.vocabulary, 8, 1'000'000);
  o.byte_fallback = config.flag("byte_fallback", o.byte_fallback);
  o.character_coverage = config.number("character_coverage", o.character_coverage, {0.9, 1});
  o.lowercase = config.flag("lowercase", o.lowercase);
  o.model = config.text("model", o.model);
  return o;
}

Tokenizer::Tokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

Tokenizer Tokenizer::load(const std::filesystem::path& model) {
  return from_bytes(read_file(model), model.string());
}

Tokenizer Tokenizer::from_bytes(std::string_view model, std::string_view name) {
  auto impl = std::make_shared<Impl>();
  impl->serialized = model;
  const bool is_loaded = has_sound_tables(model) && impl->processor.LoadFromSerializedProto(model).ok();
  if (!is_loaded || impl->processor.GetPieceSize() <= 0) {
    fail(Exit::artifact, name, "is damaged or no SentencePiece model", "give a .model file");
  }
  return Tokenizer(std::move(impl));
}

Tokenizer Tokenizer::train(std::vector<std::string> captions, const TokenizerOptions& options) {
  std::erase_if(captions,
                [](const std::string& text) { return text.find_first_not_of(" \t\r\n") == std::string::npos; });
  if (captions.empty()) fail(Exit::data, "tokenizer", "there are no captions to train on");
  std::sort(captions.begin(), captions.end());
  Captions sentences(captions);
  std::string model;
  const auto status =
      sentencepiece::SentencePieceTrainer::Train(trainer_arguments(options), &sentences, &model);
  if (!status.ok()) fail_training(status.ToString(), options);
  Tokenizer tokenizer = from_bytes(model, "trained tokenizer");
  if (tokenizer.pieces() < options.vocabulary) {
    log_info(cat("tokenizer: ", grouped(tokenizer.pieces()), " pieces instead of ", grouped(options.vocabulary),
                 ", all that ", grouped(static_cast<std::int64_t>(captions.size())), " captions allow"));
  }
  return tokenizer;
}

std::vector<std::int64_t> Tokenizer::encode(std::string_view text) const {
  std::vector<int> ids;
  const auto status = impl_->processor.Encode(text, &ids);
  if (!status.ok()) fail(Exit::failed, "tokenizer", cat("cannot encode a text: ", status.ToString()));
  return {ids.begin(), ids.end()};
}

std::string Tokenizer::decode(std::span<const std::int64_t> ids) const {
  std::vector<int> plain;
  for (const std::int64_t id : ids) {
    if (id < 0 || id >= vocabulary()) {
      fail(Exit::usage, "", cat("there is no token ", id), cat("tokens are 0 to ", vocabulary() - 1));
    }
    if (id < pieces()) plain.push_back(static_cast<int>(id));
  }
  std::string text;
  const auto status = impl_->processor.Decode(plain, &text);
  if (!status.ok()) fail(Exit::failed, "tokenizer", cat("cannot decode: ", status.ToString()));
  return text;
}

std::string Tokenizer::piece(std::int64_t id) const {
  if (id < 0 || id >= vocabulary()) {
    fail(Exit::usage, "", cat("there is no token ", id), cat("tokens are 0 to ", vocabulary() - 1));
  }
  if (id >= pieces()) return std::string(kSpecialNames[static_cast<std::size_t>(id - pieces())]);
  return impl_->processor.IdToPiece(static_cast<int>(id));
}

std::int64_t Tokenizer::pieces() const { return impl_->processor.GetPieceSize(); }

bool Tokenizer::starts_word(std::int64_t id) const {
  return id >= pieces() || piece(id).starts_with(kWordStart);
}

bool Tokenizer::is_unknown(std::int64_t id) const {
  return id >= 0 && id < pieces() && impl_->processor.IsUnknown(static_cast<int>(id));
}

const std::string& Tokenizer::serialized() const { return impl_->serialized; }

std::vector<std::int64_t> encode_caption(const Tokenizer& tokenizer, std::string_view caption,
                                         const TextFormat& format) {
  const std::int64_t specials = format.cls + format.bos + format.eos;
  std::vector<std::int64_t> ids = tokenizer.encode(caption);
  const auto room = static_cast<std::size_t>(std::max<std::int64_t>(format.context - specials, 0));
  if (ids.size() > room) ids.resize(room);
  if (format.bos) ids.insert(ids.begin(), tokenizer.id(kBos));
  if (format.cls) ids.insert(ids.begin(), tokenizer.id(kCls));
  if (format.eos) ids.push_back(tokenizer.id(kEos));
  return ids;
}

}  // namespace duet
