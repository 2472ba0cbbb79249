// byol: from one view of a picture its teacher's feature of another view is predicted; no negatives (Grill et
// al. 2020). What keeps the paper's features apart is in part its BatchNorm, which takes the mean over the
// batch out of them; the heads here have none, so that the mean is taken out of the teacher's features instead.
#include "core/config.h"
#include "encoders/blocks.h"
#include "losses/functional.h"
#include "losses/heads.h"
#include "losses/objective.h"

namespace duet {
namespace {

struct Options {
  std::string view = "byol";
  bool centre = true;  // false: nothing is taken out of the teacher's features
  Momentum momentum = {0.996, 1};
  ProjectionOptions head = {.layers = 2, .hidden = 512, .dimension = 256};  // the paper's hidden: 4,096
};

class Byol : public Objective {
 public:
  Byol(Options options, const Setting& setting)
      : options_(std::move(options)),
        head_(add<Projection>(*this, setting.init, "head", setting.model->image->width(), options_.head)),
        predictor_(add<Projection>(
            *this, setting.init, "predictor", options_.head.dimension,
            ProjectionOptions{
                .layers = 2, .hidden = options_.head.hidden, .dimension = options_.head.dimension})),
        twin_(add<Projection>(*this, setting.init, "twin", setting.model->image->width(), options_.head)),
        teacher_(setting.teachers->of(options_.momentum)) {
    become(*twin_, *head_);
  }

  // Every copy predicts every other one. As in the paper both directions of two copies are added, not averaged:
  // 4 where prediction and target are at right angles.
  LossTerms compute(EncodedBatch& batch, const StepInfo&) override {
    const auto by_copy = [&](const torch::Tensor& x) { return x.view({-1, batch.size(), x.size(1)}); };
    const auto told = by_copy(unit(predictor_->forward(head_->forward(batch.image_pooled(options_.view)))));
    const auto truth =
        by_copy(unit(target(batch.teacher_images(teacher_, options_.view).pooled)));  // [C, B, D]
    const auto copies = static_cast<double>(told.size(0)), rows = static_cast<double>(told.size(1));
    const auto cosines = (told.sum(0) * truth.sum(0)).sum() - (told * truth).sum();
    const auto& picture = batch.batch().image_id;
    return {2 * (2 - 2 * cosines / (copies * (copies - 1) * rows)),
            {{"accuracy", top_one_share(told[0].detach().matmul(truth[1].t()),
                                        picture.unsqueeze(1) == picture.unsqueeze(0))}}};
  }

  void after_step(const StepInfo& info) override {
    follow(*twin_, *head_, options_.momentum.at(info.progress()));
  }

 private:
  // [C*B, width] -> [C*B, D]
  torch::Tensor target(const torch::Tensor& pooled) const {
    const auto seen = twin_->forward(pooled);
    return options_.centre ? seen - seen.mean(0, true) : seen;
  }

  Options options_;
  std::shared_ptr<Projection> head_, predictor_, twin_;
  const Teacher& teacher_;
};

}  // namespace

ObjectivePlan read_byol(Config& config, const Surroundings&) {
  Options o;
  o.view = config.text("view", o.view);
  o.centre = config.flag("centre", o.centre);
  o.momentum = read_momentum(config, o.momentum);
  o.head = read_projection(config, o.head);
  return {.needs = {.views = {o.view}, .copies = 2},
          .make = [o](const Setting& setting) { return std::make_shared<Byol>(o, setting); }};
}

}  // namespace duet
