#include <algorithm>

#include "cli/engine.h"
#include "cli/engine/run_setting.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "core/sealed.h"
#include "retrieval/bundle.h"
#include "retrieval/candidates.h"
#include "run/bundle_model.h"

namespace duet {
namespace {

Item item_of(const Pair& pair) {
  return {
      .path = pair.image, .captions = pair.captions, .concept_key = pair.concept_key, .columns = pair.columns};
}

// Pictures that duet draws are no files yet: written to `folder`, a search can show what it found.
void write_drawn(Source& source, const fs::path& folder) {
  make_folder(folder);
  source.root = folder;
  for (std::size_t row = 0; row < source.pairs.size(); ++row) {
    std::string& name = source.pairs[row].image;
    name = fs::path(name).filename().string() + ".png";
    write_png(folder / name, source.draw(static_cast<std::int64_t>(row)));
  }
}

// The bundle's folder, made before the work, so that one that cannot be written is known before it; and in it a
// temporary one for the model, until the bundle has its copy. Both go with the object, the bundle's folder only
// when this made it and nothing came in.
class Workplace {
 public:
  explicit Workplace(const fs::path& out)
      : out_(out), is_new_(make_folder(out)), model_(temporary_beside(out / "model")) {
    remove_leftovers(out_);
    make_folder(model_);
  }
  ~Workplace() {
    std::error_code ignored;
    fs::remove_all(model_, ignored);
    if (is_new_ && !fs::exists(out_ / "CURRENT", ignored)) fs::remove_all(out_ / "drawn", ignored);
    if (is_new_) fs::remove(out_, ignored);
  }
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;
  const fs::path& model() const { return model_; }
  // Where the pictures of "shapes:512:7" go: not among those of another request, that a bundle may name now.
  fs::path drawn(std::string request) const {
    std::ranges::replace(request, ':', '-');
    return out_ / "drawn" / request;
  }

 private:
  fs::path out_;
  bool is_new_;
  fs::path model_;
};

}  // namespace

int run_index(const IndexOptions& options) {
  const fs::path out = options.out.empty() ? fs::path(options.run) / "index" : fs::path(options.out);
  check_outside_sealed(out);
  check_for_manifests("--root", !options.root.empty(), {options.images});
  const SavedModel saved = load_saved_model(options.run, options.checkpoint, options.device);
  saved.texts();
  saved.pictures();
  Source source = read_pictures(options.images, options.root, saved.recipe);
  if (!options.factory.empty()) {  // refused before the work, not after it
    parse_factory(options.factory, static_cast<std::int64_t>(source.pairs.size()),
                  saved.model->retrieval_dimension());
  }
  const Workplace workplace(out);
  EmbedSetting setting = embed_setting_of(saved, options.batch, options.max_bad_fraction);
  setting.progress = true;
  const EmbeddedImages images = embed_images(setting, source);
  warn_bad_pictures(source, images.bad);
  if (source.draw) write_drawn(source, workplace.drawn(options.images));
  const std::vector<std::int64_t> rows = readable_rows(source, images.bad);
  BundleContent content;
  for (const std::int64_t row : rows)
    content.items.push_back(item_of(source.pairs[static_cast<std::size_t>(row)]));
  if (rows.empty()) fail(Exit::data, options.images, "holds no picture that can be read");
  const torch::Tensor vectors = images.rows.index_select(0, torch::tensor(rows)).contiguous();
  content.rows = {vectors.data_ptr<float>(), static_cast<std::size_t>(vectors.numel())};
  content.dimension = vectors.size(1);
  content.columns = source.columns;
  content.picture_root = source.root;
  content.model_folder = workplace.model();
  content.model_identity = saved.identity;
  save_bundle_model(*saved.model, saved.texts(), saved.recipe, workplace.model());
  write_bundle(out, content, {.factory = options.factory});
  log_info(cat(grouped(static_cast<std::int64_t>(rows.size())), " pictures in ", out.string(),
               "; try: duet search \"...\" -b ", out.string()));
  return 0;
}

}  // namespace duet
