#include "losses/encoded_batch.h"

#include <ATen/Context.h>
#include <ATen/core/Generator.h>
#include <ATen/ops/cat.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "core/format.h"
#include "core/random.h"

namespace duet {
namespace {

const std::string kMainView = "main";

// The device's default generator at a seed of its own for one scope. It is put back afterwards, so that what an
// objective draws does not depend on whether it was the first to ask for an encoding.
class SeedScope {
 public:
  SeedScope(torch::Device device, std::uint64_t seed)
      : generator_(at::globalContext().defaultGenerator(device)) {
    const std::scoped_lock lock(generator_.mutex());
    before_ = generator_.get_state();
    generator_.set_current_seed(seed);
  }
  ~SeedScope() {
    const std::scoped_lock lock(generator_.mutex());
    generator_.set_state(before_);
  }
  SeedScope(const SeedScope&) = delete;
  SeedScope& operator=(const SeedScope&) = delete;

 private:
  at::Generator generator_;
  torch::Tensor before_;
};

std::vector<torch::Tensor> copies_of(const std::vector<torch::Tensor>& tensors) {
  std::vector<torch::Tensor> copies;
  for (const auto& tensor : tensors) copies.push_back(tensor.clone());
  return copies;
}

// Behind autograd's back: batch_norm saved these buffers for its backward, which in training does not read
// them.
void put_back(const std::vector<torch::Tensor>& live, const std::vector<torch::Tensor>& values) {
  for (std::size_t i = 0; i < live.size(); ++i) live[i].variable_data().copy_(values[i]);
}

// A module's buffers (running statistics), put back at the end of the scope.
class BufferScope {
 public:
  explicit BufferScope(const torch::nn::Module& module) : live_(module.buffers()), saved_(copies_of(live_)) {}
  ~BufferScope() { put_back(live_, saved_); }
  BufferScope(const BufferScope&) = delete;
  BufferScope& operator=(const BufferScope&) = delete;

 private:
  std::vector<torch::Tensor> live_, saved_;
};

bool trains(const torch::nn::Module& module) {
  const auto parameters = module.parameters();
  return std::any_of(parameters.begin(), parameters.end(), [](const auto& p) { return p.requires_grad(); });
}

}  // namespace

// One pass through a tower. The one that settles its running statistics undoes what earlier ones did to them,
// and later ones leave them as they are.
class EncodedBatch::PassScope {
 public:
  PassScope(RunningStatistics& statistics, const torch::nn::Module& tower, bool settles,
            bool is_settled_elsewhere = false) {
    if (!tower.is_training()) return;
    const auto live = tower.buffers();
    if (settles) {
      if (!statistics.before.empty()) put_back(live, statistics.before);
      statistics.is_settled = true;
    } else if (statistics.is_settled || is_settled_elsewhere) {
      aside_.emplace(tower);
    } else if (statistics.before.empty()) {
      statistics.before = copies_of(live);
    }
  }

 private:
  std::optional<BufferScope> aside_;
};

EncodedBatch::EncodedBatch(Model& model, const Batch& batch, const Compute& compute)
    : model_(model), batch_(batch.to(compute.device)), compute_(compute) {}

bool EncodedBatch::chunked(std::int64_t rows) const {
  return compute_.micro_batch > 0 && rows > compute_.micro_batch;
}

EncodedBatch::EncodeRows EncodedBatch::image_rows(std::string_view view) {
  const auto found = batch_.views.find(std::string(view));
  TORCH_CHECK(found != batch_.views.end(), "the batch has no view '", std::string(view), "'");
  TORCH_CHECK(model_.image, "the model has no picture tower");
  return [this, pictures = found->second](std::int64_t begin, std::int64_t end) {
    const auto images = model_.normalize(pictures.slice(0, begin, end));
    if (!keeps_tokens()) return Encoded{model_.image->forward(images).to(torch::kFloat), {}};
    const auto tokens = model_.image->encode(model_.image->embed(images));
    return Encoded{model_.image->pool(tokens).to(torch::kFloat), tokens};
  };
}

EncodedBatch::EncodeRows EncodedBatch::text_rows() {
  TORCH_CHECK(model_.text, "the model has no caption tower");
  return [this](std::int64_t begin, std::int64_t end) {
    const auto ids = batch_.tokens.slice(0, begin, end), valid = batch_.valid.slice(0, begin, end);
    if (!keeps_tokens()) return Encoded{model_.text->forward(ids, valid).to(torch::kFloat), {}};
    const auto tokens = model_.text->encode(model_.text->embed(ids), valid, model_.text->causal_by_default());
    return Encoded{model_.text->pool(tokens, valid).to(torch::kFloat), tokens};
  };
}

EncodedBatch::Encoded EncodedBatch::encode(std::string_view what, std::int64_t rows,
                                           const EncodeRows& encode_rows, const torch::nn::Module& tower) {
  ++passes_;
  if (!chunked(rows)) {
    const SeedScope seed(compute_.device, seed_of(compute_.seed, 0, what));
    const Autocast autocast(compute_.precision, compute_.device);
    return encode_rows(0, rows);
  }
  const bool wants_gradient = torch::GradMode::is_enabled() && trains(tower);
  std::vector<torch::Tensor> pooled;
  {
    const torch::NoGradGuard no_grad;
    for (std::int64_t begin = 0, chunk = 0; begin < rows; begin += compute_.micro_batch, ++chunk) {
      const SeedScope seed(compute_.device, seed_of(compute_.seed, chunk, what));
      const Autocast autocast(compute_.precision, compute_.device);
      pooled.push_back(encode_rows(begin, std::min(begin + compute_.micro_batch, rows)).pooled);
    }
  }
  return {at::cat(pooled).requires_grad_(wants_gradient), {}};
}

EncodedBatch::Encoded EncodedBatch::encode_edit(std::string_view what, torch::nn::Module& tower,
                                                const std::function<Encoded()>& encode_all) {
  ++passes_;
  const PassScope pass(&tower == model_.image.get() ? image_statistics_ : text_statistics_, tower, false,
                       compute_.main_settles && &tower == model_.image.get());
  const SeedScope seed(compute_.device, seed_of(compute_.seed, 0, what));
  const Autocast autocast(compute_.precision, compute_.device);
  return encode_all();
}

EncodedBatch::Encoded EncodedBatch::encode_images(std::string_view what, const torch::Tensor& images,
                                                  const TokenEdit& edit) {
  TORCH_CHECK(model_.image, "the model has no picture tower");
  return encode_edit(what, *model_.image, [&] {
    const auto embedded = model_.image->embed(model_.normalize(images));
    const auto tokens = model_.image->encode(edit ? edit(embedded) : embedded);
    return Encoded{model_.image->pool(tokens).to(torch::kFloat), tokens.to(torch::kFloat)};
  });
}

EncodedBatch::Encoded EncodedBatch::encode_texts(std::string_view what, const torch::Tensor& ids,
                                                 const torch::Tensor& valid, bool causal,
                                                 const torch::Tensor& segments) {
  TORCH_CHECK(model_.text, "the model has no caption tower");
  return encode_edit(what, *model_.text, [&] {
    const auto tokens = model_.text->encode(model_.text->embed(ids, segments), valid, causal);
    return Encoded{model_.text->pool(tokens, valid).to(torch::kFloat), tokens.to(torch::kFloat)};
  });
}

const EncodedBatch::Encoded& EncodedBatch::teacher_images(const Teacher& teacher, std::string_view view) {
  const std::pair key(&teacher, std::string(view));
  if (const auto found = teacher_images_.find(key); found != teacher_images_.end()) return found->second;
  ++passes_;
  const torch::NoGradGuard no_grad;
  const SeedScope seed(compute_.device, seed_of(compute_.seed, 0, cat("teacher.", view)));
  const Autocast autocast(compute_.precision, compute_.device);
  const torch::Tensor pictures = batch_.views.at(std::string(view));
  const std::int64_t rows = pictures.size(0), most = chunked(rows) ? compute_.micro_batch : rows;
  std::vector<torch::Tensor> pooled, tokens;
  for (std::int64_t begin = 0; begin < rows; begin += most) {
    const Teacher::Seen seen = teacher.see(model_.normalize(pictures.slice(0, begin, begin + most)));
    pooled.push_back(seen.pooled.to(torch::kFloat));
    tokens.push_back(seen.tokens.to(torch::kFloat));
  }
  return teacher_images_.emplace(key, Encoded{at::cat(pooled), at::cat(tokens)}).first->second;
}

void EncodedBatch::replay(std::string_view what, const torch::Tensor& pooled, const EncodeRows& encode_rows,
                          torch::nn::Module& tower) {
  const torch::Tensor gradient = pooled.is_leaf() ? pooled.grad() : torch::Tensor();
  if (!gradient.defined()) return;
  ++passes_;
  const BufferScope buffers(tower);
  const std::int64_t rows = pooled.size(0);
  for (std::int64_t begin = 0, chunk = 0; begin < rows; begin += compute_.micro_batch, ++chunk) {
    const std::int64_t end = std::min(begin + compute_.micro_batch, rows);
    torch::Tensor again;
    {
      const SeedScope seed(compute_.device, seed_of(compute_.seed, chunk, what));
      const Autocast autocast(compute_.precision, compute_.device);
      again = encode_rows(begin, end).pooled;
    }
    again.backward(gradient.slice(0, begin, end));
  }
}

void EncodedBatch::backward_through_encoders() {
  for (const auto& [view, encoded] : images_) {
    if (chunked(encoded.pooled.size(0)))
      replay(cat("image.", view), encoded.pooled, image_rows(view), *model_.image);
  }
  if (text_.pooled.defined() && chunked(size())) replay("text", text_.pooled, text_rows(), *model_.text);
}

const EncodedBatch::Encoded& EncodedBatch::images(std::string_view view) {
  if (const auto found = images_.find(view); found != images_.end()) return found->second;
  const auto encode_rows = image_rows(view);
  const std::int64_t rows = batch_.views.at(std::string(view)).size(0);
  const PassScope pass(image_statistics_, *model_.image, view == kMainView, compute_.main_settles);
  return images_.emplace(view, encode(cat("image.", view), rows, encode_rows, *model_.image)).first->second;
}

const EncodedBatch::Encoded& EncodedBatch::texts() {
  if (!text_.pooled.defined()) {
    const auto encode_rows = text_rows();
    const PassScope pass(text_statistics_, *model_.text, true);
    text_ = encode("text", size(), encode_rows, *model_.text);
  }
  return text_;
}

torch::Tensor EncodedBatch::image_pooled(std::string_view view) { return images(view).pooled; }
torch::Tensor EncodedBatch::text_pooled() { return texts().pooled; }

torch::Tensor EncodedBatch::image_tokens(std::string_view view) {
  TORCH_CHECK(keeps_tokens(), "this batch keeps no tokens");
  return images(view).tokens;
}

torch::Tensor EncodedBatch::text_tokens() {
  TORCH_CHECK(keeps_tokens(), "this batch keeps no tokens");
  return texts().tokens;
}

torch::Tensor EncodedBatch::image_embedding(std::string_view space, std::string_view view) {
  torch::Tensor& embedding = embeddings_[cat("image/", space, "/", view)];
  if (!embedding.defined()) embedding = model_.image_embedding(space, image_pooled(view));
  return embedding;
}

torch::Tensor EncodedBatch::text_embedding(std::string_view space) {
  torch::Tensor& embedding = embeddings_[cat("text/", space)];
  if (!embedding.defined())
    embedding = model_.text_embedding(space, text_pooled(), batch_.tokens, batch_.valid);
  return embedding;
}

}  // namespace duet
