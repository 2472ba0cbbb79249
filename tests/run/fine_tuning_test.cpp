// [[train.group]] on real towers: layer-wise decay, frozen towers, low-rank parts in checkpoints, models and
// bundles.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/randint.h>
#include <gtest/gtest.h>

#include "core/files.h"
#include "encoders/low_rank.h"
#include "encoders/plain/query_tower.h"
#include "losses/encoded_batch.h"
#include "run/bundle_model.h"
#include "run/checkpoint.h"
#include "run/saved_model.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

const std::string kConvnet = "kind = \"convnet\"\nstem = 8\nwidths = [8, 16]\nmap = 2\nmap_width = 4\n";
const std::string kResnet = "kind = \"resnet\"\nwidth = 8\nblocks = [1, 1]\n";
const std::string kVit = "kind = \"vit\"\npatch = 8\nwidth = 12\nlayers = 2\nheads = 2\n";
const std::string kTransformer =
    "kind = \"transformer\"\nwidth = 8\nlayers = 2\nheads = 2\ncontext = 8\nsegments = 2\n";
const std::string kBag = "kind = \"bag_of_tokens\"\nwidth = 8\ncontext = 8\n";
const std::string kParts =
    "[[train.group]]\nmatch = [\"image\", \"text\"]\nfrozen = true\n"
    "[[train.group]]\nmatch = [\"image.blocks\", \"text.blocks\"]\n"
    "lora_rank = 2\nlora_alpha = 6\nlora_dropout = 0.2\n";

Recipe recipe_of(const std::string& image, const std::string& text, const std::string& groups) {
  return read_recipe(Config::parse("[data]\ntrain = \"shapes:64:1\"\n[image]\nsize = 16\n" + image +
                                       "[text]\n" + text +
                                       "[[space]]\ndimension = 6\n[[objective]]\nkind = \"info_nce\"\n"
                                       "[train]\nbatch = 4\nsteps = 4\nlr = 0.05\n" +
                                       groups,
                                   "test.toml"));
}

const Tokenizer& tokenizer() {
  static const Tokenizer trained = [] {
    TokenizerOptions options;
    options.vocabulary = 280;
    return Tokenizer::train({"a red heart", "a blue star", "a green circle, small", "two yellow apples"},
                            options);
  }();
  return trained;
}

NamedTensors named(const torch::nn::Module& module) {
  NamedTensors tensors;
  for (const auto& item : module.named_parameters()) tensors.emplace_back(item.key(), item.value());
  return tensors;
}

Batch batch_of_step(std::int64_t step) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(static_cast<std::uint64_t>(step));
  Batch batch;
  batch.views["main"] = at::randint(0, 256, {4, 3, 16, 16}, generator, torch::TensorOptions(torch::kLong))
                            .to(torch::kByte)
                            .contiguous(at::MemoryFormat::ChannelsLast);
  batch.tokens = at::randint(0, tokenizer().pieces(), {4, 8}, generator, torch::TensorOptions(torch::kLong));
  batch.valid = torch::ones({4, 8}, torch::kBool);
  batch.rows = {0, 1, 2, 3};
  return batch;
}

// What a trainer holds, and how it builds, steps, saves and resumes it.
struct TrainedModel {
  explicit TrainedModel(const Recipe& with)
      : recipe(with),
        model(std::make_shared<Model>(recipe.model, tokenizer().vocabulary(), recipe.seed)),
        optimizer((add_low_rank(*model, options().groups, recipe.seed),
                   plan_parameters(named(*model), options().groups, options().adamw.weight_decay)),
                  options().adamw),
        ema(all(), 0.9) {
    set_training_mode(*model);
  }
  const OptimizerOptions& options() const { return recipe.train.optimizer; }
  NamedTensors all() const {
    const TensorMap tensors = tensors_of(*model);
    return {tensors.begin(), tensors.end()};
  }
  void train_step(std::int64_t step) {
    EncodedBatch batch(*model, batch_of_step(step), {.seed = static_cast<std::uint64_t>(step)});
    const auto cosine = batch.image_embedding("joint").matmul(batch.text_embedding("joint").t());
    optimizer.zero_grad();
    at::log_softmax(cosine * 10, 1).diagonal().sum().neg().backward();
    optimizer.step(1);
    ema.update(step);
  }
  void save(const fs::path& run, std::int64_t step) const {
    save_checkpoint(
        run, step,
        {.recipe_toml = recipe.toml,
         .tokenizer_model = tokenizer().serialized(),
         .tensors = {{"model", tensors_of(*model)}, {"optimizer", optimizer.state()}, {"ema", ema.state()}},
         .facts = {{"step", step}, {"weights", model->weights()}, {"best", nullptr}}});
  }
  void load(const fs::path& checkpoint) {
    copy_into(tensors_of(*model), load_tensors(checkpoint / "model.safetensors"), "model");
    optimizer.load_state(load_tensors(checkpoint / "optimizer.safetensors"));
    ema.load_state(load_tensors(checkpoint / "ema.safetensors"));
  }
  Recipe recipe;
  std::shared_ptr<Model> model;
  AdamW optimizer;
  Ema ema;
};

struct Embeddings {
  torch::Tensor pictures, captions;
};
Embeddings embeddings(Model& model) {
  const torch::NoGradGuard no_grad;
  const Batch batch = batch_of_step(99);
  return {model.retrieval_of_image_features(model.image_features(batch.views.at("main"))),
          model.retrieval_texts(batch.tokens, batch.valid)};
}

void expect_near(const Embeddings& a, const Embeddings& b) {
  EXPECT_TRUE(at::allclose(a.pictures, b.pictures, 0, 1e-5));
  EXPECT_TRUE(at::allclose(a.captions, b.captions, 0, 1e-5));
}

// The scale of every parameter at layer_decay = 0.5: that of the longest name here that it begins with.
void expect_scales(const std::string& image, const std::string& text,
                   const std::map<std::string, double>& expected) {
  const Recipe recipe = recipe_of(image, text, "[[train.group]]\nmatch = \"*\"\nlayer_decay = 0.5\n");
  const Model model(recipe.model, 30, 1);
  std::map<std::string, int> used;
  for (const auto& plan : plan_parameters(named(model), recipe.train.optimizer.groups, 0)) {
    const std::pair<const std::string, double>* longest = nullptr;
    for (const auto& entry : expected) {
      if (plan.name.starts_with(entry.first) && (!longest || entry.first.size() > longest->first.size()))
        longest = &entry;
    }
    ASSERT_TRUE(longest) << plan.name;
    EXPECT_DOUBLE_EQ(plan.lr_scale, longest->second) << plan.name;
    ++used[longest->first];
  }
  EXPECT_EQ(used.size(), expected.size());
}

// BEiT's scheme: the head 1, the last block decay, the first decay^blocks, patches and positions decay^(blocks
// + 1).
TEST(LayerDecay, OfVisionTransformerAndTransformer) {
  expect_scales(kVit, kTransformer,
                {{"image.class_token", .125},
                 {"image.positions", .125},
                 {"image.patches", .125},
                 {"image.pre_norm", .125},
                 {"image.blocks.0.", .25},
                 {"image.blocks.1.", .5},
                 {"image.norm", 1},
                 {"text.tokens", .125},
                 {"text.positions", .125},
                 {"text.segments", .125},
                 {"text.blocks.0.", .25},
                 {"text.blocks.1.", .5},
                 {"text.norm", 1},
                 {"spaces.", 1}});
}

TEST(LayerDecay, OfConvnetAndBag) {
  expect_scales(kConvnet, kBag,
                {{"image.stem.", .125},
                 {"image.stem_norm.", .125},
                 {"image.stage0_0.", .25},
                 {"image.stage1_0.", .5},
                 {"image.map.", 1},
                 {"text.", 1},  // one layer
                 {"spaces.", 1}});
}

TEST(LayerDecay, OfResnet) {
  expect_scales(
      kResnet, kBag,
      {{"image.stem.", .125}, {"image.stage0_0.", .25}, {"image.stage1_0.", .5}, {"text.", 1}, {"spaces.", 1}});
}

TensorMap copies_of_buffers(const torch::nn::Module& module) {
  TensorMap copies;
  for (const auto& item : module.named_buffers()) copies[item.key()] = item.value().clone();
  return copies;
}

// LiT: nothing of a locked tower moves, and autograd records nothing of it.
TEST(Frozen, ALockedTowerStaysAsItIs) {
  for (const auto& [image, text] : {std::pair(kConvnet + "dropout = 0.5\n", kBag), std::pair(kResnet, kBag),
                                    std::pair(kVit + "dropout = 0.5\ndrop_path = 0.5\n", kTransformer)}) {
    TrainedModel run(recipe_of(image, text, "[[train.group]]\nmatch = \"image\"\nfrozen = true\n"));
    const auto parameters = [&] {
      TensorMap copies;
      for (const auto& item : run.model->image->named_parameters()) copies[item.key()] = item.value().clone();
      return copies;
    };
    const TensorMap buffers = copies_of_buffers(*run.model->image), values = parameters();
    const auto tokens = run.model->text->token_table().clone();
    for (std::int64_t step = 0; step < 2; ++step) run.train_step(step);
    for (const auto& [name, tensor] : parameters()) EXPECT_TRUE(tensor.equal(values.at(name))) << name;
    for (const auto& [name, tensor] : copies_of_buffers(*run.model->image))
      EXPECT_TRUE(tensor.equal(buffers.at(name))) << name;
    EXPECT_FALSE(run.model->text->token_table().equal(tokens));

    EncodedBatch once(*run.model, batch_of_step(5), {.seed = 1}),
        again(*run.model, batch_of_step(5), {.seed = 2});
    EXPECT_FALSE(once.image_tokens().requires_grad());
    EXPECT_FALSE(once.image_pooled().requires_grad());
    EXPECT_TRUE(once.image_pooled().equal(again.image_pooled()));  // nothing is dropped
    EXPECT_TRUE(once.text_pooled().requires_grad());
    EXPECT_TRUE(once.image_embedding("joint").requires_grad());  // the space's own map learns
  }
}

TEST(Frozen, StatisticsOfAFrozenStageStay) {
  TrainedModel run(recipe_of(
      kConvnet, kBag, "[[train.group]]\nmatch = [\"image.stem*\", \"image.stage0_0\"]\nfrozen = true\n"));
  const TensorMap before = copies_of_buffers(*run.model->image);
  run.train_step(0);
  std::size_t moved = 0;
  for (const auto& [name, tensor] : copies_of_buffers(*run.model->image)) {
    EXPECT_EQ(tensor.equal(before.at(name)), name.starts_with("stem") || name.starts_with("stage0_0")) << name;
    moved += !tensor.equal(before.at(name));
  }
  EXPECT_GT(moved, 0U);
}

TEST(LowRankRun, TrainsPartsAlone) {
  TrainedModel run(recipe_of(kVit, kTransformer, kParts));
  const TensorMap before = [&] {
    TensorMap copies;
    for (const auto& [name, tensor] : run.all()) copies[name] = tensor.detach().clone();
    return copies;
  }();
  for (std::int64_t step = 0; step < 3; ++step) run.train_step(step);
  std::size_t parts = 0;
  for (const auto& [name, tensor] : run.all()) {
    const bool learns = name.find(".lora_") != std::string::npos || name.ends_with("image.weight") ||
                        name.ends_with("text.weight");
    if (name.find(".logit_") != std::string::npos) continue;  // no part of this loss
    EXPECT_EQ(tensor.equal(before.at(name)), !learns) << name;
    parts += name.find(".lora_") != std::string::npos;
  }
  EXPECT_EQ(parts, 2U * 2 * 4 * 2);  // towers, blocks, maps of a block, A and B
  EXPECT_EQ(run.ema.state().size(), run.all().size());
}

TEST(LowRankRun, ResumesBitForBit) {
  const TemporaryFolder folder;
  TrainedModel whole(recipe_of(kVit, kTransformer, kParts)), first(whole.recipe), second(whole.recipe);
  for (std::int64_t step = 0; step < 4; ++step) whole.train_step(step);
  for (std::int64_t step = 0; step < 2; ++step) first.train_step(step);
  first.save(folder / "run", 2);
  second.load(open_checkpoint(folder / "run", 2).folder);
  for (std::int64_t step = 2; step < 4; ++step) second.train_step(step);
  for (const auto& [name, tensor] : whole.all())
    EXPECT_TRUE(tensor.equal(tensors_of(*second.model).at(name))) << name;
  for (const auto& [name, tensor] : whole.ema.state())
    EXPECT_TRUE(tensor.equal(second.ema.state().at(name))) << name;
  for (const auto& [name, tensor] : whole.optimizer.state())
    EXPECT_TRUE(tensor.equal(second.optimizer.state().at(name))) << name;
}

TEST(LowRankRun, ACheckpointLoadsMergedAndAveraged) {
  const TemporaryFolder folder;
  TrainedModel run(recipe_of(kVit, kTransformer, kParts));
  for (std::int64_t step = 0; step < 3; ++step) run.train_step(step);
  run.save(folder / "run", 3);
  EXPECT_TRUE(load_tensors(checkpoint_folder(folder / "run", 3) / "model.safetensors")
                  .contains("text.blocks.1.mlp.down.lora_b"));
  const SavedModel saved = load_saved_model(folder / "run", "step-3", "cpu");
  run.model->eval();
  const Embeddings live = embeddings(*run.model);
  const EmaScope averaged(&run.ema);
  expect_near(embeddings(*saved.model), embeddings(*run.model));
  EXPECT_FALSE(at::allclose(embeddings(*saved.model).captions, live.captions, 0, 1e-4));
  const Model plain(saved.recipe.model, tokenizer().vocabulary(), 1);
  EXPECT_EQ(tensors_of(*saved.model).size(), tensors_of(plain).size());
}

// A finished model and a bundle know ordinary names alone, and stay merged.
TEST(LowRankRun, ModelAndBundleHoldOrdinaryNames) {
  const TemporaryFolder folder;
  TrainedModel run(recipe_of(kVit, kTransformer, kParts));
  for (std::int64_t step = 0; step < 3; ++step) run.train_step(step);
  run.model->eval();
  const Embeddings expected = embeddings(*run.model);
  fs::create_directories(folder / "bundle");
  save_bundle_model(*run.model, tokenizer(), run.recipe, folder / "bundle");  // still in parts
  expect_near(embeddings(*load_bundle_model(folder / "bundle").model), expected);
  const QueryTower tower = QueryTower::open(folder / "bundle");
  const auto query = torch::tensor(tower.embed("a red star"));

  merge_low_rank(*run.model);
  save_model(folder / "run", {.recipe_toml = run.recipe.toml,
                              .tokenizer_model = tokenizer().serialized(),
                              .tensors = {{"model", tensors_of(*run.model)}},
                              .facts = {{"step", 3}, {"weights", run.model->weights()}}});
  const SavedModel saved = load_saved_model(folder / "run", "best", "cpu");
  expect_near(embeddings(*saved.model), expected);
  const torch::NoGradGuard no_grad;
  const auto [ids, valid] = encode_captions(saved.texts(), {"a red star"}, saved.recipe.model.text.format);
  EXPECT_TRUE(at::allclose(saved.model->retrieval_texts(ids, valid)[0], query, 0, 1e-5));
}

}  // namespace
}  // namespace duet
