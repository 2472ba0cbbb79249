#include "training/auto_recipe.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "core/format.h"

namespace duet {
namespace {

// As a TOML basic string.
std::string quoted(const std::string& text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (code < 0x20 || code == 0x7f) {
      out += cat("\\u00", kDigits[code >> 4], kDigits[code & 15]);
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

constexpr double kSplit = 0.1;

std::int64_t distinct_concepts(const Source& source) {
  std::set<std::int64_t> ids;
  for (std::size_t row = 0; row < source.pairs.size(); ++row)
    ids.insert(source.concept_id(static_cast<std::int64_t>(row)));
  return static_cast<std::int64_t>(ids.size());
}

std::int64_t distinct_characters(const Source& source) {
  std::set<std::string_view> characters;  // UTF-8: a byte and the continuation bytes behind it
  for (const Pair& pair : source.pairs) {
    for (const std::string_view caption : pair.captions) {
      for (std::size_t begin = 0, end; begin < caption.size(); begin = end) {
        for (end = begin + 1; end < caption.size() && (caption[end] & 0xC0) == 0x80;) ++end;
        characters.insert(caption.substr(begin, end - begin));
      }
    }
  }
  return static_cast<std::int64_t>(characters.size());
}

// Pictures that are left when validation is split off.
std::int64_t count_trained(const Source& source) {
  const auto pictures = static_cast<std::int64_t>(source.pairs.size());
  if (pictures >= 100) return pictures - pictures / 10;
  return static_cast<std::int64_t>(split_off(source, kSplit).first.pairs.size());
}

// An eighth of the data, so that an epoch has several batches; 16 at least: with fewer a caption has nothing to
// be told apart from.
std::int64_t batch_for(std::int64_t trained) {
  std::int64_t batch = 256;
  while (batch > 16 && batch * 8 > trained) batch /= 2;
  return std::max<std::int64_t>(2, std::min(batch, trained));
}

// Small data by how often each picture is seen, which takes seconds to minutes; large data by the clock.
std::string budget_for(std::int64_t trained, std::int64_t batch) {
  if (trained < 2'000) return cat("steps = ", std::max<std::int64_t>(300, 100 * trained / batch));
  return cat("minutes = ", trained < 20'000 ? 20 : trained < 200'000 ? 60 : 240);
}

}  // namespace

std::string auto_recipe(const Source& source, const std::string& data) {
  const auto pictures = static_cast<std::int64_t>(source.pairs.size());
  const std::int64_t trained = count_trained(source);
  const std::int64_t batch = batch_for(trained);
  const std::string budget = budget_for(trained, batch);
  const bool shared_concepts = distinct_concepts(source) < pictures;
  // The less data, the more it has to be varied.
  const std::string_view crop = trained < 20'000 ? "0.5" : trained < 200'000 ? "0.7" : "0.9";
  // 256 bytes, each character, and pieces: a limit, captions often allow fewer.
  const std::int64_t vocabulary =
      256 + distinct_characters(source) + std::clamp<std::int64_t>(pictures / 2, 500, 8'000);
  return cat("# Picked by duet for ", grouped(pictures),
             " pictures; every key can be changed, see configs/ for commented recipes. A tenth of the\n"
             "# pictures is held back for validation, in whole concepts. Nothing is flipped: captions may say "
             "left and right.\n"
             "# The space \"parts\" is solved for after training and helps with things never seen.\n"
             "seed = 1\n\n"
             "[data]\ntrain = ",
             quoted(data), "\nsplit = ", kSplit, "\n\n[tokenizer]\nvocabulary = ", vocabulary,
             "\n\n[image]\nkind = \"convnet\"\nsize = ", trained < 20'000 ? 64 : 96,
             "\nresize = \"crop\"\n\n"
             "[text]\nkind = \"bag_of_tokens\"\ncontext = 64\n\n"
             "[[space]]\nname = \"joint\"\ndimension = 256\n\n"
             "[[space]]\nname = \"parts\"\nkind = \"ridge\"\npixels = true\nrank = 512\nweight = \"auto\"\n\n"
             "[views.main]\ncrop = [",
             crop,
             ", 1.0]\nbrightness = 0.2\ncontrast = 0.2\nsaturation = 0.2\n\n"
             "[[objective]]\nkind = \"info_nce\"\nlabel_smoothing = 0.05\n\n",
             shared_concepts ? "[[objective]]\nkind = \"same_concept\"\nweight = 0.5\n\n" : "",
             "[train]\nbatch = ", batch, "\n", budget,
             "\nlr = 1.5e-3\nwarmup = 0.1\nweight_decay = 0.1\nema = 0.998\n",
             shared_concepts ? "per_concept = 2\n" : "", "\n[[train.group]]\nmatch = \"text\"\nlr_scale = 3\n");
}

}  // namespace duet
