#include "toy_features.h"

#include "encoders/blocks.h"
#include "encoders/init.h"

namespace duet::testing {
namespace {

Part part_of(const torch::Tensor& directions, std::int64_t each, double spread, const Init& init) {
  const auto labels = at::arange(directions.size(0)).repeat_interleave(each);
  const auto around = directions.index_select(0, labels);
  const auto rows = unit(around + init.normal("rows", around.sizes(), spread));
  return {.data = nullptr, .items = {}, .tower = rows * 3, .rows = rows, .labels = labels};
}

}  // namespace

ToyTask toy_task(const ToyOptions& o) {
  const Init init(o.seed, "toy");
  const auto directions = unit(init.normal("directions", {o.classes, o.width}, 1));
  ToyTask toy;
  toy.task.classes = o.classes;
  toy.task.name_vectors =
      one_name_each(unit(directions + init.normal("names", directions.sizes(), o.names_off)));
  toy.task.logit_scale = 20;
  for (std::int64_t label = 0; label < o.classes; ++label)
    toy.task.names.push_back({.label = std::to_string(label), .names = {std::to_string(label)}});
  toy.support = part_of(directions, o.shots, o.spread, init / "support");
  toy.validation = part_of(directions, 8, o.spread, init / "validation");
  toy.asked = part_of(directions, 50, o.spread, init / "asked");
  if (o.swapped) toy.support.labels = (toy.support.labels + 1).remainder(o.classes);
  return toy;
}

double accuracy_on(const Classifier& classifier, const Part& items) {
  Part unlabelled = items;
  unlabelled.labels = torch::Tensor();
  return accuracy_of(classifier.logits(unlabelled), items.labels);
}

}  // namespace duet::testing
