#include "evaluation/retrieval.h"

#include <map>

#include "core/error.h"
#include "core/format.h"

namespace duet {
namespace {

std::span<const float> floats_of(const torch::Tensor& rows) {
  TORCH_CHECK(rows.is_contiguous() && rows.scalar_type() == torch::kFloat32);
  return {rows.data_ptr<float>(), static_cast<std::size_t>(rows.numel())};
}

}  // namespace

RetrievalTask make_task(const Source& source) {
  RetrievalTask task;
  std::map<std::pair<std::int64_t, std::string>, std::int64_t> places;
  for (std::size_t row = 0; row < source.pairs.size(); ++row) {
    const std::int64_t key = source.concept_id(static_cast<std::int64_t>(row));
    task.picture_keys.push_back(key);
    std::vector<std::int64_t>& own = task.picture_queries.emplace_back();
    for (const std::string& caption : source.pairs[row].captions) {
      if (caption.empty()) continue;
      const auto next = static_cast<std::int64_t>(task.queries.size());
      const auto [place, is_new] = places.try_emplace({key, caption}, next);
      own.push_back(place->second);
      if (!is_new) continue;
      task.queries.push_back(caption);
      task.query_keys.push_back(key);
    }
  }
  return task;
}

RetrievalScores rank_pictures(const RetrievalTask& task, const torch::Tensor& texts,
                              const torch::Tensor& images) {
  const torch::Tensor queries = texts.contiguous(), gallery = images.contiguous();
  return rank_queries(floats_of(queries), floats_of(gallery), queries.size(1),
                      answers_by_key(task.query_keys, task.picture_keys));
}

// Image to text. Pictures without a caption are no questions.
RetrievalScores rank_captions(const RetrievalTask& task, const torch::Tensor& texts,
                              const torch::Tensor& images) {
  Answers answers;
  std::vector<std::int64_t> asked;
  for (std::size_t picture = 0; picture < task.picture_queries.size(); ++picture) {
    if (task.picture_queries[picture].empty()) continue;
    answers.group.push_back(static_cast<std::int64_t>(asked.size()));
    answers.rows.push_back(task.picture_queries[picture]);
    asked.push_back(static_cast<std::int64_t>(picture));
  }
  const torch::Tensor queries = images.index_select(0, torch::tensor(asked)), gallery = texts.contiguous();
  return rank_queries(floats_of(queries), floats_of(gallery), queries.size(1), answers);
}

RetrievalResult score_task(const RetrievalTask& task, const torch::Tensor& texts, const torch::Tensor& images) {
  RetrievalResult result;
  result.text_to_image = rank_pictures(task, texts, images);
  result.image_to_text = rank_captions(task, texts, images);
  return result;
}

RetrievalResult evaluate_retrieval(const EmbedSetting& setting, const Source& source) {
  const EmbeddedImages images = embed_images(setting, source);
  // Unreadable pictures leave the gallery, and a query that loses its last picture leaves with them.
  Source readable = source;
  torch::Tensor rows = images.rows;
  if (!images.bad.empty()) {
    const std::vector<std::int64_t> good = readable_rows(source, images.bad);
    if (good.empty())
      fail(Exit::data, source.manifest.string(), "no picture can be read", images.bad.front().second);
    readable = source.subset(good, source.name);
    rows = rows.index_select(0, torch::tensor(good));
  }
  const RetrievalTask task = make_task(readable);
  if (task.queries.empty())
    fail(Exit::data, source.manifest.string(), "has no captions", "evaluation needs captions");
  RetrievalResult result = score_task(task, embed_texts(setting, task.queries), rows);
  result.bad = images.bad;
  return result;
}

nlohmann::json to_json(const RetrievalResult& result, const std::string& data) {
  return {{"data", data},
          {"queries", result.text_to_image.queries},
          {"gallery", result.text_to_image.gallery},
          {"text_to_image", to_json(result.text_to_image)},
          {"image_to_text", to_json(result.image_to_text)}};
}

}  // namespace duet
