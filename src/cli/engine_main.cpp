// libexec/duet/duet-engine: the commands that need LibTorch or OpenCV. Started by bin/duet with the same
// arguments.
#include <malloc.h>

#include <climits>
#include <variant>

#include "cli/engine.h"
#include "cli/front.h"
#include "cli/guard.h"
#include "cli/parse.h"

namespace {

struct Engine {
  int operator()(const duet::TrainOptions& options) const { return duet::run_train(options); }
  int operator()(const duet::EvaluateOptions& options) const { return duet::run_evaluate(options); }
  int operator()(const duet::IndexOptions& options) const { return duet::run_index(options); }
  int operator()(const duet::SearchOptions& options) const { return duet::run_image_search(options); }
  int operator()(const duet::EmbedOptions& options) const { return duet::run_embed(options); }
  int operator()(const duet::ClassifyOptions& options) const { return duet::run_classify(options); }
  int operator()(const duet::CheckOptions& options) const { return duet::run_check(options); }
  int operator()(const duet::AblateOptions& options) const { return duet::run_ablate(options); }
  int operator()(const duet::FewShotOptions& options) const { return duet::run_fewshot(options); }
  int operator()(const duet::DataCheckOptions& options) const { return duet::run_data_check(options); }
  int operator()(const duet::ReconstructOptions& options) const { return duet::run_reconstruct(options); }
  int operator()(const duet::FillOptions& options) const { return duet::run_fill(options); }
  int operator()(const duet::CompleteOptions& options) const { return duet::run_complete(options); }
  int operator()(const duet::FollowsOptions& options) const { return duet::run_follows(options); }
  int operator()(const duet::NeighboursOptions& options) const { return duet::run_neighbours(options); }
  // The front's own, already answered.
  int operator()(const duet::TokenizerTrainOptions&) const { return 0; }
  int operator()(const duet::TokenizerEncodeOptions&) const { return 0; }
  int operator()(const duet::TokenizerDecodeOptions&) const { return 0; }
};

// A training step frees and asks for the same large tensors again and again: kept by the process instead of
// given back to the kernel they cost no page faults (a tenth of a step, docs/performance.md).
void keep_freed_memory() {
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
}

}  // namespace

int main(int argc, char** argv) {
  keep_freed_memory();
  return duet::guarded([&] {
    int exit_code = 0;
    const std::optional<duet::Command> command = duet::parse(argc, argv, exit_code);
    if (!command) return exit_code;
    if (const std::optional<int> done = duet::run_without_engine(*command)) return *done;
    return std::visit(Engine{}, *command);
  });
}
