// self_distillation: every view of a picture, small crops among them, tells the prototypes that a momentum
// teacher sees in the other large views (DINO, Caron et al. 2021; beside InfoNCE: SILC, Naeem et al. 2023).
#include "core/config.h"
#include "losses/functional.h"
#include "losses/image/prototypes.h"
#include "losses/objective.h"

namespace duet {
namespace {

struct Options {
  std::string view = "global", local_view = "local";  // local_view "": none
  Momentum momentum = {0.996, 1};
  PrototypeOptions prototypes;
};

class SelfDistillation : public Objective {
 public:
  SelfDistillation(Options options, const Setting& setting)
      : options_(std::move(options)),
        prototypes_(
            add<Prototypes>(*this, setting.init, "head", setting.model->image->width(), options_.prototypes)),
        teacher_(setting.teachers->of(options_.momentum)) {}

  // The mean over all pairs of a teacher's copy and another copy of the student's; of one student's copy all
  // teacher's copies but its own are added first, as the shares are linear in the targets.
  LossTerms compute(EncodedBatch& batch, const StepInfo& info) override {
    const std::int64_t rows = batch.size();
    const auto by_copy = [rows](const torch::Tensor& x) { return x.view({-1, rows, x.size(1)}); };
    const auto targets =
        by_copy(prototypes_->targets(batch.teacher_images(teacher_, options_.view).pooled, info));  // [G, B, K]
    const auto all = targets.sum(0, true);
    const auto large = by_copy(prototypes_->log_shares(batch.image_pooled(options_.view), info));
    auto agreement = (large * (all - targets)).sum();
    std::int64_t pairs = targets.size(0) * (targets.size(0) - 1);
    if (!options_.local_view.empty()) {
      const auto small = by_copy(prototypes_->log_shares(batch.image_pooled(options_.local_view), info));
      agreement = agreement + (small * all).sum();
      pairs += targets.size(0) * small.size(0);
    }
    const auto& picture = batch.batch().image_id;
    const auto fit = targets[0].matmul(large[1].detach().t());  // [B, B]: which picture fits a teacher's copy
    return {-agreement / static_cast<double>(pairs * rows),
            {{"accuracy", top_one_share(fit, picture.unsqueeze(1) == picture.unsqueeze(0))},
             {"spread", spread(targets.flatten(0, 1))}}};
  }

  void after_step(const StepInfo& info) override {
    prototypes_->after_step(options_.momentum.at(info.progress()));
  }

 private:
  Options options_;
  std::shared_ptr<Prototypes> prototypes_;
  const Teacher& teacher_;
};

}  // namespace

ObjectivePlan read_self_distillation(Config& config, const Surroundings&) {
  Options o;
  o.view = config.text("view", o.view);
  o.local_view = config.text("local_view", o.local_view);
  if (o.view == o.local_view) {
    config.fail("local_view", "the small crops are the view that the teacher sees",
                "name a view of its own, or \"\" for none");
  }
  o.momentum = read_momentum(config, o.momentum);
  o.prototypes = read_prototypes(config);
  ObjectivePlan plan{.needs = {.views = {o.view}, .copies = 2}, .make = [o](const Setting& setting) {
                       return std::make_shared<SelfDistillation>(o, setting);
                     }};
  if (!o.local_view.empty()) plan.needs.views.push_back(o.local_view);
  return plan;
}

}  // namespace duet
