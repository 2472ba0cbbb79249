#include "datasets/captions.h"

#include <algorithm>
#include <span>
#include <string_view>

#include "core/format.h"

namespace duet {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto first = text.find_first_not_of(kSpace);
  return first == std::string_view::npos ? std::string_view()
                                         : text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::vector<std::string> tags_of(std::string_view list, std::string_view separator) {
  std::vector<std::string> tags;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(separator, begin), list.size());
    const std::string_view tag = trimmed(list.substr(begin, end - begin));
    if (!tag.empty()) tags.emplace_back(tag);
    begin = end + separator.size();
  }
  return tags;
}

std::string with_some_tags(const std::string& caption, const std::string& separator, Random& random) {
  const std::size_t colon = caption.find(':');
  const std::size_t list = colon == std::string::npos ? 0 : colon + 1;
  std::vector<std::string> tags = tags_of(std::string_view(caption).substr(list), separator);
  if (tags.size() < 2) return caption;
  random.shuffle(std::span(tags));
  tags.resize(1 + random.below(tags.size()));
  const std::string some = joined(tags, cat(trimmed(separator).empty() ? "" : trimmed(separator), " "));
  return list == 0 ? some : cat(std::string_view(caption).substr(0, list), " ", some);
}

}  // namespace

CaptionOptions read_caption_options(Config& config) {
  CaptionOptions options;
  options.tag_subset = config.number("tag_subset", options.tag_subset, {0, 1});
  options.separator = config.text("tag_separator", options.separator);
  if (options.separator.empty())
    config.fail("tag_separator", "'tag_separator' is empty", "tags are usually divided by \",\"");
  return options;
}

std::string draw_tags(const std::string& caption, const CaptionOptions& options, Random& random) {
  return random.chance(options.tag_subset) ? with_some_tags(caption, options.separator, random) : caption;
}

std::string draw_caption(const std::vector<std::string>& captions, const CaptionOptions& options,
                         Random& random) {
  return draw_tags(captions.at(random.below(captions.size())), options, random);
}

std::pair<torch::Tensor, torch::Tensor> padded(const std::vector<std::vector<std::int64_t>>& ids,
                                               std::int64_t pad, std::int64_t context, bool pad_to_context) {
  std::size_t longest = 1;
  for (const auto& row : ids) longest = std::max(longest, row.size());
  TORCH_CHECK(static_cast<std::int64_t>(longest) <= context, "a caption of ", longest, " ids, context is ",
              context);
  const std::int64_t length =
      pad_to_context ? context : std::min(context, (static_cast<std::int64_t>(longest) + 7) / 8 * 8);
  const auto count = static_cast<std::int64_t>(ids.size());
  torch::Tensor tokens = torch::full({count, length}, pad, torch::kInt64);
  torch::Tensor valid = torch::zeros({count, length}, torch::kBool);
  std::int64_t* token = tokens.mutable_data_ptr<std::int64_t>();
  bool* real = valid.mutable_data_ptr<bool>();
  for (const auto& row : ids) {
    std::copy(row.begin(), row.end(), token);
    std::fill_n(real, row.size(), true);
    token += length;
    real += length;
  }
  return {tokens, valid};
}

std::pair<torch::Tensor, torch::Tensor> encode_captions(const Tokenizer& tokenizer,
                                                        const std::vector<std::string>& captions,
                                                        const TextFormat& format, bool pad_to_context) {
  std::vector<std::vector<std::int64_t>> ids;
  ids.reserve(captions.size());
  for (const std::string& caption : captions) ids.push_back(encode_caption(tokenizer, caption, format));
  return padded(ids, tokenizer.id(kPad), format.context, pad_to_context);
}

}  // namespace duet
