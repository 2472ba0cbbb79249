// Text-to-image and image-to-text retrieval on a labelled split: any picture of the query's concept is right,
// and any of the picture's own captions. A picture without a concept is one of its own.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "evaluation/embed.h"
#include "retrieval/metrics.h"

namespace duet {

// A split as questions: distinct captions, and by which keys captions and pictures belong together.
struct RetrievalTask {
  std::vector<std::string> queries;        // distinct (caption, concept) pairs, in order of first appearance
  std::vector<std::int64_t> query_keys;    // concept ids
  std::vector<std::int64_t> picture_keys;  // one a picture of the source
  std::vector<std::vector<std::int64_t>> picture_queries;  // its captions' places in `queries`; may be none
};
RetrievalTask make_task(const Source& source);

struct RetrievalResult {
  RetrievalScores text_to_image, image_to_text;
  BadRows bad;  // unreadable pictures, left out of the gallery
};
RetrievalResult evaluate_retrieval(const EmbedSetting& setting, const Source& source);
RetrievalScores rank_pictures(const RetrievalTask& task, const torch::Tensor& texts,
                              const torch::Tensor& images);  // text to image
RetrievalResult score_task(const RetrievalTask& task, const torch::Tensor& texts, const torch::Tensor& images);

// {"data", "queries", "gallery", "text_to_image": {...}, "image_to_text": {...}}
nlohmann::json to_json(const RetrievalResult& result, const std::string& data);

}  // namespace duet
