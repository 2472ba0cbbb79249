// simclr: two random views of a picture find each other among all views of the batch (NT-Xent, Chen et al.
// 2020). The head hangs on the tower's pooled feature, as in SLIP (Mu et al. 2022), not on an embedding space.
#include "core/config.h"
#include "encoders/blocks.h"
#include "losses/functional.h"
#include "losses/heads.h"
#include "losses/objective.h"

namespace duet {
namespace {

struct Options {
  std::string view = "simclr";
  double temperature = 0.1;  // Chen et al. 2020 on ImageNet; SLIP
  ProjectionOptions head = {.layers = 2, .hidden = 512, .dimension = 128};
};

class SimClr : public Objective {
 public:
  SimClr(Options options, std::int64_t width, const Init& init)
      : options_(std::move(options)), head_(add<Projection>(*this, init, "head", width, options_.head)) {}

  // Copies of one picture are each other's positives, also when the batch holds the picture twice: among rows
  // labelled by picture, supervised_contrast is NT-Xent.
  LossTerms compute(EncodedBatch& batch, const StepInfo&) override {
    const auto views = unit(head_->forward(batch.image_pooled(options_.view)));       // [copies*B, D]
    const auto pictures = ids_of(batch.batch(), views.size(0) / batch.size()).image;  // [copies*B]
    const auto others = views.detach().matmul(views.detach().t()).fill_diagonal_(-2);
    return {supervised_contrast(views, pictures, options_.temperature),
            {{"accuracy", top_one_share(others, pictures.unsqueeze(1) == pictures.unsqueeze(0))}}};
  }

 private:
  Options options_;
  std::shared_ptr<Projection> head_;
};

}  // namespace

ObjectivePlan read_simclr(Config& config, const Surroundings&) {
  Options o;
  o.view = config.text("view", o.view);
  o.temperature = config.number("temperature", o.temperature, {1e-3, 10});
  o.head = read_projection(config, o.head);
  return {.needs = {.views = {o.view}, .copies = 2}, .make = [o](const Setting& setting) {
            return std::make_shared<SimClr>(o, setting.model->image->width(), setting.init);
          }};
}

}  // namespace duet
