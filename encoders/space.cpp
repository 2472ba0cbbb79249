#include "encoders/space.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/randn.h>

#include <cmath>
#include <set>

#include "core/format.h"
#include "encoders/blocks.h"
#include "encoders/pixel_features.h"
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
      : tower_width_(setting.image_width),
        width_(setting.image_width + (options.pixels ? kPixelFeatures : 0)),
        dimension_(options.rank > 0 ? options.rank : width_),
        lambda_(options.lambda) {
    mean_ = register_buffer("mean", torch::zeros({width_}));
    std_ = register_buffer("std", torch::ones({width_}));
    if (options.rank > 0) projection_ = register_buffer("projection", torch::zeros({dimension_, width_}));
    caption_.table = register_buffer("table", torch::zeros({setting.vocabulary, dimension_}));
    caption_.idf = AtenWeights(*this, init).ones("idf", setting.vocabulary);
  }
  torch::Tensor image(const torch::Tensor& feature) override {
    const auto rows = standardised(feature);
    return projection_.defined() ? rows.matmul(projection_.t()) : rows;
  }
  torch::Tensor text(const torch::Tensor& pooled, const torch::Tensor& ids,
                     const torch::Tensor& valid) override {
    return caption_vector(AtenOps(), caption_, "ridge", pooled, ids, valid);
  }
  std::int64_t dimension() const override { return dimension_; }
  bool sees_pixels() const override { return width_ > tower_width_; }
  torch::Tensor table() const override { return caption_.table; }
  torch::Tensor idf() const override { return caption_.idf; }
  void set_idf(const torch::Tensor& idf) override { caption_.idf.copy_(idf); }
  void fit(const torch::Tensor& features, const std::vector<std::vector<std::int64_t>>& ids) override;

 private:
  torch::Tensor standardised(const torch::Tensor& feature) const;  // [B, F], in the feature's precision
  void set_statistics(const torch::Tensor& features);
  void add_captions(const torch::Tensor& rows, const std::vector<std::int64_t>* ids,
                    torch::Tensor& targets) const;

  std::int64_t tower_width_, width_, dimension_;
  double lambda_;
  torch::Tensor mean_, std_, projection_;
  CaptionSpace<AtenOps> caption_;
};

constexpr std::int64_t kFitRows = 1024;  // pictures at a time, in double

torch::Tensor of_length_one(const torch::Tensor& rows) {
  return rows / rows.norm(2, {1}, true).clamp_min(1e-12);
}

torch::Tensor SolvedPieceSpace::standardised(const torch::Tensor& feature) const {
  const auto all = (feature - mean_.to(feature.options())) / std_.to(feature.options());
  if (!sees_pixels()) return all;
  const auto tower = all.narrow(1, 0, tower_width_), pixels = all.narrow(1, tower_width_, kPixelFeatures);
  return at::cat({of_length_one(tower), of_length_one(pixels)}, 1);
}

void SolvedPieceSpace::set_statistics(const torch::Tensor& features) {
  auto mean = torch::zeros({width_}, torch::kDouble), variance = torch::zeros({width_}, torch::kDouble);
  for (const auto& part : features.split(kFitRows)) mean += part.to(torch::kDouble).sum(0);
  mean /= features.size(0);
  for (const auto& part : features.split(kFitRows))
    variance += (part.to(torch::kDouble) - mean).square().sum(0);
  variance /= features.size(0);
  for (std::int64_t first = tower_width_; first < width_;) {  // colours and edges, a spread each
    auto group = variance.narrow(0, first, first == tower_width_ ? kColourFeatures : kEdgeFeatures);
    first += group.size(0);
    group.fill_(group.sum().clamp_min(1e-8));
  }
  const auto spread = variance.sqrt();
  mean_.copy_(mean);
  std_.copy_(
      at::where(spread > 1e-6, spread, at::full_like(spread, 1e6)));  // what never varies stays near zero
}

// Adds Y'X [V, F] of some rows, Y the unit rows of the IDF of their pieces: only the pieces that a caption
// holds are touched.
void SolvedPieceSpace::add_captions(const torch::Tensor& rows, const std::vector<std::int64_t>* ids,
                                    torch::Tensor& targets) const {
  const torch::Tensor idf = caption_.idf.to(torch::kCPU, torch::kFloat).contiguous();
  const float* weight = idf.data_ptr<float>();
  double* sums = targets.data_ptr<double>();
  for (std::int64_t n = 0; n < rows.size(0); ++n) {
    const double* row = rows.data_ptr<double>() + n * width_;
    const std::set<std::int64_t> pieces(ids[n].begin(), ids[n].end());
    double squares = 0;
    for (const std::int64_t id : pieces) squares += static_cast<double>(weight[id]) * weight[id];
    for (const std::int64_t id : pieces) {
      if (weight[id] == 0) continue;
      const double value = weight[id] / std::sqrt(squares);
      double* sum = sums + id * width_;
      for (std::int64_t i = 0; i < width_; ++i) sum[i] += value * row[i];
    }
  }
}

// The `rank` leading eigenvectors of W'GW, [V, rank] orthonormal: subspace iteration (Halko et al. 2011,
// section 4.4) from a fixed start. weights W [F, V], gram G [F, F]. Columns beyond V are zero.
torch::Tensor leading_directions(const torch::Tensor& weights, const torch::Tensor& gram, std::int64_t rank) {
  const std::int64_t pieces = weights.size(1);
  if (rank >= pieces) return at::eye(pieces, rank, weights.options());
  const auto product = [&](const torch::Tensor& directions) {  // W'GW d
    return weights.t().matmul(gram.matmul(weights.matmul(directions)));
  };
  const std::int64_t kept = std::min(rank + 32, pieces);
  auto basis = at::randn({pieces, kept}, at::make_generator<at::CPUGeneratorImpl>(1), weights.options());
  for (int iteration = 0; iteration < 4; ++iteration) basis = std::get<0>(at::linalg_qr(product(basis)));
  const auto within = basis.t().matmul(product(basis));
  const auto rotation = std::get<1>(at::linalg_eigh((within + within.t()) / 2));  // ascending
  return basis.matmul(rotation.slice(1, kept - rank).flip(1));
}

void SolvedPieceSpace::fit(const torch::Tensor& features, const std::vector<std::vector<std::int64_t>>& ids) {
  TORCH_CHECK(features.dim() == 2 && features.size(1) == width_ && features.size(0) > 0,
              "ridge: features must be [N, ", width_, "]");
  TORCH_CHECK(features.size(0) == static_cast<std::int64_t>(ids.size()), "ridge: one caption a row");
  torch::NoGradGuard no_grad;
  const auto all = features.detach().to(torch::kCPU);
  set_statistics(all);
  auto gram = torch::zeros({width_, width_}, torch::kDouble);
  auto targets = torch::zeros({caption_.table.size(0), width_}, torch::kDouble);
  for (std::int64_t first = 0; first < all.size(0); first += kFitRows) {
    const auto part =
        standardised(all.narrow(0, first, std::min(kFitRows, all.size(0) - first)).to(torch::kDouble));
    const auto rows = of_length_one(part).contiguous();
    gram.addmm_(rows.t(), rows);
    add_captions(rows, ids.data() + first, targets);
  }
  const auto regular = gram + at::eye(width_, gram.options()) * lambda_;
  const auto solved = at::cholesky_solve(targets.t(), at::linalg_cholesky(regular));  // [F, V]
  if (!projection_.defined()) {
    caption_.table.copy_(solved.t());
    return;
  }
  const auto weights = solved.to(torch::kFloat);
  const auto directions = leading_directions(weights, gram.to(torch::kFloat), dimension_);  // [V, rank]
  projection_.copy_(weights.matmul(directions).t());
  caption_.table.copy_(directions);
}

template <class Kind>
SpaceSpec spec_of(const SpaceOptions& options) {
  return {.name = options.name,
          .kind = options.kind,
          .weight = options.weight,
          .auto_weight = options.auto_weight,
          .trains = options.kind != "ridge",
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
