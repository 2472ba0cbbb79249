#include "run/objective_needs.h"

#include <algorithm>

#include "core/error.h"
#include "core/format.h"

namespace duet {
namespace {

void check_view(const Recipe& recipe, const std::string& where, const Needs& needs, const std::string& name) {
  std::vector<std::string> names;
  for (const ViewSpec& view : recipe.views) names.push_back(view.name);
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    fail(Exit::usage, where, cat("asks for the view '", name, "'", did_you_mean(name, names)),
         cat("add a [views.", name, "] table; there are ", joined(names)));
  }
  const ViewSpec& view = recipe.views[static_cast<std::size_t>(found - names.begin())];
  const ImageEncoderSpec& tower = recipe.model.image;
  if (tower.has_patches && view.size % tower.stride != 0) {
    fail(Exit::usage, where,
         cat("the view '", name, "' of ", view.size, " pixels is no multiple of the patch, ", tower.stride),
         cat("set views.", name, ".size to a multiple of ", tower.stride));
  }
  if (needs.picture_size && view.size != recipe.model.image_size) {
    fail(Exit::usage, where,
         cat("needs the view '", name, "' as large as the pictures, ", recipe.model.image_size, " pixels"),
         cat("leave views.", name, ".size out"));
  }
  if (view.count < needs.copies) {
    fail(Exit::usage, where, cat("needs ", needs.copies, " copies of each picture in the view '", name, "'"),
         cat("set views.", name, ".count = ", needs.copies));
  }
}

}  // namespace

void check_needs(const Recipe& recipe) {
  for (const ObjectiveSpec& objective : recipe.objectives) {
    const Needs& needs = objective.needs;
    const std::string where = cat(objective.where, ": ", objective.name);
    for (const std::string& view : needs.views) check_view(recipe, where, needs, view);
    if (needs.mixed_tokens && !recipe.model.text.mixes_tokens) {
      fail(Exit::usage, where, "needs a caption tower whose pieces see each other",
           "set text.kind = \"transformer\"");
    }
    if (needs.patches && !recipe.model.image.has_patches) {
      fail(Exit::usage, where, "needs a picture tower that sees single patches", "set image.kind = \"vit\"");
    }
    if (!needs.pooled_only() && recipe.train.micro_batch > 0) {
      fail(Exit::usage, where,
           "looks at single tokens or encodes the batch anew, which a micro batch does not allow",
           "leave train.micro_batch out");
    }
    if (needs.concepts && recipe.train.per_concept < 2) {
      fail(Exit::usage, where, "needs several pictures of a concept in a batch",
           "set train.per_concept to 2 or more");
    }
  }
}

}  // namespace duet
