#include "tensors/batch.h"

#include <utility>

namespace duet {
namespace {

torch::Tensor moved(const torch::Tensor& tensor, torch::Device device) {
  return tensor.defined() ? tensor.to(device, /*non_blocking=*/true) : tensor;
}

torch::Tensor rows_of(const torch::Tensor& tensor, std::int64_t begin, std::int64_t end) {
  return tensor.defined() ? tensor.slice(0, begin, end) : tensor;
}

}  // namespace

Batch Batch::to(torch::Device device) const {
  Batch there = *this;
  for (auto& [name, images] : there.views) images = moved(images, device);
  for (torch::Tensor* tensor : {&there.tokens, &there.valid, &there.follows, &there.follows_valid,
                                &there.image_id, &there.caption_id, &there.concept_id}) {
    *tensor = moved(*tensor, device);
  }
  return there;
}

Batch Batch::slice(std::int64_t begin, std::int64_t end) const {
  TORCH_CHECK(begin >= 0 && begin <= end && end <= size(), "rows ", begin, " to ", end, " of a batch of ",
              size());
  Batch part = *this;
  for (auto& [name, images] : part.views) {
    TORCH_CHECK(size() > 0 && images.size(0) % size() == 0, "view ", name, " has ", images.size(0),
                " pictures for ", size(), " rows");
    std::vector<torch::Tensor> copies;
    for (std::int64_t first = 0; first < images.size(0); first += size()) {
      copies.push_back(images.slice(0, first + begin, first + end));
    }
    images = copies.size() == 1 ? copies.front() : torch::cat(copies);
  }
  for (torch::Tensor* tensor : {&part.tokens, &part.valid, &part.follows, &part.follows_valid, &part.image_id,
                                &part.caption_id, &part.concept_id}) {
    *tensor = rows_of(*tensor, begin, end);
  }
  part.rows.assign(rows.begin() + begin, rows.begin() + end);
  return part;
}

}  // namespace duet
