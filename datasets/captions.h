// Which text a pair shows in a step, and captions as padded token ids.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/config.h"
#include "core/random.h"
#include "text/tokenizer.h"

namespace duet {

struct CaptionOptions {
  double tag_subset = 0;  // probability that the part behind "label:" (or the comma-separated whole) is a
                          // random subset of its tags, in random order
  std::string separator = ",";
  bool operator==(const CaptionOptions&) const = default;
};
// Keys of [data]: tag_subset, tag_separator.
CaptionOptions read_caption_options(Config& config);

// Of "label: a, b, c" a subset keeps the label and at least one tag; of "a, b, c" at least one tag. A caption
// without a list of tags stays as it is.
std::string draw_tags(const std::string& caption, const CaptionOptions& options, Random& random);

// One of `captions` (at least one), each as likely, with draw_tags.
std::string draw_caption(const std::vector<std::string>& captions, const CaptionOptions& options,
                         Random& random);

// {tokens [N, L] int64, valid [N, L] bool}; L = `context`, or without pad_to_context the longest, rounded up to
// 8, at most `context` (never 0). No row may be longer than `context`.
std::pair<torch::Tensor, torch::Tensor> padded(const std::vector<std::vector<std::int64_t>>& ids,
                                               std::int64_t pad, std::int64_t context, bool pad_to_context);

// Token ids of many captions: encode_caption, then padded.
std::pair<torch::Tensor, torch::Tensor> encode_captions(const Tokenizer& tokenizer,
                                                        const std::vector<std::string>& captions,
                                                        const TextFormat& format, bool pad_to_context = false);

}  // namespace duet
