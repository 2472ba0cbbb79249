#include "encoders/space.h"

#include <cmath>
#include <unordered_map>

#include "core/format.h"
#include "encoders/blocks.h"
#include "encoders/text/aten_ops.h"
#include "encoders/text/caption_space.h"

namespace duet {
namespace {

void register_logits(Space& space, const SpaceOptions& options) {
  space.logit_scale = space.register_parameter("logit_scale", torch::full({}, std::log(options.scale)));
  space.logit_bias = space.register_parameter("logit_bias", torch::full({}, options.bias));
}

double width_std(std::int64_t width) { return 1 / std::sqrt(static_cast<double>(width)); }

class ProjectionSpace : public Space {
 public:
  ProjectionSpace(const Init& init, const SpaceOptions& options, const SpaceSetting& setting)
      : dimension_(options.dimension) {
    image_ = add<Linear>(*this, init, "image", setting.image_width, dimension_, false);
    caption_.text = add<Linear>(*this, init, "text", setting.text_width, dimension_, false);
    register_logits(*this, options);
  }
  torch::Tensor image(const torch::Tensor& pooled) override { return image_->forward(pooled); }
  torch::Tensor text(const torch::Tensor& pooled, const torch::Tensor& ids,
                     const torch::Tensor& valid) override {
    return caption_vector(AtenOps(), caption_, "projection", pooled, ids, valid);
  }
  std::int64_t dimension() const override { return dimension_; }

 private:
  std::int64_t dimension_;
  std::shared_ptr<Linear> image_;
  CaptionSpace<AtenOps> caption_;
};

class TrainedPieceSpace : public PieceSpace {
 public:
  TrainedPieceSpace(const Init& init, const SpaceOptions& options, const SpaceSetting& setting)
      : dimension_(options.dimension) {
    image_ = add<Linear>(*this, init, "image", setting.image_width, dimension_, false);
    const AtenWeights weights(*this, init);
    caption_.table = weights.table("table", setting.vocabulary, dimension_, width_std(dimension_));
    caption_.idf = weights.ones("idf", setting.vocabulary);
    register_logits(*this, options);
  }
  torch::Tensor image(const torch::Tensor& pooled) override { return image_->forward(pooled); }
  torch::Tensor text(const torch::Tensor& pooled, const torch::Tensor& ids,
                     const torch::Tensor& valid) override {
    return caption_vector(AtenOps(), caption_, "pieces", pooled, ids, valid);
  }
  std::int64_t dimension() const override { return dimension_; }
  torch::Tensor table() const override { return caption_.table; }
  torch::Tensor idf() const override { return caption_.idf; }
  void set_idf(const torch::Tensor& idf) override { caption_.idf.copy_(idf); }

 private:
  std::int64_t dimension_;
  std::shared_ptr<Linear> image_;
  CaptionSpace<AtenOps> caption_;
};

class SolvedPieceSpace : public RidgeSpace {
 public:
  SolvedPieceSpace(const Init& init, const SpaceOptions& options, const SpaceSetting& setting)
      : dimension_(setting.image_width), lambda_(options.lambda) {
    mean_ = register_buffer("mean", torch::zeros({dimension_}));
    std_ = register_buffer("std", torch::ones({dimension_}));
    caption_.table = register_buffer("table", torch::zeros({setting.vocabulary, dimension_}));
    caption_.idf = AtenWeights(*this, init).ones("idf", setting.vocabulary);
  }
  torch::Tensor image(const torch::Tensor& pooled) override { return (pooled - mean_) / std_; }
  torch::Tensor text(const torch::Tensor& pooled, const torch::Tensor& ids,
                     const torch::Tensor& valid) override {
    return caption_vector(AtenOps(), caption_, "ridge", pooled, ids, valid);
  }
  std::int64_t dimension() const override { return dimension_; }
  bool trains() const override { return false; }
  torch::Tensor table() const override { return caption_.table; }
  torch::Tensor idf() const override { return caption_.idf; }
  void set_idf(const torch::Tensor& idf) override { caption_.idf.copy_(idf); }
  void fit(const torch::Tensor& features, const std::vector<std::vector<std::int64_t>>& ids) override;

 private:
  torch::Tensor caption_targets(const torch::Tensor& rows,
                                const std::vector<std::vector<std::int64_t>>& ids) const;

  std::int64_t dimension_;
  double lambda_;
  torch::Tensor mean_, std_;
  CaptionSpace<AtenOps> caption_;
};

// Y'X [V, F] in double, Y the unit TF-IDF rows: only the pieces that a caption holds are touched.
torch::Tensor SolvedPieceSpace::caption_targets(const torch::Tensor& rows,
                                                const std::vector<std::vector<std::int64_t>>& ids) const {
  const torch::Tensor idf = caption_.idf.to(torch::kCPU, torch::kFloat).contiguous();
  const float* weight = idf.data_ptr<float>();
  torch::Tensor targets = torch::zeros({idf.size(0), dimension_}, torch::kDouble);
  double* sums = targets.data_ptr<double>();
  const double* row = rows.data_ptr<double>();
  for (const auto& caption : ids) {
    std::unordered_map<std::int64_t, double> entries;
    double squares = 0;
    for (const std::int64_t id : caption) entries[id] += weight[id];
    for (const auto& [id, entry] : entries) squares += entry * entry;
    for (const auto& [id, entry] : entries) {
      if (entry == 0) continue;
      const double value = entry / std::sqrt(squares);
      double* sum = sums + id * dimension_;
      for (std::int64_t i = 0; i < dimension_; ++i) sum[i] += value * row[i];
    }
    row += dimension_;
  }
  return targets;
}

void SolvedPieceSpace::fit(const torch::Tensor& features, const std::vector<std::vector<std::int64_t>>& ids) {
  TORCH_CHECK(features.dim() == 2 && features.size(1) == dimension_ && features.size(0) > 0,
              "ridge: features must be [N, ", dimension_, "]");
  TORCH_CHECK(features.size(0) == static_cast<std::int64_t>(ids.size()), "ridge: one caption a row");
  torch::NoGradGuard no_grad;
  const auto all = features.detach().to(torch::kCPU, torch::kDouble);
  const auto mean = all.mean(0), spread = all.var(0, false).sqrt();
  mean_.copy_(mean);
  std_.copy_(
      at::where(spread > 1e-6, spread, at::full_like(spread, 1e6)));  // one that never varies stays near zero
  const auto centred = (all - mean_.to(all.options())) / std_.to(all.options());
  const auto rows = (centred / centred.norm(2, {1}, true).clamp_min(1e-12)).contiguous();
  const auto gram = rows.t().matmul(rows).add_(at::eye(dimension_, rows.options()), lambda_);
  const auto solved = at::cholesky_solve(caption_targets(rows, ids).t(), at::linalg_cholesky(gram));  // [F, V]
  caption_.table.copy_(solved.t());
}

template <class Kind>
SpaceSpec spec_of(const SpaceOptions& options) {
  return {.name = options.name,
          .kind = options.kind,
          .weight = options.weight,
          .auto_weight = options.auto_weight,
          .make = [options](const Init& init, const SpaceSetting& setting) -> std::shared_ptr<Space> {
            return std::make_shared<Kind>(init, options, setting);
          }};
}

SpaceSpec spec_of_kind(const SpaceOptions& options) {
  if (options.kind == "pieces") return spec_of<TrainedPieceSpace>(options);
  if (options.kind == "ridge") return spec_of<SolvedPieceSpace>(options);
  return spec_of<ProjectionSpace>(options);
}

}  // namespace

void Space::clamp_logit_scale() {
  torch::NoGradGuard no_grad;
  if (logit_scale.defined()) logit_scale.clamp_(0, std::log(100.));
}

std::vector<SpaceSpec> read_spaces(Config& recipe) {
  std::vector<SpaceSpec> spaces;
  for (Config& table : recipe.tables("space")) {
    SpaceSpec spec = spec_of_kind(read_space_options(table));
    for (const SpaceSpec& other : spaces) {
      if (other.name == spec.name)
        table.fail("name", cat("two spaces are called '", spec.name, "'"),
                   "give each [[space]] a name of its own");
    }
    spaces.push_back(std::move(spec));
  }
  if (spaces.empty()) spaces.push_back(spec_of_kind({}));
  return spaces;
}

}  // namespace duet
