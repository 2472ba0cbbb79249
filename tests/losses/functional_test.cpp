// The losses against plain PyTorch (golden/make_losses.py), closed forms, finite differences in double, and
// invariances.
#include "losses/functional.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/randperm.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/format.h"
#include "tensors/tensor_file.h"

namespace duet {
namespace {

const Positives kAll[] = {Positives::each, Positives::average, Positives::mask};

torch::Tensor random(at::IntArrayRef shape, std::uint64_t seed) {
  return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed), torch::TensorOptions(torch::kDouble));
}

torch::Tensor unit(const torch::Tensor& x) { return torch::nn::functional::normalize(x); }

Batch batch_of(const torch::Tensor& image, const torch::Tensor& caption, const torch::Tensor& concept_id) {
  Batch batch;
  batch.image_id = image;
  batch.caption_id = caption;
  batch.concept_id = concept_id;
  batch.rows.resize(static_cast<std::size_t>(image.size(0)));
  return batch;
}

// All rows on their own.
Relation strangers(std::int64_t rows) {
  const auto ids = at::arange(rows, torch::kLong);
  return relate(batch_of(ids, ids, ids), 1);
}

// Rows 0 and 3 share a concept, 1 and 4 a picture, 2 and 5 a caption.
Relation relatives() {
  const auto id = [](std::initializer_list<std::int64_t> ids) {
    return torch::tensor(std::vector<std::int64_t>(ids));
  };
  return relate(batch_of(id({0, 1, 2, 3, 1, 5}), id({0, 1, 2, 3, 4, 2}), id({0, 1, 2, 0, 4, 5})), 1);
}

torch::Tensor gradient(const torch::Tensor& loss, const torch::Tensor& input) {
  return torch::autograd::grad({loss}, {input})[0];
}

void expect_gradient(const std::function<torch::Tensor(const torch::Tensor&)>& loss,
                     const torch::Tensor& at_point) {
  const auto input = at_point.clone().requires_grad_(true);
  const auto analytic = gradient(loss(input), input).flatten();
  const double step = 1e-5;
  for (std::int64_t i = 0; i < input.numel(); ++i) {
    const auto shifted = [&](double by) {
      auto point = at_point.clone();
      point.view({-1})[i].add_(by);
      return loss(point).item<double>();
    };
    const double numeric = (shifted(step) - shifted(-step)) / (2 * step);
    EXPECT_NEAR(analytic[i].item<double>(), numeric, 1e-7 + 1e-6 * std::abs(numeric)) << "element " << i;
  }
}

class Golden : public ::testing::Test {
 protected:
  torch::Tensor leaf(const std::string& name) const { return values.at(name).clone().requires_grad_(true); }
  void expect(const std::string& name, const torch::Tensor& loss,
              const std::map<std::string, torch::Tensor>& leaves) const {
    EXPECT_NEAR(loss.item<double>(), values.at(name).item<double>(), 1e-5) << name;
    for (const auto& [key, tensor] : leaves) {
      EXPECT_LT((gradient_of(loss, tensor) - values.at(name + "." + key)).abs().max().item<double>(), 1e-5)
          << name << " " << key;
    }
  }
  static torch::Tensor gradient_of(const torch::Tensor& loss, const torch::Tensor& input) {
    return torch::autograd::grad({loss}, {input}, {}, /*retain_graph=*/true)[0];
  }
  Relation relation() const {
    return relate(batch_of(values.at("image_id"), values.at("caption_id"), values.at("concept_id")), 1);
  }
  TensorMap values = load_tensors(std::string(DUET_GOLDEN) + "/losses.safetensors");
};

TEST_F(Golden, InfoNce) {
  const std::map<std::string, Positives> modes = {
      {"each", Positives::each}, {"average", Positives::average}, {"mask", Positives::mask}};
  for (const auto& [mode, positives] : modes) {
    for (const std::string smoothing : {"0.0", "0.1"}) {
      for (const std::string side : {"0.5", "0.7"}) {
        const auto x = leaf("x"), y = leaf("y"), scale = leaf("scale");
        const InfoNceOptions options{positives, std::stod(smoothing), std::stod(side),
                                     side == "0.5" ? 0.5 : 0.2};
        expect(cat("info_nce/", mode, "/", smoothing, "/", side),
               info_nce(scaled_cosine(x, y, scale), relation(), options),
               {{"x", x}, {"y", y}, {"scale", scale}});
      }
    }
  }
}

TEST_F(Golden, Sigmoid) {
  const auto x = leaf("x"), y = leaf("y"), scale = leaf("scale"), bias = leaf("bias");
  expect("sigmoid", sigmoid_loss(scaled_cosine(x, y, scale) + bias, relation().positives),
         {{"x", x}, {"y", y}, {"scale", scale}, {"bias", bias}});
}

TEST_F(Golden, SameConcept) {
  const auto x = leaf("x");
  expect("same_concept", supervised_contrast(x, values.at("concept_id"), 0.1), {{"x", x}});
}

TEST_F(Golden, CaptionTokens) {
  for (const std::string smoothing : {"0.0", "0.1"}) {
    const auto x = leaf("x"), table = leaf("table"), scale = leaf("scale");
    const auto known = values.at("idf").nonzero().flatten();
    const auto targets = piece_targets(values.at("ids"), values.at("idf")).index_select(1, known);
    const auto logits = scaled_cosine(x, unit(table.index_select(0, known)), scale);
    expect("caption_tokens/" + smoothing, soft_cross_entropy(logits, targets, std::stod(smoothing)),
           {{"x", x}, {"table", table}, {"scale", scale}});
  }
}

TEST(InfoNce, UniformLogitsGiveTheLogOfTheirNumber) {
  const auto logits = at::full({8, 8}, 3.0, torch::kDouble);
  for (const Positives positives : kAll) {
    for (const double smoothing : {0.0, 0.2}) {
      EXPECT_NEAR(info_nce(logits, strangers(8), {positives, smoothing}).item<double>(), std::log(8.0), 1e-12);
    }
    EXPECT_NEAR(info_nce(logits, strangers(8), {positives, 0, 0.7, 0.1}).item<double>(), 0.8 * std::log(8.0),
                1e-12);
  }
}

TEST(InfoNce, UniformLogitsWithRelatives) {
  const auto logits = at::full({6, 6}, -1.0, torch::kDouble);
  // Each of six rows has two positives and four negatives.
  EXPECT_NEAR(info_nce(logits, relatives(), {Positives::each}).item<double>(), std::log(5.0), 1e-12);
  EXPECT_NEAR(info_nce(logits, relatives(), {Positives::mask}).item<double>(), std::log(5.0), 1e-12);
  EXPECT_NEAR(info_nce(logits, relatives(), {Positives::average}).item<double>(), std::log(6.0), 1e-12);
}

TEST(InfoNce, PerfectLogitsReachTheLowestValue) {
  const auto relation = relatives();
  const auto logits = 60 * relation.positives.to(torch::kDouble) - 30;
  EXPECT_NEAR(info_nce(logits, relation, {Positives::each}).item<double>(), 0, 1e-12);
  EXPECT_NEAR(info_nce(logits, relation, {Positives::mask}).item<double>(), 0, 1e-12);
  EXPECT_NEAR(info_nce(logits, relation, {Positives::average}).item<double>(), std::log(2.0), 1e-12);
}

TEST(InfoNce, AllWaysAgreeAmongStrangers) {
  const auto logits = random({7, 7}, 1) * 5;
  const double plain = info_nce(logits, strangers(7), {Positives::average}).item<double>();
  const auto target = at::arange(7, torch::kLong);
  const auto ce = [&](const torch::Tensor& l) { return at::cross_entropy_loss(l, target).item<double>(); };
  EXPECT_NEAR(plain, (ce(logits) + ce(logits.t())) / 2, 1e-12);
  EXPECT_NEAR(info_nce(logits, strangers(7), {Positives::each}).item<double>(), plain, 1e-12);
  EXPECT_NEAR(info_nce(logits, strangers(7), {Positives::mask}).item<double>(), plain, 1e-12);
}

TEST(InfoNce, AOneConceptBatchHasNothingToSay) {
  const auto zeros = torch::zeros({4}, torch::kLong);
  const auto relation = relate(batch_of(zeros, zeros, zeros), 1);
  for (const Positives positives : {Positives::each, Positives::mask}) {
    const auto logits = random({4, 4}, 2).requires_grad_(true);
    const auto loss = info_nce(logits, relation, {positives});
    EXPECT_EQ(loss.item<double>(), 0);
    EXPECT_EQ(gradient(loss, logits).abs().max().item<double>(), 0);  // and no NaN
  }
}

TEST(Sigmoid, ZeroLogitsGiveRowsTimesLogTwo) {
  const auto logits = torch::zeros({5, 5}, torch::kDouble);
  EXPECT_NEAR(sigmoid_loss(logits, relatives().positives.slice(0, 0, 5).slice(1, 0, 5)).item<double>(),
              5 * std::log(2.0), 1e-12);
}

TEST(Sigmoid, PerfectLogitsGiveZero) {
  const auto positives = relatives().positives;
  EXPECT_NEAR(sigmoid_loss(80 * positives.to(torch::kDouble) - 40, positives).item<double>(), 0, 1e-12);
}

TEST(SupervisedContrast, EqualPicturesGiveTheLogOfTheOthers) {
  const auto x = unit(torch::ones({6, 3}, torch::kDouble));
  const auto labels = torch::tensor(std::vector<std::int64_t>{1, 1, 2, 2, 2, 3});
  EXPECT_NEAR(supervised_contrast(x, labels, 0.1).item<double>(), std::log(5.0), 1e-12);
}

TEST(SupervisedContrast, RowsAloneAreSkipped) {
  const auto x = unit(random({5, 3}, 3));
  const auto lonely = at::arange(5, torch::kLong);
  EXPECT_EQ(supervised_contrast(x, lonely, 0.1).item<double>(), 0);
  // Two rows of one concept: only these two anchor.
  auto labels = lonely.clone();
  labels[4].fill_(0);
  const auto sim = x.matmul(x.t()) / 0.1;
  const auto row = [&](std::int64_t i, std::int64_t p) {
    auto others = sim[i].clone();
    others[i].fill_(-INFINITY);
    return (others.logsumexp(0) - sim[i][p]).item<double>();
  };
  EXPECT_NEAR(supervised_contrast(x, labels, 0.1).item<double>(), (row(0, 4) + row(4, 0)) / 2, 1e-12);
}

TEST(SupervisedContrast, TwoPicturesOfOneConceptAreFree) {
  EXPECT_NEAR(supervised_contrast(unit(random({2, 3}, 4)), torch::zeros({2}, torch::kLong), 0.1).item<double>(),
              0, 1e-12);
}

TEST(CaptionTokens, TargetsAreIdfSharesOfTheSet) {
  const auto idf = torch::tensor(std::vector<double>{1, 3, 0, 2}, torch::kDouble);
  const auto ids = torch::tensor(std::vector<std::int64_t>{0, 1, 1, 2, 2, 2}).view({2, 3});
  const auto targets = piece_targets(ids, idf);
  const auto expected =
      torch::tensor(std::vector<double>{0.25, 0.75, 0, 0, 0, 0, 0, 0}, torch::kDouble).view({2, 4});
  EXPECT_LT((targets - expected).abs().max().item<double>(), 1e-12);
}

TEST(CaptionTokens, UniformLogitsGiveTheLogOfThePieces) {
  const auto targets =
      torch::tensor(std::vector<double>{0.25, 0.75, 0, 0, 0, 0, 0, 0}, torch::kDouble).view({2, 4});
  const auto logits = torch::zeros({2, 4}, torch::kDouble);  // the second row has no target and is skipped
  EXPECT_NEAR(soft_cross_entropy(logits, targets, 0).item<double>(), std::log(4.0), 1e-12);
  EXPECT_NEAR(soft_cross_entropy(logits, targets, 0.3).item<double>(), std::log(4.0), 1e-12);
  EXPECT_EQ(soft_cross_entropy(logits, torch::zeros({2, 4}, torch::kDouble), 0.3).item<double>(), 0);
}

TEST(CaptionTokens, TheLowestValueIsTheTargetsEntropy) {
  const auto targets = torch::tensor(std::vector<double>{0.25, 0.75}, torch::kDouble).view({1, 2});
  const double entropy = -(0.25 * std::log(0.25) + 0.75 * std::log(0.75));
  EXPECT_NEAR(soft_cross_entropy(targets.log(), targets, 0).item<double>(), entropy, 1e-12);
}

TEST(Gradients, InfoNceByFiniteDifferences) {
  const auto y = unit(random({6, 4}, 5));
  const auto scale = torch::tensor(1.2, torch::kDouble);
  for (const Positives positives : kAll) {
    const InfoNceOptions options{positives, 0.1, 0.6, 0.3};
    expect_gradient(
        [&](const torch::Tensor& x) {
          return info_nce(scaled_cosine(unit(x), y, scale), relatives(), options);
        },
        random({6, 4}, 6));
    expect_gradient(
        [&](const torch::Tensor& s) { return info_nce(scaled_cosine(y, y, s), relatives(), options); }, scale);
  }
}

TEST(Gradients, OthersByFiniteDifferences) {
  const auto logits = random({6, 6}, 7) * 3;
  expect_gradient([&](const torch::Tensor& l) { return sigmoid_loss(l, relatives().positives); }, logits);
  const auto labels = torch::tensor(std::vector<std::int64_t>{1, 1, 2, 2, 2, 3});
  expect_gradient([&](const torch::Tensor& x) { return supervised_contrast(unit(x), labels, 0.2); },
                  random({6, 4}, 8));
  const auto targets = piece_targets(torch::tensor(std::vector<std::int64_t>{0, 3, 5, 1, 5, 5}).view({6, 1}),
                                     torch::tensor(std::vector<double>{1, 2, 1, 3, 1, 0}, torch::kDouble));
  expect_gradient([&](const torch::Tensor& l) { return soft_cross_entropy(l, targets, 0.1); }, logits);
}

// No step may drive two rows that share concept, picture or caption apart: the loss never falls when their
// logit falls.
TEST(Gradients, DuplicatesAreNeverNegatives) {
  const auto relation = relatives();
  const auto duplicates = relation.positives.logical_and(relation.own.logical_not());
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const auto logits = (random({6, 6}, seed) * 10).requires_grad_(true);
    const auto pull = [&](const torch::Tensor& loss, const torch::Tensor& where) {
      return gradient(loss, logits).masked_select(where);
    };
    EXPECT_LE(pull(info_nce(logits, relation, {Positives::each}), duplicates).max().item<double>(), 0) << seed;
    EXPECT_EQ(pull(info_nce(logits, relation, {Positives::mask}), duplicates).abs().max().item<double>(), 0)
        << seed;
    EXPECT_LE(pull(sigmoid_loss(logits, relation.positives), duplicates).max().item<double>(), 0) << seed;
    for (const Positives positives : kAll) {
      const auto push = pull(info_nce(logits, relation, {positives}), relation.positives.logical_not());
      EXPECT_GE(push.min().item<double>(), 0) << seed;
    }
  }
  // "average" attracts a duplicate that lies no nearer than its even share.
  const auto level = torch::zeros({6, 6}, torch::kDouble).requires_grad_(true);
  EXPECT_LT(gradient(info_nce(level, relation, {Positives::average}), level)
                .masked_select(duplicates)
                .max()
                .item<double>(),
            0);
}

TEST(Invariance, TheOrderOfRowsDoesNotMatter) {
  const auto relation = relatives();
  const auto order =
      at::randperm(6, at::make_generator<at::CPUGeneratorImpl>(9), torch::TensorOptions(torch::kLong));
  const auto shuffled = [&](const torch::Tensor& t) { return t.index_select(0, order).index_select(1, order); };
  const auto logits = random({6, 6}, 10) * 4;
  const Relation moved{shuffled(relation.positives), shuffled(relation.own)};
  for (const Positives positives : kAll) {
    EXPECT_NEAR(info_nce(logits, relation, {positives, 0.1}).item<double>(),
                info_nce(shuffled(logits), moved, {positives, 0.1}).item<double>(), 1e-12);
  }
  EXPECT_NEAR(sigmoid_loss(logits, relation.positives).item<double>(),
              sigmoid_loss(shuffled(logits), moved.positives).item<double>(), 1e-12);
  const auto x = unit(random({6, 4}, 11));
  const auto labels = torch::tensor(std::vector<std::int64_t>{1, 1, 2, 2, 2, 3});
  EXPECT_NEAR(supervised_contrast(x, labels, 0.1).item<double>(),
              supervised_contrast(x.index_select(0, order), labels.index_select(0, order), 0.1).item<double>(),
              1e-12);
}

TEST(Invariance, SidesAreExchangedByTransposing) {
  const auto relation = relatives();
  const auto logits = random({6, 6}, 12) * 4;
  for (const Positives positives : kAll) {
    EXPECT_NEAR(info_nce(logits, relation, {positives, 0, 0.8, 0.1}).item<double>(),
                info_nce(logits.t(), relation.transposed(), {positives, 0, 0.1, 0.8}).item<double>(), 1e-12);
  }
}

TEST(Relate, SameConceptPictureOrCaption) {
  const auto positives = relatives().positives;
  for (std::int64_t i = 0; i < 6; ++i) {
    for (std::int64_t j = 0; j < 6; ++j) {
      EXPECT_EQ(positives[i][j].item<bool>(), i % 3 == j % 3) << i << " " << j;
    }
  }
}

TEST(Relate, CopiesFollowTheirRow) {
  const auto ids = at::arange(3, torch::kLong);
  const auto relation = relate(batch_of(ids, ids, ids), 2);
  EXPECT_EQ(relation.positives.sizes(), (std::vector<std::int64_t>{6, 3}));
  for (std::int64_t i = 0; i < 6; ++i) {
    for (std::int64_t j = 0; j < 3; ++j) {
      EXPECT_EQ(relation.positives[i][j].item<bool>(), i % 3 == j);
      EXPECT_EQ(relation.own[i][j].item<bool>(), i % 3 == j);
    }
  }
}

TEST(TopOneShare, CountsRowsWhoseBestIsMarked) {
  const auto scores = torch::tensor(std::vector<float>{3, 1, 2, 0, 5, 1}).view({2, 3});
  auto marked = torch::zeros({2, 3}, torch::kBool);
  marked[0][0].fill_(true);
  marked[1][2].fill_(true);
  EXPECT_EQ(top_one_share(scores, marked).item<double>(), 0.5);
}

}  // namespace
}  // namespace duet
