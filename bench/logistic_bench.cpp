// Seconds of a linear probe: logistic regression on the features of a safetensors file (train [N, F] fp32,
// labels [N] int64), once for each round; what it learned goes into another file. bench/logistic.py compares
// it.
//   logistic_bench FEATURES C THREADS ROUNDS OUT
#include <cstdio>
#include <cstdlib>

#include "bench/step.h"
#include "evaluation/logistic.h"
#include "tensors/device.h"
#include "tensors/tensor_file.h"

namespace duet {
namespace {

void run(int argc, char** argv) {
  TORCH_CHECK(argc == 6, "five arguments");
  const TensorMap data = load_tensors(argv[1]);
  const double c = std::atof(argv[2]);
  set_compute_threads(std::atoi(argv[3]));
  const torch::Tensor &train = data.at("train"), &labels = data.at("labels");
  const auto classes = labels.max().item<std::int64_t>() + 1;
  for (int round = 0; round < std::atoi(argv[4]); ++round) {
    const Stopwatch watch;
    LogisticProblem problem(train, labels, classes);
    const LinearProbe probe = problem.fit(c);
    const double seconds = watch.seconds();
    const LbfgsResult& last = problem.last();
    std::printf("{\"seconds\": %.3f, \"iterations\": %d, \"evaluations\": %d, \"converged\": %s}\n", seconds,
                last.iterations, last.evaluations, last.converged ? "true" : "false");
    std::fflush(stdout);
    if (round == 0) save_tensors(argv[5], {{"weight", probe.weight}, {"bias", probe.bias}});
  }
}

}  // namespace
}  // namespace duet

int main(int argc, char** argv) {
  return duet::run_bench(argc, argv, "logistic_bench FEATURES C THREADS ROUNDS OUT", duet::run);
}
