// moco: a view of a picture finds the key that a momentum teacher made of another view of it, among the keys of
// past batches (He et al. 2020; head and temperature of v2, Chen et al. 2020) or, without a queue, among those
// of its own batch (the loss of v3, Chen et al. 2021, without its predictor).
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>

#include <limits>

#include "core/config.h"
#include "encoders/blocks.h"
#include "losses/functional.h"
#include "losses/heads.h"
#include "losses/objective.h"
#include "losses/queue.h"

namespace duet {
namespace {

struct Options {
  std::string view = "moco";
  double temperature = 0.2;    // v2; 0.07 in v1, with a linear head
  std::int64_t queue = 65536;  // v1 and v2; 0: none
  bool symmetric = true;       // v3: all copies are encoded in any case, so all are asked; false: v1, v2
  Momentum momentum = {0.999, 0.999};                                       // v1 and v2
  ProjectionOptions head = {.layers = 2, .hidden = 512, .dimension = 128};  // v2: 2,048 and 128
};

class MoCo : public Objective {
 public:
  MoCo(Options options, const Setting& setting)
      : options_(std::move(options)),
        head_(add<Projection>(*this, setting.init, "head", setting.model->image->width(), options_.head)),
        twin_(add<Projection>(*this, setting.init, "twin", setting.model->image->width(), options_.head)),
        teacher_(setting.teachers->of(options_.momentum)) {
    become(*twin_, *head_);
    if (options_.queue > 0) {
      queue_ = register_module("queue", std::make_shared<KeyQueue>(options_.queue, options_.head.dimension));
    }
  }

  LossTerms compute(EncodedBatch& batch, const StepInfo&) override {
    const std::int64_t rows = batch.size();
    const auto ids = batch.batch().image_id;  // [B]
    const auto queries = unit(head_->forward(batch.image_pooled(options_.view))).split(rows);
    const auto keys = unit(twin_->forward(batch.teacher_images(teacher_, options_.view).pooled)).split(rows);
    std::vector<torch::Tensor> logits;
    for (std::size_t query = 0; query < (options_.symmetric ? queries.size() : 1); ++query) {
      for (std::size_t key = 0; key < (options_.symmetric ? keys.size() : 2); ++key) {
        if (key != query) logits.push_back(logits_of(queries[query], keys[key], ids));
      }
    }
    if (queue_ && is_training()) fresh_ = {keys[1], ids};
    const auto all = at::cat(logits);
    const auto own = at::zeros({all.size(0)}, ids.options());
    return {class_cross_entropy(all, own), {{"accuracy", accuracy(all, own)}}};
  }

  // One key a picture goes into the queue, however many copies there are.
  void after_step(const StepInfo& info) override {
    follow(*twin_, *head_, options_.momentum.at(info.progress()));
    if (fresh_.keys.defined()) queue_->push(fresh_.keys, fresh_.ids);
    fresh_ = {};
  }

 private:
  // The own key first, then the negatives; keys of the same picture are none. Held-out pictures are judged
  // among themselves: what the queue holds differs between two states of a run. [B, D], [B, D], [B] -> [B, 1 +
  // K]
  torch::Tensor logits_of(const torch::Tensor& queries, const torch::Tensor& keys,
                          const torch::Tensor& ids) const {
    const bool queued = queue_ && is_training();
    const auto negatives = queued ? queue_->negatives_of(ids) : ids.unsqueeze(1) != ids;
    const auto others = queries.matmul((queued ? queue_->keys() : keys).t())
                            .masked_fill(negatives.logical_not(), -std::numeric_limits<double>::infinity());
    return at::cat({(queries * keys).sum(1, true), others}, 1) / options_.temperature;
  }

  struct Fresh {
    torch::Tensor keys, ids;
  };

  Options options_;
  std::shared_ptr<Projection> head_, twin_;
  std::shared_ptr<KeyQueue> queue_;  // null: none
  const Teacher& teacher_;
  Fresh fresh_;  // of this step
};

}  // namespace

ObjectivePlan read_moco(Config& config, const Surroundings& around) {
  Options o;
  o.view = config.text("view", o.view);
  o.temperature = config.number("temperature", o.temperature, {1e-3, 10});
  o.queue = config.integer("queue", o.queue, 0, 1 << 24);
  if (o.queue > 0) check_queue_size(o.queue, around.batch, config.where("queue"));
  o.symmetric = config.flag("symmetric", o.symmetric);
  o.momentum = read_momentum(config, o.momentum);
  o.head = read_projection(config, o.head);
  return {.needs = {.views = {o.view}, .copies = 2},
          .make = [o](const Setting& setting) { return std::make_shared<MoCo>(o, setting); }};
}

}  // namespace duet
