#include "training/auto_recipe.h"

#include <algorithm>
#include <set>

#include "core/format.h"

namespace duet {
namespace {

// As a TOML basic string.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::size_t distinct_concepts(const Source& source) {
  std::set<std::int64_t> ids;
  for (std::size_t row = 0; row < source.pairs.size(); ++row)
    ids.insert(source.concept_id(static_cast<std::int64_t>(row)));
  return ids.size();
}

}  // namespace

std::string auto_recipe(const Source& source, const std::string& data) {
  const auto pictures = static_cast<std::int64_t>(source.pairs.size());
  const bool shared_concepts = distinct_concepts(source) < source.pairs.size();
  const bool large = pictures >= 20'000;
  // A batch is at most an eighth of the data, so that an epoch has several.
  std::int64_t batch = 256;
  while (batch > 2 && batch * 8 > pictures) batch /= 2;
  const double minutes = pictures < 2'000 ? 5 : large ? 60 : 20;
  const std::int64_t vocabulary = std::clamp<std::int64_t>(pictures / 2, 500, 8'000);
  return cat(
      "# Picked for ", grouped(pictures),
      " pictures; every key can be changed, see configs/ for commented recipes.\n"
      "seed = 1\n\n"
      "[data]\ntrain = ",
      quoted(data),
      "\nsplit = 0.1            # validation: this share of the concepts (or pictures)\n\n"
      "[tokenizer]\nvocabulary = ",
      vocabulary,
      "\n\n"
      "[image]\nkind = \"convnet\"\nsize = ",
      large ? 96 : 64,
      "\nresize = \"crop\"\n\n"
      "[text]\nkind = \"bag_of_tokens\"\ncontext = 64\n\n"
      "[[space]]\nname = \"joint\"\ndimension = 256\n\n"
      "[[space]]               # solved for in closed form after training; helps with things never seen\n"
      "name = \"parts\"\nkind = \"ridge\"\nweight = \"auto\"\n\n"
      "[views.main]\ncrop = [0.5, 1.0]\nflip = 0.5\nbrightness = 0.2\ncontrast = 0.2\nsaturation = 0.2\n\n"
      "[[objective]]\nkind = \"info_nce\"\nlabel_smoothing = 0.05\n\n",
      shared_concepts ? "[[objective]]\nkind = \"same_concept\"\nweight = 0.5\n\n" : "",
      "[train]\nbatch = ", batch, "\nminutes = ", minutes,
      "\nlr = 1.5e-3\nwarmup = 0.1\nweight_decay = 0.1\nema = 0.998\n",
      shared_concepts ? "per_concept = 2\n" : "", "[[train.group]]\nmatch = \"text\"\nlr_scale = 3\n");
}

}  // namespace duet
