// Captions to token ids. SentencePiece (Kudo and Richardson 2018) makes the pieces; duet's own special tokens
// lie above its vocabulary, so that no user text can ever produce one.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"

namespace duet {

struct TokenizerOptions {
  std::string kind = "unigram";  // unigram | bpe
  std::int64_t vocabulary =
      4096;                   // pieces asked for; the corpus may allow fewer (reported), specials come on top
  bool byte_fallback = true;  // unseen characters become bytes, not <unk>
  double character_coverage = 0.9995;
  bool lowercase = true;  // NFKC + case folding (SentencePiece's nmt_nfkc_cf); false: nmt_nfkc
  std::string model;      // an existing .model file instead of training one
};
TokenizerOptions read_tokenizer_options(Config& config);

enum Special : int { kPad, kBos, kEos, kMask, kSep, kCls, kSpecialCount };  // id = pieces() + Special

class Tokenizer {
 public:
  static Tokenizer load(
      const std::filesystem::path& model);  // Error(artifact): damaged or no SentencePiece model
  static Tokenizer from_bytes(std::string_view model, std::string_view name);
  // Trains on the captions (order does not matter: they are sorted and counted first, so the model is a
  // function of the set). Error(data) when the captions are too few to make a vocabulary.
  static Tokenizer train(std::vector<std::string> captions, const TokenizerOptions& options);

  std::vector<std::int64_t> encode(
      std::string_view text) const;  // pieces only, no specials; empty text gives none
  std::string decode(std::span<const std::int64_t> ids) const;  // specials are left out
  std::string piece(std::int64_t id) const;                     // "▁heart", "[MASK]"
  std::int64_t pieces() const;                                  // SentencePiece's vocabulary
  std::int64_t vocabulary() const { return pieces() + kSpecialCount; }
  std::int64_t id(Special special) const { return pieces() + special; }
  bool starts_word(std::int64_t id) const;  // begins with U+2581; specials are words of their own
  bool is_unknown(std::int64_t id) const;
  const std::string& serialized() const;  // the .model file's bytes

 private:
  struct Impl;
  explicit Tokenizer(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

// How a text tower wants its ids: pooling by EOT needs [EOS] last, by CLS [CLS] first.
struct TextFormat {
  std::int64_t context = 32;  // most ids, specials included; longer captions are cut before the last special
  bool bos = false, eos = false, cls = false;
};
std::vector<std::int64_t> encode_caption(const Tokenizer& tokenizer, std::string_view caption,
                                         const TextFormat& format);

}  // namespace duet
