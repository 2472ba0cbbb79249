// The commands that need LibTorch or OpenCV; each returns the exit code. One file each: engine/<command>.cpp.
#pragma once
#include "cli/options.h"

namespace duet {

int run_train(const TrainOptions& options);
int evaluate_objectives(const EvaluateOptions& options);  // run_evaluate with --objectives
int evaluate_task(const EvaluateOptions& options);        // run_evaluate with --task
int run_evaluate(const EvaluateOptions& options);
int run_index(const IndexOptions& options);
int run_image_search(const SearchOptions& options);
int run_embed(const EmbedOptions& options);
int run_classify(const ClassifyOptions& options);
int run_check(const CheckOptions& options);
int run_ablate(const AblateOptions& options);
int run_fewshot(const FewShotOptions& options);
int run_reconstruct(const ReconstructOptions& options);
int run_fill(const FillOptions& options);
int run_complete(const CompleteOptions& options);
int run_follows(const FollowsOptions& options);
int run_neighbours(const NeighboursOptions& options);  // of the text tower's tokens
int run_data_check(const DataCheckOptions& options);

}  // namespace duet
