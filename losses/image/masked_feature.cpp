// masked_feature: what a momentum teacher, who sees the whole picture, makes of patches that are hidden from
// the student (iBOT, Zhou et al. 2022; beside the contrastive loss: TIPS, Maninis et al. 2025).
#include <ATen/ops/arange.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

#include "core/config.h"
#include "encoders/blocks.h"
#include "losses/functional.h"
#include "losses/image/prototypes.h"
#include "losses/objective.h"

namespace duet {
namespace {

struct Options {
  std::string view = "main";
  std::string mask = "block";  // block: patches that lie together; random: each on its own
  double share = 0.3;          // of the patches (iBOT)
  Momentum momentum = {0.996, 1};
  PrototypeOptions prototypes;
};

struct Patches {
  std::int64_t rows = 0, columns = 0;
  std::int64_t count() const { return rows * columns; }
};

// How late a patch is hidden, [N, patches]: by chance, or by its distance from a point anywhere in the picture,
// measured so that equal distances are rectangles of a random aspect (BEiT, Bao et al. 2022: 0.3 to 1 / 0.3).
torch::Tensor order_of(const Patches& patches, std::int64_t pictures, const std::string& mask,
                       torch::Device device) {
  const auto floats = torch::TensorOptions(torch::kFloat).device(device);
  if (mask == "random") return at::rand({pictures, patches.count()}, floats);
  const auto draw = at::rand({pictures, 3, 1}, floats);
  const auto row = at::arange(patches.rows, floats).repeat_interleave(patches.columns) + 0.5;
  const auto column = at::arange(patches.columns, floats).repeat({patches.rows}) + 0.5;
  const auto stretch = ((draw.select(1, 2) * 2 - 1) * (std::log(1 / 0.3) / 2)).exp();  // [N, 1]
  const auto down = (row - draw.select(1, 0) * static_cast<double>(patches.rows)).abs();
  const auto right = (column - draw.select(1, 1) * static_cast<double>(patches.columns)).abs();
  return at::maximum(down * stretch, right / stretch);
}

// tokens [N, L, D], places [N, M] of patches; what stands before the patches is skipped -> [N * M, D]
torch::Tensor patches_at(const torch::Tensor& tokens, const torch::Tensor& places, const Patches& patches) {
  const auto index = (places + (tokens.size(1) - patches.count())).unsqueeze(2);
  return tokens.gather(1, index.expand({-1, -1, tokens.size(2)})).flatten(0, 1);
}

class MaskedFeature : public Objective {
 public:
  MaskedFeature(Options options, const Setting& setting)
      : options_(std::move(options)),
        prototypes_(
            add<Prototypes>(*this, setting.init, "head", setting.model->image->width(), options_.prototypes)),
        teacher_(setting.teachers->of(options_.momentum)) {
    mask_token_ = register_parameter("mask_token",
                                     setting.init.normal("mask_token", {setting.model->image->width()}, 0.02));
  }

  LossTerms compute(EncodedBatch& batch, const StepInfo& info) override {
    const auto pictures = batch.batch().views.at(options_.view);  // [N, 3, H, W]
    ImageEncoder& tower = *batch.model().image;
    const std::int64_t patch = batch.model().spec().image.stride;
    const Patches patches{pictures.size(2) / patch, pictures.size(3) / patch};
    const auto hidden = places(patches, pictures);
    const auto seen = batch.encode_images("masked_feature", pictures, [&](const torch::Tensor& tokens) {
      const auto blank = tower.embed(
          at::zeros({1, 3, pictures.size(2), pictures.size(3)}, torch::TensorOptions(pictures.device())));
      return with_mask_tokens(tokens, blank, hidden, patches);
    });
    const auto targets =
        prototypes_->targets(patches_at(batch.teacher_images(teacher_, options_.view).tokens, hidden, patches),
                             info);  // [N * M, K]
    const auto shares = prototypes_->log_shares(patches_at(seen.tokens, hidden, patches), info);
    return {-(targets * shares).sum(1).mean(),
            {{"accuracy", accuracy(shares, targets.argmax(1))}, {"spread", spread(targets)}}};
  }

  void after_step(const StepInfo& info) override {
    prototypes_->after_step(options_.momentum.at(info.progress()));
  }

 private:
  // Of the patches to hide, as many in each picture. [N, M] int64
  torch::Tensor places(const Patches& patches, const torch::Tensor& pictures) const {
    const auto wanted = std::llround(options_.share * static_cast<double>(patches.count()));
    const std::int64_t count = std::clamp<std::int64_t>(wanted, 1, patches.count());
    const auto order = order_of(patches, pictures.size(0), options_.mask, pictures.device());
    return order.argsort(std::int64_t{1}, false).slice(1, 0, count);
  }

  // The embedding of an empty picture is its positions alone: a hidden patch keeps its own. tokens [N, L, D],
  // blank [1, L, D], hidden [N, M]
  torch::Tensor with_mask_tokens(const torch::Tensor& tokens, const torch::Tensor& blank,
                                 const torch::Tensor& hidden, const Patches& patches) const {
    const auto mask = at::zeros({tokens.size(0), tokens.size(1)}, hidden.options().dtype(torch::kBool))
                          .scatter(1, hidden + (tokens.size(1) - patches.count()), true);
    return at::where(mask.unsqueeze(2), (blank + mask_token_).to(tokens.scalar_type()), tokens);
  }

  Options options_;
  std::shared_ptr<Prototypes> prototypes_;
  torch::Tensor mask_token_;  // [D]
  const Teacher& teacher_;
};

}  // namespace

ObjectivePlan read_masked_feature(Config& config, const Surroundings&) {
  Options o;
  o.view = config.text("view", o.view);
  o.mask = config.choice("mask", o.mask, {"block", "random"});
  o.share = config.number("mask_share", o.share, {0.01, 0.95});
  o.momentum = read_momentum(config, o.momentum);
  o.prototypes = read_prototypes(config);
  return {.needs = {.views = {o.view}, .edits = true, .patches = true},
          .make = [o](const Setting& setting) { return std::make_shared<MaskedFeature>(o, setting); }};
}

}  // namespace duet
