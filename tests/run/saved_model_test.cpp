// Runs saved by earlier versions load for ever, with the same embeddings. golden/run-v1 was written by
//   duet train tests/run/golden/recipe.toml --threads 1 --out tests/run/golden/run-v1
// (checkpoints/ and model/ kept), and expected.safetensors by `duet embed RUN --texts FILE` over the two texts below.
#include "run/saved_model.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/files.h"
#include "datasets/loader.h"
#include "run/checkpoint.h"
#include "tensors/tensor_file.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

const fs::path kGolden = fs::path(DUET_RUN_GOLDEN);
const std::vector<std::string> kTexts = {"a small red circle at the top left", "a big blue star"};

torch::Tensor text_rows(SavedModel& saved) {
  torch::NoGradGuard no_grad;
  const auto [ids, valid] = encode_captions(saved.texts(), kTexts, saved.recipe.model.text.format);
  return saved.model->retrieval_texts(ids, valid);
}

TEST(SavedModel, OfVersionOneLoads) {
  SavedModel model = load_saved_model(kGolden / "run-v1", "best", "cpu");
  const torch::Tensor expected = load_tensors(kGolden / "expected.safetensors").at("embeddings");
  EXPECT_TRUE(torch::allclose(text_rows(model), expected, 0, 1e-5));
  EXPECT_EQ(model.recipe.train.steps, 4);
}

TEST(SavedModel, OfVersionOneIsFoundByNameOfItsCheckpoint) {
  const SavedModel last = load_saved_model(kGolden / "run-v1", "last", "cpu");
  EXPECT_EQ(last.step, 4);
  EXPECT_EQ(load_saved_model(kGolden / "run-v1", "step-4", "cpu").identity, last.identity);
  EXPECT_EQ(load_saved_model(last.folder, "best", "cpu").identity, last.identity);
  EXPECT_THROW(load_saved_model(kGolden / "run-v1", "step-4x", "cpu"), Error);
  EXPECT_THROW(load_saved_model(kGolden / "nothing", "best", "cpu"), Error);
}

// Every byte of every small file, and sampled bytes of the large ones: no change is ever used.
TEST(SavedModel, RefusesEveryChangedByte) {
  TemporaryFolder folder;
  fs::copy(checkpoint_folder(kGolden / "run-v1", 4), folder / "step-4", fs::copy_options::recursive);
  std::int64_t flips = 0, cuts = 0;
  for (const auto& entry : fs::directory_iterator(folder / "step-4")) {
    const std::string whole = read_file(entry.path());
    const std::size_t stride = 1 + whole.size() / 64;
    for (std::size_t at = 0; at < whole.size(); at += stride) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ (1 << (at % 8)));
      for (const std::string& damaged : {changed, whole.substr(0, at)}) {
        std::ofstream(entry.path(), std::ios::binary) << damaged;
        try {
          open_sealed(folder / "step-4", "duet-checkpoint", kCheckpointVersion);
          ADD_FAILURE() << entry.path().filename() << " changed at " << at << " was accepted";
        } catch (const Error& error) {
          EXPECT_EQ(error.exit(), Exit::artifact) << error.what();
        }
        ++(damaged.size() == whole.size() ? flips : cuts);
      }
    }
    std::ofstream(entry.path(), std::ios::binary) << whole;
  }
  EXPECT_NO_THROW(open_sealed(folder / "step-4", "duet-checkpoint", kCheckpointVersion));
  std::printf("%lld flips and %lld cuts refused\n", static_cast<long long>(flips),
              static_cast<long long>(cuts));
}

}  // namespace
}  // namespace duet
