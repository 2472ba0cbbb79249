// same_concept: pictures of one concept attract each other (SupCon, Khosla et al. 2020), whatever their
// captions say.
#include "core/config.h"
#include "losses/functional.h"
#include "losses/objective.h"

namespace duet {
namespace {

struct Options {
  std::string space;
  std::string view = "main";
  double temperature = 0.1;  // Khosla et al., section 4
};

class SameConcept : public Objective {
 public:
  explicit SameConcept(Options options) : options_(std::move(options)) {}

  // Copies of one picture (a view with count > 1, a picture drawn twice) count as pictures of its concept, as
  // the paper's augmented views do; they are drawn with augmentations of their own.
  LossTerms compute(EncodedBatch& batch, const StepInfo&) override {
    const auto pictures = batch.image_embedding(options_.space, options_.view);             // [copies*B, D]
    const auto labels = ids_of(batch.batch(), pictures.size(0) / batch.size()).concept_id;  // [copies*B]
    const auto alike =
        (labels.unsqueeze(1) == labels.unsqueeze(0)).sum(1);  // [copies*B], the row itself among them
    return {supervised_contrast(pictures, labels, options_.temperature),
            {{"with_partner", (alike > 1).to(torch::kFloat).mean()}}};
  }

 private:
  Options options_;
};

}  // namespace

ObjectivePlan read_same_concept(Config& config, const Surroundings& around) {
  Options o;
  o.space = read_space(config, around, "joint");
  o.view = config.text("view", o.view);
  o.temperature = config.number("temperature", o.temperature, {1e-3, 10});
  return {.needs = {.views = {o.view}, .concepts = true},
          .make = [o](const Setting&) { return std::make_shared<SameConcept>(o); }};
}

}  // namespace duet
