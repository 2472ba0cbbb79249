// Objectives with momentum teachers: several steps against plain PyTorch (golden/make_teacher_objectives.py),
// and what must hold for each of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "core/format.h"
#include "golden_values.h"
#include "losses/objective.h"
#include "tiny_model.h"

namespace duet {
namespace {

using ::testing::AllOf;
using testing::GoldenValues;
using ::testing::HasSubstr;
using testing::tiny_batch;
using testing::tiny_model;

constexpr std::uint64_t kSeed = 21;
constexpr std::int64_t kSteps = 3;

const GoldenValues& golden() {
  static const GoldenValues values("teacher_objectives.safetensors");
  return values;
}

std::shared_ptr<Model> tiny_vit() {
  Config recipe = Config::parse(
      "[image]\nkind = \"vit\"\nsize = 16\npatch = 4\nwidth = 8\nlayers = 1\nheads = 2\nmlp_ratio = 1\n",
      "vit.toml");
  return std::make_shared<Model>(read_model(recipe), testing::kVocabulary, 1);
}

// An objective on a model, with the teachers that a trainer would own.
struct Taught {
  Taught(std::shared_ptr<Model> on, const std::string& table, std::int64_t batch_size = 4)
      : model(std::move(on)), teachers(*model) {
    const ObjectiveSpec spec = testing::read_objective(table, model->spec(), batch_size);
    needs = spec.needs;
    Setting setting;
    setting.model = model.get();
    setting.teachers = &teachers;
    setting.init = Init(1);
    objective = spec.make(setting);
  }
  void step(std::int64_t at) {
    const StepInfo info{.step = at, .steps = kSteps};
    teachers.update(info.progress());
    objective->after_step(info);
  }
  std::shared_ptr<Model> model;
  Teachers teachers;
  Needs needs;
  std::shared_ptr<Objective> objective;
};

void descend(const torch::nn::Module& module) {
  const torch::NoGradGuard no_grad;
  for (const auto& parameter : module.parameters()) {
    if (!parameter.grad().defined()) continue;
    parameter.sub_(parameter.grad(), 0.1);
    parameter.mutable_grad().reset();
  }
}

struct Case {
  std::string kind, variant, tower, keys;
  std::int64_t steps;
  int gradients, states;  // compared each step
};

Batch golden_batch(const Case& one) {
  Batch batch;
  const auto view = [&](const std::string& name, const std::string& pictures) {
    batch.views[name] = golden().at("batch/" + pictures).contiguous(at::MemoryFormat::ChannelsLast);
  };
  view("main", one.tower == "vit" ? "large" : "pictures");
  view("local", "small");
  batch.rows = {0, 1, 2, 3};
  batch.image_id = batch.caption_id = batch.concept_id = golden().at("batch/ids");
  batch.tokens = torch::zeros({4, 1}, torch::kLong);
  return batch;
}

int expect_states(const TensorMap& tensors, const std::string& where) {
  int compared = 0;
  for (const auto& [name, tensor] : tensors) {
    if (!golden().contains(where + name)) continue;
    EXPECT_TRUE(torch::allclose(tensor, golden().at(where + name), 1e-5, 1e-5)) << where << name;
    ++compared;
  }
  return compared;
}

class TeacherObjective : public ::testing::TestWithParam<Case> {};

TEST_P(TeacherObjective, EqualsPlainPyTorchOverSeveralSteps) {
  const Case& one = GetParam();
  const auto model = one.tower == "vit" ? tiny_vit() : tiny_model();
  golden().set(*model, one.tower + "/", "");
  Taught taught(model, cat("kind = \"", one.kind, "\"\nview = \"main\"\n", one.keys));
  golden().set(*taught.objective, one.variant + "/start/", "objective.");
  for (const auto& item : taught.objective->named_buffers()) {
    const std::string start = one.variant + "/start/objective." + item.key();
    if (golden().contains(start)) item.value().copy_(golden().at(start));
  }
  for (std::int64_t step = 0; step < one.steps; ++step) {
    const std::string at = cat(one.variant, "/", step);
    EncodedBatch batch(*model, golden_batch(one), {});
    torch::manual_seed(kSeed + static_cast<std::uint64_t>(step));
    const LossTerms terms = taught.objective->compute(batch, {.step = step, .steps = kSteps});
    EXPECT_NEAR(terms.loss.item<double>(), golden().at(at + "/loss").item<double>(), 1e-5) << at;
    terms.loss.backward();
    const int frozen = step == 0 && golden().contains(one.variant + "/start/objective.head.centre") ? 1 : 0;
    EXPECT_EQ(golden().expect_gradients(*model, at, "") +
                  golden().expect_gradients(*taught.objective, at, "objective."),
              one.gradients - frozen);
    descend(*model);
    descend(*taught.objective);
    taught.step(step);
    TensorMap states = taught.teachers.tensors();
    for (const auto& [name, tensor] : tensors_of(*taught.objective)) states["objective." + name] = tensor;
    EXPECT_EQ(expect_states(states, at + "/after/"), one.states) << at;
  }
}

const std::string kHead = "head_hidden = 6\nhead_dimension = 5\n";
const std::string kPrototypes =
    "momentum = [0.7, 1]\nhead_hidden = 6\nhead_dimension = 4\nprototypes = 7\ntemperature = 0.3\n"
    "teacher_temperature = [0.2, 0.4]\ntemperature_warmup = 0.5\nfreeze_prototypes = 0.3\n";

INSTANTIATE_TEST_SUITE_P(
    Kinds, TeacherObjective,
    ::testing::Values(
        Case{"moco", "moco", "tiny", "queue = 8\nsymmetric = false\nmomentum = 0.8\n" + kHead, 3, 8, 11},
        Case{"moco", "moco_in_batch", "tiny", "queue = 0\ntemperature = 0.5\nmomentum = 0.8\n" + kHead, 1, 8,
             0},
        Case{"byol", "byol", "tiny", "momentum = [0.7, 1]\n" + kHead, 3, 14, 8},
        Case{"byol", "byol_plain", "tiny", "centre = false\nmomentum = [0.7, 1]\n" + kHead, 1, 14, 0},
        Case{"self_distillation", "self_distillation", "tiny", kPrototypes, 3, 13, 14},
        Case{"masked_feature", "masked_block", "vit", kPrototypes, 3, 31, 31},
        Case{"masked_feature", "masked_random", "vit", "mask = \"random\"\n" + kPrototypes, 1, 31, 0}),
    [](const auto& one) { return one.param.variant; });

struct Kind {
  std::string label, name, keys;
  int passes;
  std::string table() const { return cat("kind = \"", name, "\"\nview = \"main\"\n", keys); }
};

class TaughtKind : public ::testing::TestWithParam<Kind> {
 protected:
  static std::shared_ptr<Model> model() {
    return GetParam().name == "masked_feature" ? tiny_vit() : tiny_model();
  }
  // Two copies of each picture, of the tower's size.
  static Batch batch() {
    Batch made = tiny_batch(4, 3, 2);
    made.views["local"] = made.views["main"].slice(2, 0, 4).slice(3, 0, 4).contiguous();
    if (GetParam().name == "masked_feature")
      made.views["main"] = made.views["main"].repeat_interleave(2, 2).repeat_interleave(2, 3);
    return made;
  }
};

TEST_P(TaughtKind, GivesNoGradientToTeachersAndTwins) {
  Taught taught(model(), GetParam().table());
  EncodedBatch encoded(*taught.model, batch(), {});
  const LossTerms terms = taught.objective->compute(encoded, {.step = 1, .steps = kSteps});
  EXPECT_EQ(terms.loss.scalar_type(), torch::kFloat);
  terms.loss.backward();
  for (const auto& [name, value] : terms.metrics) EXPECT_FALSE(value.requires_grad()) << name;
  for (const auto& [name, tensor] : taught.teachers.tensors()) EXPECT_FALSE(tensor.requires_grad()) << name;
  int twins = 0, heads = 0;
  for (const auto& item : taught.objective->named_parameters()) {
    const bool follows = item.key().starts_with("twin.") || item.key().starts_with("head.teacher.");
    (follows ? twins : heads) += 1;
    EXPECT_EQ(item.value().requires_grad(), !follows) << item.key();
    EXPECT_NE(item.value().grad().defined(), follows) << item.key();
  }
  EXPECT_GT(twins, 0);
  EXPECT_GE(heads, twins);
}

TEST_P(TaughtKind, CountsItsPasses) {
  Taught taught(model(), GetParam().table());
  EncodedBatch encoded(*taught.model, batch(), {});
  taught.objective->compute(encoded, {});
  EXPECT_EQ(encoded.encoder_passes(), GetParam().passes);
}

// Held-out pairs are judged between two steps: neither queue nor centre may learn of them.
TEST_P(TaughtKind, JudgingChangesNothing) {
  Taught taught(model(), GetParam().table()), judged(model(), GetParam().table());
  for (Taught* each : {&taught, &judged}) {
    EncodedBatch encoded(*each->model, batch(), {});
    torch::manual_seed(1);
    each->objective->compute(encoded, {});
    if (each == &judged) {
      each->step(0);
      const torch::NoGradGuard no_grad;
      each->model->eval();
      each->objective->eval();
      EncodedBatch held_out(*each->model, batch(), {});
      each->objective->compute(held_out, {});
      each->objective->train();
      each->model->train();
    } else {
      each->step(0);
    }
    each->step(1);
  }
  const TensorMap a = tensors_of(*taught.objective), b = tensors_of(*judged.objective);
  for (const auto& [name, tensor] : a) EXPECT_TRUE(torch::equal(tensor, b.at(name))) << name;
}

TEST_P(TaughtKind, AsksForWhatItReads) {
  Taught taught(model(), GetParam().table());
  const Needs& needs = taught.needs;
  EXPECT_EQ(needs.views.front(), "main");
  const bool on_patches = GetParam().name == "masked_feature";
  EXPECT_EQ(needs.copies, on_patches ? 1 : 2);
  EXPECT_EQ(needs.patches, on_patches);
  EXPECT_EQ(needs.pooled_only(), !on_patches);
}

std::string label(const ::testing::TestParamInfo<Kind>& kind) { return kind.param.label; }

const std::string kSmall = "head_hidden = 8\nhead_dimension = 4\n";
const std::string kSixteen = kSmall + "prototypes = 16\nfreeze_prototypes = 0\n";
const std::vector<Kind> kPooled = {{"moco", "moco", kSmall + "queue = 8\n", 2},
                                   {"moco_in_batch", "moco", kSmall + "queue = 0\n", 2},
                                   {"byol", "byol", kSmall, 2},
                                   {"self_distillation", "self_distillation", kSixteen, 3}};
INSTANTIATE_TEST_SUITE_P(Pooled, TaughtKind, ::testing::ValuesIn(kPooled), label);
INSTANTIATE_TEST_SUITE_P(Patches, TaughtKind,
                         ::testing::Values(Kind{"masked_feature", "masked_feature", kSixteen, 2}), label);

class PooledTaughtKind : public TaughtKind {};

TEST_P(PooledTaughtKind, AccumulatesTheBigBatchsGradients) {
  Taught whole(model(), GetParam().table()), chunks(model(), GetParam().table());
  for (const auto& [taught, micro_batch] : {std::pair{&whole, 0}, {&chunks, 3}}) {
    EncodedBatch encoded(*taught->model, batch(), {.micro_batch = micro_batch});
    taught->objective->compute(encoded, {.step = 1, .steps = kSteps}).loss.backward();
    encoded.backward_through_encoders();
  }
  for (const auto& [a, b] :
       {std::pair<torch::nn::Module&, torch::nn::Module&>{*whole.model->image, *chunks.model->image},
        {*whole.objective, *chunks.objective}}) {
    const auto other = b.named_parameters();
    for (const auto& item : a.named_parameters()) {
      if (!item.value().requires_grad()) continue;
      EXPECT_LT(testing::relative_distance(item.value().grad(), other[item.key()].grad()), 1e-5) << item.key();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, PooledTaughtKind, ::testing::ValuesIn(kPooled), label);

std::string refusal(const std::string& table, std::int64_t batch_size = 16) {
  try {
    Taught taught(tiny_model(), table, batch_size);
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::usage);
    return error.what();
  }
  return "no error";
}

TEST(TeacherKinds, RefuseWhatCannotBe) {
  EXPECT_THAT(refusal("kind = \"moco\"\nqueue = 100\n"),
              AllOf(HasSubstr("r.toml:3"), HasSubstr("queue of 100"), HasSubstr("96 or 112")));
  EXPECT_THAT(refusal("kind = \"self_distillation\"\nview = \"local\"\n"),
              AllOf(HasSubstr("r.toml:"), HasSubstr("small crops"), HasSubstr("\"\"")));
  EXPECT_THAT(refusal("kind = \"byol\"\nmomentum = [1, 2]\n"), HasSubstr("r.toml:3"));
  EXPECT_THAT(refusal("kind = \"masked_feature\"\nteacher_temperature = [1, 2, 3]\n"),
              AllOf(HasSubstr("r.toml:3"), HasSubstr("[start, end]")));
  EXPECT_THAT(refusal("kind = \"masked_feature\"\nmask = \"blur\"\n"),
              AllOf(HasSubstr("r.toml:3"), HasSubstr("block"), HasSubstr("random")));
}

// Of no negatives the first is chosen: nothing to learn, and no NaN.
TEST(MoCo, AnEmptyQueueCostsNothing) {
  Taught taught(tiny_model(), "kind = \"moco\"\nqueue = 8\n");
  Batch pairs = tiny_batch(4, 3, 2);
  pairs.views["moco"] = pairs.views["main"];
  EncodedBatch encoded(*taught.model, pairs, {});
  const auto loss = taught.objective->compute(encoded, {}).loss;
  EXPECT_EQ(loss.item<double>(), 0);
  loss.backward();
  EXPECT_EQ(taught.model->image->parameters()[0].grad().abs().max().item<double>(), 0);
}

// With all features alike every key is as near as the own one: ln(1 + negatives), rows 2 and 3 being one
// picture.
TEST(MoCo, IsLnOfTheNumberOfKeysWhenAllAreAlike) {
  Taught taught(tiny_model(), "kind = \"moco\"\nview = \"main\"\nqueue = 0\n");
  EncodedBatch encoded(*taught.model, tiny_batch(4, 3, 2), {});
  const torch::NoGradGuard no_grad;
  for (const auto& item : taught.objective->named_parameters()) {
    if (item.key().ends_with("linear1.weight")) item.value().zero_();
    if (item.key().ends_with("linear1.bias")) item.value().fill_(1);
  }
  const double expected = (2 * std::log(4) + 2 * std::log(3)) / 4;
  EXPECT_NEAR(taught.objective->compute(encoded, {}).loss.item<double>(), expected, 1e-5);
}

// 0 where every prediction is its target, 4 at right angles, 8 where they are opposite.
TEST(Byol, IsTheDistanceOfUnitVectorsBothWays) {
  Taught taught(tiny_model(), "kind = \"byol\"\nview = \"main\"\nhead_dimension = 2\ncentre = false\n");
  EncodedBatch encoded(*taught.model, tiny_batch(4, 3, 2), {});
  const torch::NoGradGuard no_grad;
  auto parameters = taught.objective->named_parameters();
  for (const std::string side : {"predictor.linear1.", "twin.linear1."}) {
    parameters[side + "weight"].zero_();
    parameters[side + "bias"].copy_(torch::tensor({1.F, 0.F}));
  }
  const std::vector<std::pair<std::vector<float>, double>> cases = {{{3, 0}, 0}, {{0, 2}, 4}, {{-1, 0}, 8}};
  for (const auto& [prediction, loss] : cases) {
    parameters["predictor.linear1.bias"].copy_(torch::tensor(prediction));
    EXPECT_NEAR(taught.objective->compute(encoded, {}).loss.item<double>(), loss, 1e-5);
  }
}

// Where all pictures look alike to the teacher nothing can be told: no gain in collapsing.
TEST(Byol, ACollapsedTeacherCostsWhatARightAngleDoes) {
  Taught taught(tiny_model(), "kind = \"byol\"\nview = \"main\"\nhead_dimension = 2\n");
  EncodedBatch encoded(*taught.model, tiny_batch(4, 3, 2), {});
  const torch::NoGradGuard no_grad;
  auto parameters = taught.objective->named_parameters();
  parameters["twin.linear1.weight"].zero_();
  parameters["twin.linear1.bias"].fill_(0.5);
  EXPECT_NEAR(taught.objective->compute(encoded, {}).loss.item<double>(), 4, 1e-5);
}

TEST(SelfDistillation, IsLnOfThePrototypesWhenTheyAreAllAlike) {
  Taught taught(tiny_model(),
                "kind = \"self_distillation\"\nview = \"main\"\nlocal_view = \"\"\nprototypes = 9\n");
  EXPECT_EQ(taught.needs.views, std::vector<std::string>{"main"});
  EncodedBatch encoded(*taught.model, tiny_batch(4, 3, 2), {});
  const torch::NoGradGuard no_grad;
  taught.objective->named_parameters()["head.student.prototypes"].fill_(1);
  EXPECT_NEAR(taught.objective->compute(encoded, {}).loss.item<double>(), std::log(9), 1e-5);
}

// Its freezing and warm-up begin when it does: here at the last of three steps.
TEST(SelfDistillation, MayBeginLate) {
  const std::string table = "kind = \"self_distillation\"\nview = \"main\"\nlocal_view = \"\"\n" + kPrototypes;
  Taught early(tiny_model(), table), late(tiny_model(), table);
  late.step(0);
  late.step(1);
  const auto loss = [](Taught& taught, std::int64_t step) {
    EncodedBatch encoded(*taught.model, tiny_batch(4, 3, 2), {});
    const auto made = taught.objective->compute(encoded, {.step = step, .steps = kSteps}).loss;
    made.backward();
    return made.item<double>();
  };
  EXPECT_NEAR(loss(early, 0), loss(late, 2), 1e-6);
  EXPECT_FALSE(late.objective->named_parameters()["head.student.prototypes"].grad().defined());
  late.step(2);
  loss(late, 2);
  EXPECT_TRUE(late.objective->named_parameters()["head.student.prototypes"].grad().defined());
}

// Whole pictures and patches of one view, under one schedule: the teacher looks once.
TEST(SelfDistillation, SharesTheTeachersPassWithMaskedFeature) {
  const auto model = tiny_vit();
  Taught pictures(model, "kind = \"self_distillation\"\nview = \"main\"\nlocal_view = \"\"\nprototypes = 9\n");
  Setting setting;
  setting.model = model.get();
  setting.teachers = &pictures.teachers;
  const auto patches =
      testing::read_objective("kind = \"masked_feature\"\nprototypes = 9\n", model->spec()).make(setting);
  Batch batch = tiny_batch(4, 3, 2);
  batch.views["main"] = batch.views["main"].repeat_interleave(2, 2).repeat_interleave(2, 3);
  EncodedBatch encoded(*model, batch, {});
  pictures.objective->compute(encoded, {});
  patches->compute(encoded, {});
  EXPECT_EQ(encoded.encoder_passes(), 3);
}

}  // namespace
}  // namespace duet
