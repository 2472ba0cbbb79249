#include <set>

#include "cli/engine.h"
#include "cli/engine/run_setting.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "run/bundle_model.h"
#include "retrieval/bundle.h"

namespace duet {
namespace {

Item item_of(const Pair& pair) {
  return {.path = pair.image, .captions = pair.captions, .concept_key = pair.concept_key, .columns = pair.columns};
}

}  // namespace

int run_index(const IndexOptions& options) {
  const SavedModel saved = load_saved_model(options.run, options.checkpoint, options.device);
  const Source source = read_pictures(options.images, options.root, saved.recipe);
  EmbedSetting setting = embed_setting_of(saved, options.batch);
  setting.progress = true;
  const EmbeddedImages images = embed_images(setting, source);
  warn_bad_pictures(source, images.bad);
  std::set<std::int64_t> bad;
  for (const auto& [row, why] : images.bad) bad.insert(row);
  std::vector<std::int64_t> rows;
  BundleContent content;
  for (std::int64_t row = 0; row < static_cast<std::int64_t>(source.pairs.size()); ++row) {
    if (bad.contains(row)) continue;
    rows.push_back(row);
    content.items.push_back(item_of(source.pairs[static_cast<std::size_t>(row)]));
  }
  if (rows.empty()) fail(Exit::data, options.images, "holds no picture that can be read");
  const torch::Tensor vectors = images.rows.index_select(0, torch::tensor(rows)).contiguous();
  const fs::path out = options.out.empty() ? fs::path(options.run) / "index" : fs::path(options.out);
  fs::create_directories(out);
  const fs::path model_folder = temporary_beside(out / "model");
  fs::create_directories(model_folder);
  save_bundle_model(*saved.model, saved.texts(), saved.recipe, model_folder);
  content.rows = {vectors.data_ptr<float>(), static_cast<std::size_t>(vectors.numel())};
  content.dimension = vectors.size(1);
  content.columns = source.columns;
  content.picture_root = source.root;
  content.model_folder = model_folder;
  content.model_identity = saved.identity;
  write_bundle(out, content, {.factory = options.factory});
  fs::remove_all(model_folder);
  log_info(cat(grouped(static_cast<std::int64_t>(rows.size())), " pictures in ", out.string(), "; try: duet search \"...\" -b ", out.string()));
  return 0;
}

}  // namespace duet
