#include "cli/engine.h"
#include "cli/engine/run_setting.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "retrieval/bundle.h"
#include "retrieval/candidates.h"
#include "run/bundle_model.h"

namespace duet {
namespace {

Item item_of(const Pair& pair) {
  return {
      .path = pair.image, .captions = pair.captions, .concept_key = pair.concept_key, .columns = pair.columns};
}

}  // namespace

int run_index(const IndexOptions& options) {
  const SavedModel saved = load_saved_model(options.run, options.checkpoint, options.device);
  saved.texts();
  saved.pictures();
  if (options.out.empty() && saved.folder == fs::path(options.run)) {
    fail(Exit::usage, options.run, "is a sealed folder, in which no index has a place", "give --out BUNDLE");
  }
  const Source source = read_pictures(options.images, options.root, saved.recipe);
  if (!options.factory.empty()) {  // refused before the work, not after it
    parse_factory(options.factory, static_cast<std::int64_t>(source.pairs.size()),
                  saved.model->retrieval_dimension());
  }
  EmbedSetting setting = embed_setting_of(saved, options.batch);
  setting.progress = true;
  const EmbeddedImages images = embed_images(setting, source);
  warn_bad_pictures(source, images.bad);
  const std::vector<std::int64_t> rows = readable_rows(source, images.bad);
  BundleContent content;
  for (const std::int64_t row : rows)
    content.items.push_back(item_of(source.pairs[static_cast<std::size_t>(row)]));
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
  log_info(cat(grouped(static_cast<std::int64_t>(rows.size())), " pictures in ", out.string(),
               "; try: duet search \"...\" -b ", out.string()));
  return 0;
}

}  // namespace duet
