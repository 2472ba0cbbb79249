// A batch and what the towers make of it, each encoded once however many objectives ask. With a micro batch it
// is GradCache (Gao et al. 2021): pooled features are made chunk by chunk without gradient, objectives see the
// whole batch, and backward_through_encoders() encodes the chunks again and hands their gradients on. The
// gradients are the big batch's unless a tower has batch statistics: those are then the chunk's, as in every
// accumulation. Running statistics of the towers are those of the view "main" and of the captions as they are:
// what a search sees. Where nobody asks for these, they are those of all that is encoded.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "encoders/model.h"
#include "losses/teacher.h"
#include "tensors/batch.h"
#include "tensors/device.h"

namespace duet {

struct Compute {
  torch::Device device{torch::kCPU};
  Precision precision = Precision::fp32;
  std::int64_t micro_batch = 0;  // 0: the whole batch at once
  bool keep_tokens = true;       // false: pooled features alone, for which a tower may compute less
  // Some batch of this step's kind shows the view "main" as it is, so that no other pass may move the running
  // statistics of the picture tower: neither in this batch nor in one of another source.
  bool main_settles = false;
  std::uint64_t seed =
      0;  // of this step: draws in an encoder come from seed_of(seed, micro batch, "image.VIEW" | "text")
};

class EncodedBatch {
 public:
  EncodedBatch(Model& model, const Batch& batch, const Compute& compute);

  const Batch& batch() const { return batch_; }  // on the compute device
  Model& model() { return model_; }
  std::int64_t size() const { return batch_.size(); }

  torch::Tensor image_pooled(std::string_view view = "main");  // [count*B, width] fp32
  torch::Tensor text_pooled();                                 // [B, width] fp32
  torch::Tensor image_tokens(std::string_view view = "main");  // [count*B, N, D]; TORCH_CHECKs that tokens are
                                                               // kept and micro_batch is 0
  torch::Tensor text_tokens();                                 // [B, L, D]; the same
  // Unit vectors, fp32, outside autocast; cached per (space, view).
  torch::Tensor image_embedding(std::string_view space, std::string_view view = "main");  // [count*B, dim]
  torch::Tensor text_embedding(std::string_view space);                                   // [B, dim]

  // A pass over what an objective made of the batch: turned pictures, masked captions. Counted, not kept.
  struct Encoded {
    torch::Tensor pooled, tokens;  // [N, width] fp32, [N, L, D] fp32
  };
  // Between embed and encode: patches gathered or replaced, [N, L, D] -> [N, L', D].
  using TokenEdit = std::function<torch::Tensor(const torch::Tensor& tokens)>;
  Encoded encode_images(std::string_view what, const torch::Tensor& images,  // [N, 3, H, W] uint8
                        const TokenEdit& edit = {});
  Encoded encode_texts(std::string_view what, const torch::Tensor& ids, const torch::Tensor& valid, bool causal,
                       const torch::Tensor& segments = {});  // [N, L] int64, bool, int64 or undefined

  // A view as a teacher sees it: a counted pass without gradient, once a teacher and view.
  const Encoded& teacher_images(const Teacher& teacher, std::string_view view = "main");

  // GradCache's second half; nothing to do without a micro batch. Call after backward() of the total loss.
  // Running statistics of the towers count each picture once: the second pass leaves all buffers as it found
  // them.
  void backward_through_encoders();
  // Whole views and texts encoded; teachers' passes and GradCache's second ones counted too.
  int encoder_passes() const { return passes_; }

 private:
  // Of one tower, in this batch: its buffers before the first pass that may not count, and whether the one that
  // does has been made.
  struct RunningStatistics {
    std::vector<torch::Tensor> before;
    bool is_settled = false;
  };
  class PassScope;
  using EncodeRows = std::function<Encoded(std::int64_t begin, std::int64_t end)>;

  const Encoded& images(std::string_view view);
  const Encoded& texts();
  EncodeRows image_rows(std::string_view view);
  EncodeRows text_rows();
  bool keeps_tokens() const { return compute_.keep_tokens && compute_.micro_batch == 0; }
  bool chunked(std::int64_t rows) const;
  Encoded encode(std::string_view what, std::int64_t rows, const EncodeRows& encode_rows,
                 const torch::nn::Module& tower);
  Encoded encode_edit(std::string_view what, torch::nn::Module& tower,
                      const std::function<Encoded()>& encode_all);
  void replay(std::string_view what, const torch::Tensor& pooled, const EncodeRows& encode_rows,
              torch::nn::Module& tower);

  Model& model_;
  Batch batch_;
  Compute compute_;
  std::map<std::string, Encoded, std::less<>> images_;
  std::map<std::pair<const Teacher*, std::string>, Encoded> teacher_images_;
  std::map<std::string, torch::Tensor, std::less<>> embeddings_;
  Encoded text_;
  RunningStatistics image_statistics_, text_statistics_;
  int passes_ = 0;
};

}  // namespace duet
