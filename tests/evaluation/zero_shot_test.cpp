#include "evaluation/zero_shot.h"

#include <gmock/gmock.h>

#include <cmath>
#include <set>

#include "core/files.h"
#include "core/format.h"
#include "tests/support/failure.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// A stored model of one projection and one ridge space, beside which the sum is done by hand.
class ClassVectors : public testing::Test {
 protected:
  torch::Tensor vectors(const std::vector<ClassNames>& classes, const fs::path& cache = {}) const {
    return class_vectors(names(classes, cache));
  }
  NameVectors names(const std::vector<ClassNames>& classes, const fs::path& cache = {}) const {
    return name_vectors(setting_, saved_, classes, templates_, cache);
  }
  // Each text embedded by itself: no other one lengthens its row.
  torch::Tensor unit_mean(const std::vector<std::string>& texts) const {
    auto mean = torch::zeros({saved_.model->retrieval_dimension()}, torch::kDouble);
    for (const std::string& text : texts) {
      const auto row = embed_texts(setting_, {text})[0].to(torch::kDouble);
      mean += row / std::sqrt(row.square().sum().item<double>());
    }
    return mean / std::sqrt(mean.square().sum().item<double>());
  }
  static std::vector<fs::path> files_of(const fs::path& folder) {
    std::vector<fs::path> files;
    if (fs::exists(folder))
      for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
    return files;
  }

  SavedModel saved_ = load_saved_model(fs::path(DUET_RUN_GOLDEN) / "run-v1", "best", "cpu");
  EmbedSetting setting_ = embed_setting_of(saved_);
  std::vector<std::string> templates_ = {"{}", "a big {} at the left", "{} or {}"};
  const std::vector<ClassNames> classes_ = {{"warm", {"red", "orange star"}}, {"cold", {"blue"}}};
};

double largest_gap(const torch::Tensor& a, const torch::Tensor& b) {
  return (a.to(torch::kDouble) - b.to(torch::kDouble)).abs().max().item<double>();
}

TEST_F(ClassVectors, OfANameAreTheUnitMeanOfUnitVectors) {
  const NameVectors computed = names(classes_);
  ASSERT_EQ(computed.vectors.sizes(), (std::vector<std::int64_t>{3, saved_.model->retrieval_dimension()}));
  EXPECT_TRUE(computed.classes.equal(torch::tensor({0, 0, 1}, torch::kLong)));
  const auto red = unit_mean({"red", "a big red at the left", "red or red"});
  const auto star = unit_mean({"orange star", "a big orange star at the left", "orange star or orange star"});
  const auto blue = unit_mean({"blue", "a big blue at the left", "blue or blue"});
  EXPECT_LT(largest_gap(computed.vectors[0], red), 2e-6);
  EXPECT_LT(largest_gap(computed.vectors[1], star), 2e-6);
  EXPECT_LT(largest_gap(computed.vectors[2], blue), 2e-6);
  EXPECT_GT(largest_gap(computed.vectors[0], computed.vectors[1]), 0.01);

  const torch::Tensor classes = class_vectors(computed);
  const auto warm = red + star;
  EXPECT_LT(largest_gap(classes[0], warm / std::sqrt(warm.square().sum().item<double>())), 2e-6);
  EXPECT_LT(largest_gap(classes[1], blue), 2e-6);
}

TEST_F(ClassVectors, OfOneNameEachAreTheNames) {
  const NameVectors computed = names({{"warm", {"red"}}, {"cold", {"blue"}}});
  EXPECT_TRUE(class_vectors(computed).equal(computed.vectors));
}

TEST_F(ClassVectors, OfATextTowerAloneAreItsFeatures) {
  ModelSpec spec = saved_.recipe.model;
  spec.image = {};
  spec.spaces.clear();
  const auto alone = std::make_shared<Model>(spec, saved_.texts().vocabulary(), 1);
  alone->eval();
  setting_.model = alone.get();
  templates_ = {"{}"};
  const torch::Tensor features = text_features(setting_, {"red", "blue"});
  const torch::Tensor units = features / features.norm(2, {1}, true);
  EXPECT_LT(largest_gap(names({{"warm", {"red"}}, {"cold", {"blue"}}}).vectors, units), 2e-6);
  EXPECT_LT(largest_gap(rows_beside_names(features, {}), units), 1e-6);
  EXPECT_TRUE(rows_beside_names(features, units.narrow(1, 0, 3)).equal(units.narrow(1, 0, 3)));
}

// Else a class that a word is given twice for would lean towards it, and an unknown word would be an
// alternative.
TEST_F(ClassVectors, ANameCountsOnceAndAnUnknownOneNotBesideAKnownOne) {
  const NameVectors plain = names(classes_);
  const NameVectors more = names({{"warm", {"red", "orange star", "red", "\u8d64\u3044"}}, {"cold", {"blue"}}});
  EXPECT_TRUE(more.vectors.equal(plain.vectors));
  EXPECT_TRUE(more.classes.equal(plain.classes));
  EXPECT_THAT(more.names, testing::ElementsAre("red", "orange star", "blue"));
}

TEST_F(ClassVectors, NamesAreKeptBesideTheirVectors) {
  const TemporaryFolder folder;
  const std::vector<ClassNames> given = {{"warm", {"red", "\u8d64\u3044", "orange star"}}, {"cold", {"blue"}}};
  for (int time = 0; time < 2; ++time)  // computed, then read
    EXPECT_THAT(names(given, folder.path()).names, testing::ElementsAre("red", "orange star", "blue"));
}

torch::Tensor waves(std::int64_t rows, std::int64_t columns, double step) {
  const auto values = (torch::arange(rows * columns, torch::kDouble).view({rows, columns}) * step).sin();
  return (values / values.norm(2, {1}, true)).to(torch::kFloat);
}

TEST(NameLogits, OfOneNameEachAreTheCosinesTimesTheScale) {
  const auto rows = waves(7, 5, 12.9898), classes = waves(4, 5, 3.7);
  EXPECT_TRUE(name_logits(rows, one_name_each(classes), 33).equal(rows.matmul(classes.t()) * 33.0));
}

TEST(NameLogits, OfSeveralNamesAreThoseOfAlternatives) {
  const auto rows = torch::tensor({{1.F, 0.F}, {0.F, 1.F}});
  const NameVectors names{torch::tensor({{1.F, 0.F}, {0.F, 1.F}, {.6F, .8F}}),
                          torch::tensor({0, 0, 1}, torch::kLong)};
  const auto logits = name_logits(rows, names, 10);
  const double either = std::log((std::exp(10.) + 1) / 2);
  EXPECT_LT(largest_gap(logits, torch::tensor({{either, 6.}, {either, 8.}})), 1e-5);
  // As sharp as CLIP's scale gets, and beyond: no exp of it overflows.
  EXPECT_LT(largest_gap(name_logits(rows, names, 1000),
                        torch::tensor({{1000 - std::log(2.), 600.}, {1000 - std::log(2.), 800.}})),
            1e-3);
}

TEST(NameLogits, ARepeatedNameChangesNothing) {
  const auto rows = waves(7, 5, 12.9898), vectors = waves(3, 5, 3.7);
  const auto logits = name_logits(rows, {vectors, torch::tensor({0, 0, 1}, torch::kLong)}, 20);
  const auto twice = torch::tensor({0, 1, 0, 1, 2, 2, 2}, torch::kLong);
  const NameVectors repeated{vectors.index_select(0, twice),
                             torch::tensor({0, 0, 0, 0, 1, 1, 1}, torch::kLong)};
  EXPECT_LT(largest_gap(name_logits(rows, repeated, 20), logits), 1e-5);
}

TEST(NameLogits, ColumnsAreTheClassesInTheirOrder) {
  const auto rows = waves(7, 5, 12.9898), vectors = waves(5, 5, 3.7);
  const auto logits = name_logits(rows, {vectors, torch::tensor({0, 0, 1, 2, 2}, torch::kLong)}, 20);
  ASSERT_EQ(logits.sizes(), (std::vector<std::int64_t>{7, 3}));
  const auto turned = vectors.index_select(0, torch::tensor({3, 4, 2, 0, 1}, torch::kLong));
  const auto others = name_logits(rows, {turned, torch::tensor({0, 0, 1, 2, 2}, torch::kLong)}, 20);
  EXPECT_LT(largest_gap(others.flip(1), logits), 1e-5);
  EXPECT_GT(largest_gap(others, logits), .1);
  const auto middle = (rows.matmul(vectors.t()) * 20.0).select(1, 2);
  EXPECT_LT(largest_gap(logits.select(1, 1), middle), 1e-5);
}

TEST_F(ClassVectors, DoNotDependOnTheBatch) {
  const torch::Tensor whole = vectors(classes_);
  setting_.batch = 1;
  EXPECT_LT((vectors(classes_) - whole).abs().max().item<double>(), 1e-6);
}

TEST_F(ClassVectors, AreKeptByAllThatTheyFollowFrom) {
  const TemporaryFolder folder;
  const fs::path cache = folder / "cache";
  const torch::Tensor computed = vectors(classes_, cache);
  ASSERT_EQ(files_of(cache).size(), 1u);
  // A hit computes nothing: of an emptied model the kept ones come all the same.
  const auto table = saved_.model->text->token_table();
  const torch::Tensor before = table.detach().clone();
  {
    const torch::NoGradGuard no_grad;
    table.zero_();
  }
  EXPECT_TRUE(vectors(classes_, cache).equal(computed));
  {
    const torch::NoGradGuard no_grad;
    table.copy_(before);
  }
  auto renamed = classes_;
  renamed[1].names = {"cyan"};
  EXPECT_FALSE(vectors(renamed, cache).equal(computed));
  EXPECT_EQ(files_of(cache).size(), 2u);
  templates_.pop_back();
  EXPECT_FALSE(vectors(classes_, cache).equal(computed));
  EXPECT_EQ(files_of(cache).size(), 3u);
  saved_.identity[0] = saved_.identity[0] == '0' ? '1' : '0';
  vectors(classes_, cache);
  EXPECT_EQ(files_of(cache).size(), 4u);
}

TEST_F(ClassVectors, DamagedOnesAreComputedAnew) {
  const TemporaryFolder folder;
  const fs::path cache = folder / "cache";
  const torch::Tensor computed = vectors(classes_, cache);
  const fs::path file = files_of(cache).at(0);
  const std::string whole = read_file(file);
  std::string flipped = whole;
  flipped.back() ^= 1;  // the last number's exponent: still a whole safetensors file
  for (const std::string& damaged : {flipped, whole.substr(0, whole.size() / 2), std::string()}) {
    write_file(file, damaged);
    EXPECT_TRUE(vectors(classes_, cache).equal(computed));
    EXPECT_EQ(read_file(file), whole);
  }
}

TEST_F(ClassVectors, WithoutAPlaceForThemAreComputed) {
  const TemporaryFolder folder;
  write_file(folder / "file", "");
  EXPECT_TRUE(vectors(classes_, folder / "file").equal(vectors(classes_)));
}

TEST_F(ClassVectors, OfAnUnknownNameAreWarnedOfAndRefusedWhereTheyAreZero) {
  const auto said = [&](const std::vector<ClassNames>& classes) {
    testing::internal::CaptureStderr();
    vectors(classes);
    return testing::internal::GetCapturedStderr();
  };
  const ClassNames warm = {"warm", {"red"}}, foreign = {"foreign", {"\u8d64\u3044"}};
  EXPECT_THAT(said({warm, foreign}), HasSubstr("had a word of 1 of 2 classes: 'foreign'"));
  EXPECT_EQ(said({warm, {"both", {"\u8d64\u3044", "blue"}}}), "");
  EXPECT_THAT(said({warm, {"cold", {"blue"}}, {"heat", {"green", "red"}}}),
              HasSubstr("nothing tells classes of the same name apart: 'warm' and 'heat' (red)"));
  saved_.model->set_weights({0, 1});  // ridge alone: a sum of pieces, of which a word's begin is one
  const torch::NoGradGuard no_grad;
  const auto& parts = dynamic_cast<PieceSpace&>(saved_.model->space("parts"));
  for (const std::int64_t id : saved_.texts().encode("\u8d64\u3044")) parts.table()[id].zero_();
  EXPECT_THAT(said({warm, foreign}), HasSubstr("'foreign'"));
  templates_ = {"{}"};
  const Failure failure = failure_of([&] { vectors({warm, foreign}); });
  EXPECT_EQ(failure.exit, Exit::data);
  EXPECT_THAT(failure.text, AllOf(HasSubstr("class 'foreign'"), HasSubstr("knows nothing of its name")));
}

// A byte of it may be one of another character.
TEST_F(ClassVectors, OfANameInBytesAreKnownWhenAllItsBytesAre) {
  const std::string foreign = "\u8d64";
  const std::vector<std::int64_t> ids = saved_.texts().encode(foreign);
  ASSERT_EQ(std::ranges::count_if(ids, [&](auto id) { return saved_.texts().piece(id).starts_with("<0x"); }),
            3);
  const torch::NoGradGuard no_grad;
  const auto table = saved_.model->text->token_table();
  for (const std::int64_t id : ids) table[id].fill_(1);
  EXPECT_TRUE(KnownPieces(setting_).in(foreign));
  EXPECT_FALSE(KnownPieces(setting_).in(" "));
  for (const std::int64_t id : {ids.end()[-1], ids.end()[-2], ids.end()[-3]}) {
    table[id].zero_();
    EXPECT_FALSE(KnownPieces(setting_).in(foreign)) << id;
    EXPECT_TRUE(KnownPieces(setting_).in(cat(foreign, " red"))) << id;
  }
}

TEST_F(ClassVectors, OfNamesThatDifferBehindTheContextAreWarnedOf) {
  const auto said = [&](const std::vector<ClassNames>& classes) {
    testing::internal::CaptureStderr();
    vectors(classes);
    return testing::internal::GetCapturedStderr();
  };
  const auto times = [](int count, const std::string& text) {
    std::string all;
    for (int i = 0; i < count; ++i) all += text;
    return all;
  };
  const std::string context = std::to_string(setting_.text_format.context);
  const ClassNames warm = {"warm", {times(40, "red ") + "star"}}, cold = {"cold", {"green", times(40, "red ")}};
  templates_ = {"{}", "a {}"};
  EXPECT_THAT(said({warm, cold, {"blue", {"blue"}}}),
              AllOf(HasSubstr(cat("reads ", context, " tokens")), HasSubstr("'warm' and 'cold' (red red"),
                    testing::Not(HasSubstr("'blue'"))));
  EXPECT_EQ(said({{"both", {warm.names[0], cold.names[1]}}, {"blue", {"blue"}}}), "");
  templates_ = {times(40, "red ") + "{}", "{} " + times(40, "red ")};
  EXPECT_EQ(said(classes_), "");  // the second template tells them
  templates_.pop_back();
  std::vector<ClassNames> many;
  for (const char* name : {"red", "blue", "green", "star", "heart", "cat", "dog", "a", "b", "c", "d", "e", "f"})
    many.push_back({name, {name}});
  many[1].names.push_back("cyan");  // by which 'blue' is not named again
  const std::string warning = said(many);
  EXPECT_THAT(warning,
              AllOf(HasSubstr("in 'red red"), HasSubstr("'red' and 'blue' (blue), 'red' and 'green', "),
                    HasSubstr("'red' and 'd' ...")));
  EXPECT_EQ(warning.find("tells classes apart"), warning.rfind("tells classes apart"));
}

TEST_F(ClassVectors, ScaleIsThatOfTheSpacesThatHaveOne) {
  const torch::NoGradGuard no_grad;
  Model& model = *saved_.model;
  model.space("joint").logit_scale.fill_(std::log(20.));
  EXPECT_NEAR(logit_scale_of(model), 20, 1e-5);  // ridge has none
  model.set_weights({0, 1});
  EXPECT_NEAR(logit_scale_of(model), 1 / 0.07, 1e-9);
}

double loss_at(double scale, const torch::Tensor& logits, const torch::Tensor& labels) {
  const auto log_p = (logits.to(torch::kDouble) * scale).log_softmax(1);
  const double n = static_cast<double>(logits.size(0)), c = static_cast<double>(logits.size(1));
  const auto targets =
      torch::full_like(log_p, 1 / (n + 2) / (c - 1)).scatter(1, labels.unsqueeze(1), (n + 1) / (n + 2));
  return -(targets * log_p).sum(1).mean().item<double>();
}

TEST(CalibratedScale, OfTwoClassesIsTheLogitOfTheShareThatIsRight) {
  // 30 of 40 items of class 1, by whose logit of .2 more each is called so: exp(.2 t) = 3.
  const auto logits = torch::tensor({0.1, 0.3}).repeat({40, 1});
  auto labels = torch::ones({40}, torch::kLong);
  labels.slice(0, 0, 10).fill_(0);
  const double share = (30 * 41. + 10 * 1.) / (40 * 42.);  // of 40 items each is sure by 41/42
  const double logit = std::log(share / (1 - share));
  EXPECT_NEAR(calibrated_scale(logits, labels), logit / 0.2, 1e-6);
  EXPECT_NEAR(calibrated_scale(logits * 50 - 7, labels), logit / 10, 1e-7);
}

TEST(CalibratedScale, IsTheBestOfAGrid) {
  const auto place = torch::arange(600, torch::kDouble).view({120, 5});
  const auto logits = (place * 12.9898).sin() * 0.3;  // fixed, of no pattern
  auto labels = logits.argmax(1);
  for (std::int64_t i = 0; i < 120; i += 3) labels[i] = (i * 7) % 5;
  const double scale = calibrated_scale(logits.to(torch::kFloat), labels);
  const double best = loss_at(scale, logits, labels);
  double grid_best = 1e9, at = 0;
  for (double t = 0.1; t < 200; t *= 1.01) {
    const double loss = loss_at(t, logits, labels);
    if (loss < grid_best) grid_best = loss, at = t;
  }
  EXPECT_LE(best, grid_best + 1e-9);
  EXPECT_NEAR(scale / at, 1, 0.011);
}

TEST(CalibratedScale, StaysFiniteWhereThereIsNoBest) {
  const auto logits = torch::tensor({{0.2, 0.1}, {0.1, 0.2}});
  const double sharp = calibrated_scale(logits, torch::tensor({0, 1}, torch::kLong));
  const double flat = calibrated_scale(logits, torch::tensor({1, 0}, torch::kLong));
  EXPECT_NEAR(sharp, std::log(3.) / 0.1, 1e-4);  // both right: sure by 3/4
  EXPECT_NEAR(flat, 1e-2, 1e-5);
  EXPECT_EQ(calibrated_scale(torch::ones({3, 2}), torch::zeros({3}, torch::kLong)), 1);
}

}  // namespace
}  // namespace duet
