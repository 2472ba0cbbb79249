#include "datasets/loader.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <opencv2/core/utility.hpp>
#include <string_view>
#include <tuple>

#include "core/checksum.h"
#include "core/error.h"
#include "core/format.h"
#include "core/random.h"
#include "datasets/in_order.h"
#include "datasets/pixel_cache.h"

namespace duet {
namespace {

using BadRows = std::map<std::int64_t, std::string>;  // row -> why

struct Made {
  Batch batch;
  BadRows bad;  // rows that had to be replaced
};

// OpenCV's own threads would fight with those of the loader and of the training for the same cores.
void use_one_opencv_thread() {
  [[maybe_unused]] static const bool once = [] {
    cv::setNumThreads(1);
    return true;
  }();
}

std::int64_t size_of(const Source& source) { return static_cast<std::int64_t>(source.pairs.size()); }

std::string place_of(const Source& source) {
  return source.manifest.empty() ? source.name : source.manifest.string();
}

std::vector<std::string> listed(const Source& source, const BadRows& bad) {
  std::vector<std::string> lines;
  for (const auto& [row, why] : bad)
    lines.push_back(cat(source.path_of(source.pairs[static_cast<std::size_t>(row)]).string(), ": ", why));
  std::sort(lines.begin(), lines.end());
  return lines;
}

// One unreadable picture is let pass in small data as well, unless none is allowed; all are always too many.
bool too_many(const Source& source, const BadRows& bad, double fraction) {
  const double allowed = fraction > 0 ? std::max(1.0, fraction * static_cast<double>(source.pairs.size())) : 0;
  return static_cast<double>(bad.size()) > allowed || (!bad.empty() && bad.size() == source.pairs.size());
}

[[noreturn]] void fail_with_list(const Source& source, const BadRows& bad, const BadPictureLimit& limit) {
  constexpr std::size_t kListed = 10;
  std::vector<std::string> lines = listed(source, bad);
  std::string what =
      cat(grouped(static_cast<std::int64_t>(bad.size())), " of ", grouped(size_of(source)),
          " pictures cannot be read",
          bad.size() < source.pairs.size() ? cat(", more than ", limit.key, " = ", limit.fraction, " allows:")
                                           : std::string(", and so none is left:"));
  for (std::size_t i = 0; i < std::min(kListed, lines.size()); ++i) what += cat("\n  ", lines[i]);
  if (lines.size() > kListed) what += cat("\n  and ", lines.size() - kListed, " more so far");
  fail(Exit::data, place_of(source), what, cat("`duet data check ", place_of(source), "` lists them all"));
}

torch::Tensor empty_pictures(std::int64_t count, int size) {
  return torch::empty({count, 3, size, size},
                      torch::TensorOptions(torch::kUInt8).memory_format(torch::MemoryFormat::ChannelsLast));
}

// Picture `index` of a channels_last tensor: [size, size, 3] one after the other.
std::uint8_t* pixels_of(const torch::Tensor& pictures, std::int64_t index) {
  return pictures.mutable_data_ptr<std::uint8_t>() + index * pictures.stride(0);
}

std::int64_t hash_of(const std::vector<std::int64_t>& ids) {
  return std::bit_cast<std::int64_t>(
      hash64({reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(std::int64_t)}));
}

// Makes the batch of a step. Nothing in it changes, so that all workers share one.
class BatchMaker {
 public:
  BatchMaker(LoaderSetting setting, const LoaderOptions& options, RowsOfStep rows)
      : setting_(std::move(setting)),
        seed_(options.seed),
        pad_to_context_(options.pad_to_context),
        max_bad_fraction_(options.max_bad_fraction),
        rows_(std::move(rows)),
        decode_{.enough = 0, .max_pixels = options.max_pixels} {
    if (!source().has_pictures()) setting_.views.clear();
    if (!source().has_texts()) setting_.tokenizer = nullptr;
    for (ViewSpec& view : setting_.views) {
      if (view.size == 0) view.size = setting_.preprocessing.size;
      decode_.enough = std::max(decode_.enough, 2 * view.size);
    }
  }

  const Source& source() const { return *setting_.source; }

  Made make(std::int64_t step, const std::atomic<bool>& stop) const {
    Made made;
    made.batch.source = source().name;
    made.batch.rows = rows_(step);
    if (!setting_.views.empty()) add_views(step, stop, made);
    add_ids(made.batch);
    if (setting_.tokenizer != nullptr) add_captions(step, made.batch);
    return made;
  }

 private:
  void add_views(std::int64_t step, const std::atomic<bool>& stop, Made& made) const {
    Batch& batch = made.batch;
    for (const ViewSpec& view : setting_.views)
      batch.views[view.name] = empty_pictures(view.count * batch.size(), view.size);
    for (std::int64_t i = 0; i < batch.size(); ++i) {
      if (stop) throw Stopped();
      const auto picture = readable(batch.rows[static_cast<std::size_t>(i)], made.bad);
      if (!picture) return;  // too many cannot be read: the run ends when this batch is due
      for (const ViewSpec& view : setting_.views) {
        for (int copy = 0; copy < view.count; ++copy) {
          Random random(seed_of(seed_, "view", step, i, view.name, copy));
          augment_into(pixels_of(batch.views[view.name], copy * batch.size() + i), *picture, view.augmentation,
                       setting_.preprocessing, view.size, random);
        }
      }
    }
  }

  // The row's picture. Where it cannot be read, `row` moves on to the next one that can. Null: too many cannot.
  std::shared_ptr<const Image> readable(std::int64_t& row, BadRows& bad) const {
    while (true) {
      try {
        if (setting_.cache) return setting_.cache->picture(row);
        return std::make_shared<const Image>(picture_of(source(), row, decode_));
      } catch (const BadImage& error) {
        bad.emplace(row, error.what());
        if (too_many(source(), bad, max_bad_fraction_)) return nullptr;
        row = (row + 1) % size_of(source());
      }
    }
  }

  void add_ids(Batch& batch) const {
    batch.image_id = torch::empty({batch.size()}, torch::kInt64);
    batch.concept_id = torch::empty({batch.size()}, torch::kInt64);
    auto* image = batch.image_id.mutable_data_ptr<std::int64_t>();
    auto* concept_of = batch.concept_id.mutable_data_ptr<std::int64_t>();
    for (const std::int64_t row : batch.rows) {
      *image++ = source().image_id(row);
      *concept_of++ = source().concept_id(row);
    }
    batch.caption_id = batch.image_id.clone();  // without text a pair is its own picture's only positive
  }

  void add_captions(std::int64_t step, Batch& batch) const {
    std::vector<std::vector<std::int64_t>> ids, follows;
    auto* caption_id = batch.caption_id.mutable_data_ptr<std::int64_t>();
    for (std::size_t i = 0; i < batch.rows.size(); ++i) {
      const Pair& pair = source().pairs.at(static_cast<std::size_t>(batch.rows[i]));
      if (pair.captions.empty())
        fail(Exit::data, source().place_of(pair), cat("'", pair.image, "' has no caption"));
      Random random(seed_of(seed_, "caption", step, i));
      const std::size_t drawn = random.below(pair.captions.size());
      ids.push_back(encoded(draw_tags(pair.captions[drawn], setting_.captions, random)));
      caption_id[i] = hash_of(ids.back());
      if (setting_.follows) follows.push_back(follow_of(step, i, batch.rows[i], drawn));
    }
    std::tie(batch.tokens, batch.valid) = padded_captions(ids);
    if (setting_.follows) std::tie(batch.follows, batch.follows_valid) = padded_captions(follows);
  }

  // What stands beside the caption that row `i` of the batch shows; empty where nothing does.
  std::vector<std::int64_t> follow_of(std::int64_t step, std::size_t i, std::int64_t row,
                                      std::size_t caption) const {
    const std::vector<std::string> beside = source().follows(row, caption);
    if (beside.empty()) return {};
    Random random(seed_of(seed_, "follows", step, i));
    return encoded(draw_caption(beside, setting_.captions, random));
  }

  std::vector<std::int64_t> encoded(const std::string& caption) const {
    return encode_caption(*setting_.tokenizer, caption, setting_.text_format);
  }

  std::pair<torch::Tensor, torch::Tensor> padded_captions(
      const std::vector<std::vector<std::int64_t>>& ids) const {
    return padded(ids, setting_.tokenizer->id(kPad), setting_.text_format.context, pad_to_context_);
  }

  LoaderSetting setting_;
  std::uint64_t seed_;
  bool pad_to_context_;
  double max_bad_fraction_;
  RowsOfStep rows_;
  DecodeOptions decode_;
};

}  // namespace

void check_bad_pictures(const Source& source, const BadRows& bad, const BadPictureLimit& limit) {
  if (too_many(source, bad, limit.fraction)) fail_with_list(source, bad, limit);
}

LoaderOptions read_loader_options(Config& config) {
  LoaderOptions options;
  options.workers = static_cast<int>(config.integer("workers", options.workers, 0, 256));
  options.prefetch = static_cast<int>(config.integer("prefetch", options.prefetch, 1, 1024));
  options.cache = config.choice("cache", options.cache, {"memory", "disk", "none"});
  options.cache_folder = config.text("cache_folder", options.cache_folder.string());
  options.cache_size = static_cast<int>(config.integer("cache_size", options.cache_size, 0, 8192));
  options.max_bad_fraction = config.number("max_bad_fraction", options.max_bad_fraction, {0, 1});
  options.max_pixels = config.integer("max_pixels", options.max_pixels, 1, 1'000'000'000'000);
  return options;
}

struct Loader::Impl {
  BatchMaker maker;
  double max_bad_fraction;
  BadRows bad;            // of the batches handed over: a function of the data alone, not of who runs ahead
  InOrder<Made> batches;  // last: its threads use the others

  Impl(LoaderSetting setting, const LoaderOptions& options, RowsOfStep rows, std::int64_t first,
       std::int64_t end)
      : maker(std::move(setting), options, std::move(rows)),
        max_bad_fraction(options.max_bad_fraction),
        batches([this](std::int64_t step, const std::atomic<bool>& stop) { return maker.make(step, stop); },
                first, end, options.workers, options.prefetch) {}
};

Loader::Loader(LoaderSetting setting, LoaderOptions options, RowsOfStep rows, std::int64_t first_step,
               std::int64_t end_step) {
  use_one_opencv_thread();
  impl_ = std::make_unique<Impl>(std::move(setting), options, std::move(rows), first_step, end_step);
}

Loader::~Loader() = default;

Batch Loader::next() {
  Made made = impl_->batches.next();
  if (!made.bad.empty()) {
    impl_->bad.merge(made.bad);
    check_bad_pictures(impl_->maker.source(), impl_->bad, {.fraction = impl_->max_bad_fraction});
  }
  return std::move(made.batch);
}

std::vector<std::string> Loader::bad_pictures() const { return listed(impl_->maker.source(), impl_->bad); }

std::vector<std::pair<std::int64_t, std::string>> for_each_image(
    const Source& source, const Preprocessing& preprocessing, int batch, int workers, std::int64_t max_pixels,
    const BadPictureLimit& limit, const std::function<void(std::int64_t, torch::Tensor)>& consume) {
  struct Part {
    torch::Tensor images;
    BadRows bad;
  };
  use_one_opencv_thread();
  if (!source.pairs.empty() && !source.has_pictures())
    fail(Exit::data, place_of(source), "is a text without pictures",
         "give a manifest (.csv, .tsv) or a folder of pictures");
  const std::int64_t rows = size_of(source), parts = (rows + batch - 1) / batch;
  const DecodeOptions decode{.enough = 2 * preprocessing.size, .max_pixels = max_pixels};
  const auto make = [&](std::int64_t index, const std::atomic<bool>& stop) {
    const std::int64_t first = index * batch, count = std::min<std::int64_t>(batch, rows - first);
    Part part{empty_pictures(count, preprocessing.size), {}};
    for (std::int64_t i = 0; i < count; ++i) {
      if (stop) throw Stopped();
      Image image;
      try {
        image = resize_image(picture_of(source, first + i, decode), preprocessing);
      } catch (const BadImage& error) {
        part.bad.emplace(first + i, error.what());
        image = blank_image(preprocessing.size, preprocessing.size);
      }
      std::memcpy(pixels_of(part.images, i), image.rgb.data(), image.rgb.size());
    }
    return part;
  };
  BadRows bad;
  InOrder<Part> in_order(make, 0, parts, workers, 2 * workers);
  for (std::int64_t index = 0; index < parts; ++index) {
    Part part = in_order.next();
    bad.merge(part.bad);
    check_bad_pictures(source, bad, limit);
    consume(index * batch, std::move(part.images));
  }
  return {bad.begin(), bad.end()};
}

}  // namespace duet
