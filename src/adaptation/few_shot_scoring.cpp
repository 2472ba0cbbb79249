#include "adaptation/few_shot_scoring.h"

#include <ATen/ops/argmax.h>

#include "core/error.h"
#include "core/format.h"

namespace duet {

std::string right_answers(const Classifier& classifier, const Part& asked, const FewShotData& data) {
  const torch::Tensor logits = classifier.logits(asked);
  TORCH_CHECK(logits.dim() == 2 && logits.size(0) == static_cast<std::int64_t>(data.pool.test.size()) &&
                  logits.size(1) == static_cast<std::int64_t>(data.classes().size()),
              "a classifier gives [tests, classes] logits");
  if (!logits.isfinite().all().item<bool>())
    fail(Exit::failed, "few-shot test", cat("a ", classifier.kind(), " classifier's logits are not finite"));
  const torch::Tensor answers = logits.argmax(1).to(torch::kCPU).contiguous();
  const auto* answer = answers.data_ptr<std::int64_t>();
  std::string right;
  for (const std::int64_t row : data.pool.test)
    right += *answer++ == data.test().labels[static_cast<std::size_t>(row)].front() ? '1' : '0';
  return right;
}

}  // namespace duet
