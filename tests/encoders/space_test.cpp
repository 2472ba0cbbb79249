#include "encoders/space.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "encoders/blocks.h"
#include "encoders/pixel_features.h"
#include "towers.h"

namespace duet {
namespace {

const SpaceSetting kSetting{.image_width = 6, .text_width = 5, .vocabulary = 12};

std::vector<SpaceSpec> specs(const std::string& toml) {
  Config config = Config::parse(toml, "test.toml");
  auto read = read_spaces(config);
  config.finish();
  return read;
}

template <class Kind = Space>
std::shared_ptr<Kind> space_of(const std::string& toml) {
  return std::dynamic_pointer_cast<Kind>(specs(toml).at(0).make(Init(1) / "spaces", kSetting));
}

TEST(Spaces, DefaultIsOneProjection) {
  const auto read = specs("");
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read[0].name, "joint");
  EXPECT_EQ(read[0].kind, "projection");
  const auto space = read[0].make(Init(1), kSetting);
  EXPECT_EQ(space->dimension(), 256);
  EXPECT_NEAR(space->logit_scale.item<double>(), 2.6593, 1e-4);  // ln(1 / .07)
  EXPECT_EQ(space->logit_bias.item<double>(), 0);
}

TEST(Spaces, WeightIsANumberOrAuto) {
  EXPECT_EQ(specs("[[space]]\nweight = 2\n")[0].weight, 2);
  EXPECT_TRUE(specs("[[space]]\nweight = \"auto\"\n")[0].auto_weight);
  EXPECT_FALSE(specs("[[space]]\n")[0].auto_weight);
}

TEST(Spaces, ErrorsNameWhatIsWrong) {
  const auto message_of = [](const std::string& toml) -> std::string {
    try {
      specs(toml);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(message_of("[[space]]\n[[space]]\n"), testing::HasSubstr("two spaces are called 'joint'"));
  EXPECT_THAT(message_of("[[space]]\nname = \"a.b\"\n"), testing::HasSubstr("test.toml:2"));
  EXPECT_THAT(message_of("[[space]]\nkind = \"ridgy\"\n"), testing::HasSubstr("ridge"));
  EXPECT_THAT(message_of("[[space]]\nweight = \"most\"\n"), testing::HasSubstr("auto"));
}

TEST(Spaces, LogitScaleIsClampedToOneAndHundred) {
  const auto space = space_of("[[space]]\n");
  torch::NoGradGuard no_grad;
  for (const auto& [from, to] : {std::pair{9., std::log(100.)}, {-3., 0.}, {2., 2.}}) {
    space->logit_scale.fill_(from);
    space->clamp_logit_scale();
    EXPECT_NEAR(space->logit_scale.item<double>(), to, 1e-6);
  }
}

TEST(Projection, IsALinearMapASide) {
  const auto space = space_of("[[space]]\ndimension = 4\n");
  torch::manual_seed(1);
  const auto image = at::randn({3, 6}), text = at::randn({3, 5});
  const auto state = state_of(*space);
  EXPECT_LT(distance(space->image(image), image.matmul(state.at("image.weight").t())), 1e-6);
  EXPECT_LT(distance(space->text(text, {}, {}), text.matmul(state.at("text.weight").t())), 1e-6);
}

TEST(Pieces, CaptionIsTheIdfWeightedSumOfDistinctPieces) {
  const auto space = space_of<PieceSpace>("[[space]]\nkind = \"pieces\"\ndimension = 4\n");
  space->set_idf(at::arange(12, torch::kFloat));
  const auto ids = torch::tensor({{3, 3, 7, 9}}), valid = valid_of({3}, 4);
  const auto table = space->table();
  EXPECT_LT(distance(space->text({}, ids, valid)[0], 3 * table[3] + 7 * table[7]), 1e-5);
  EXPECT_NEAR(space->logit_scale.item<double>(), std::log(16.), 1e-6);
  space->text({}, ids, valid).sum().backward();
  EXPECT_TRUE(table.grad().defined());
  EXPECT_TRUE(specs("[[space]]\nkind = \"pieces\"\n").at(0).trains);
}

class Ridge : public testing::Test {
 protected:
  std::shared_ptr<RidgeSpace> space_ = space_of<RidgeSpace>("[[space]]\nkind = \"ridge\"\nlambda = 0.5\n");
  torch::Tensor idf_ = torch::tensor({0.f, 1.f, 2.f, .5f, 1.5f, 1.f, 2.f, 1.f, 0.f, 0.f, 0.f, 0.f});
  std::vector<std::vector<std::int64_t>> ids_;
  torch::Tensor features_;
  void SetUp() override {
    space_->set_idf(idf_);
    torch::manual_seed(4);
    features_ = at::randn({30, 6}) * torch::tensor({1.f, 5.f, .1f, 1.f, 2.f, 1.f}) + 3;
    features_.select(1, 3).fill_(7);  // never varies
    for (std::int64_t n = 0; n < 30; ++n) ids_.push_back({1 + n % 7, 1 + n % 3, 1 + n % 3, 9});
  }
};

TEST_F(Ridge, SolvesTheNormalEquations) {
  space_->fit(features_, ids_);
  const auto x = unit(space_->image(features_)).to(torch::kDouble);
  auto y = at::zeros({30, 12}, torch::kDouble);
  for (std::int64_t n = 0; n < 30; ++n) {
    for (const std::int64_t id : ids_[n]) y[n][id] = idf_[id].to(torch::kDouble);
  }
  y = y / y.norm(2, {1}, true);
  const auto w = space_->table().to(torch::kDouble).t();
  const auto left = x.t().matmul(x).matmul(w) + .5 * w;
  EXPECT_LT(distance(left, x.t().matmul(y)), 1e-5);
  EXPECT_LT(space_->table().select(1, 3).abs().max().item<double>(), 1e-6);
  EXPECT_FALSE(specs("[[space]]\nkind = \"ridge\"\n").at(0).trains);
  EXPECT_TRUE(space_->parameters().empty());
  EXPECT_EQ(space_->dimension(), 6);
}

TEST_F(Ridge, ScoresAreThePredictedTfIdf) {
  space_->fit(features_, ids_);
  const auto ids = torch::tensor({{2, 5, 9}}), valid = valid_of({3}, 3);
  const auto score = space_->image(features_).matmul(space_->text({}, ids, valid).t());
  const auto expected =
      space_->image(features_)
          .matmul(space_->table().t())
          .matmul(at::zeros({12, 1}).index_put({torch::tensor({2, 5})}, torch::tensor({{2.f}, {1.f}})));
  EXPECT_LT(distance(score, expected), 1e-5);
}

TEST_F(Ridge, FindsThePicturesOfAPiece) {  // captions that the features tell apart are found again
  features_ = at::eye(6).repeat({5, 1}) + .01 * at::randn({30, 6});
  for (std::int64_t n = 0; n < 30; ++n) ids_[n] = {1 + n % 6};
  space_->fit(features_, ids_);
  const auto pieces = at::arange(1, 7).view({6, 1});
  const auto scores = unit(space_->text({}, pieces, at::ones_like(pieces, torch::kBool)))
                          .matmul(unit(space_->image(features_)).t());
  EXPECT_TRUE((scores.argmax(1).remainder(6)).equal(at::arange(6)));
}

// With all directions kept the cosine compares the caption's TF-IDF with the whole prediction.
TEST_F(Ridge, FullRankIsTheCosineOfThePrediction) {
  space_->fit(features_, ids_);
  const auto predicted = unit(space_->image(features_)).matmul(space_->table().t());  // [30, 12]
  const auto reduced = space_of<RidgeSpace>("[[space]]\nkind = \"ridge\"\nlambda = 0.5\nrank = 12\n");
  reduced->set_idf(idf_);
  reduced->fit(features_, ids_);
  EXPECT_EQ(reduced->dimension(), 12);
  const auto ids = torch::tensor({{2, 5, 9}}), valid = valid_of({3}, 3);
  const auto scores = unit(reduced->image(features_)).matmul(unit(reduced->text({}, ids, valid)).t());
  const auto caption = at::zeros({12, 1}).index_put({torch::tensor({2, 5})}, torch::tensor({{2.f}, {1.f}}));
  EXPECT_LT(distance(scores, unit(predicted).matmul(caption / caption.norm())), 1e-5);
}

// Y has rank 3 (ids 4 to 6 never occur): three directions lose nothing, and they are orthonormal.
TEST_F(Ridge, RankKeepsTheLeadingDirections) {
  for (std::int64_t n = 0; n < 30; ++n) ids_[n] = {1 + n % 3};
  const auto full = space_of<RidgeSpace>("[[space]]\nkind = \"ridge\"\nrank = 12\n");
  const auto reduced = space_of<RidgeSpace>("[[space]]\nkind = \"ridge\"\nrank = 3\n");
  for (const auto& space : {full, reduced}) {
    space->set_idf(idf_);
    space->fit(features_, ids_);
  }
  const auto scores = [&](RidgeSpace& space) { return space.image(features_).matmul(space.table().t()); };
  EXPECT_LT(distance(scores(*reduced), scores(*full)), 1e-5);
  const auto table = reduced->table();
  EXPECT_LT(distance(table.t().matmul(table), at::eye(3)), 1e-5);
}

TEST_F(Ridge, PixelsWeighAsMuchAsTheTower) {
  const auto space = space_of<RidgeSpace>("[[space]]\nkind = \"ridge\"\npixels = true\n");
  EXPECT_TRUE(space->sees_pixels());
  space->set_idf(idf_);
  const auto pixels = pixel_features(at::randint(256, {30, 3, 64, 64}));
  space->fit(at::cat({features_, pixels}, 1), ids_);
  const auto rows = space->image(at::cat({features_, pixels}, 1));
  EXPECT_EQ(rows.size(1), 6 + kPixelFeatures);
  EXPECT_LT(distance(rows.narrow(1, 0, 6).norm(2, {1}), at::ones({30})), 1e-5);
  EXPECT_LT(distance(rows.narrow(1, 6, kPixelFeatures).norm(2, {1}), at::ones({30})), 1e-5);
}

TEST_F(Ridge, CaptionsWithoutKnownPiecesAreZero) {
  space_->fit(features_, ids_);
  const auto ids = torch::tensor({{9, 10}});
  EXPECT_EQ(unit(space_->text({}, ids, valid_of({2}, 2))).abs().max().item<double>(), 0);
}

}  // namespace
}  // namespace duet
