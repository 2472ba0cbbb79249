// From rows of a source to batches, by worker threads that run ahead. What a batch holds is a function of
// (seed, step, position, view) alone: any number of workers gives the same bytes.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "datasets/augment.h"
#include "datasets/captions.h"
#include "datasets/source.h"
#include "tensors/batch.h"
#include "text/tokenizer.h"

namespace duet {

struct LoaderOptions {
  int workers = 2;                       // 0: the batch is made by the caller's thread
  int prefetch = 4;                      // batches made ahead
  std::string cache = "memory";          // memory | disk | none: pixels at `cache_size`, decoded once
  std::filesystem::path cache_folder{};  // for disk; empty: $XDG_CACHE_HOME/duet or ~/.cache/duet
  int cache_size = 0;                    // shorter side kept in the cache; 0: the picture size
  double max_bad_fraction = 0.01;        // more unreadable pictures than this is Error(data) with the list
  std::int64_t max_pixels = 100'000'000;
  std::uint64_t seed = 1;
  bool pad_to_context = false;  // true: L = context; false: longest caption, rounded up to 8
};
// How many unreadable pictures are let pass, and what the user calls that number.
struct BadPictureLimit {
  double fraction = 1;  // of all; one is always let pass unless it is 0, all are always too many
  std::string key = "data.max_bad_fraction";
};

// Error(data) with the list when `bad` pictures of the source ({row, why}) are more than `limit` allows.
void check_bad_pictures(const Source& source, const std::map<std::int64_t, std::string>& bad,
                        const BadPictureLimit& limit);

// Keys of [data]: workers, prefetch, cache, cache_folder, cache_size, max_bad_fraction, max_pixels.
LoaderOptions read_loader_options(Config& config);

// The rows of step s: a pure function of the step (src/training/sampler).
using RowsOfStep = std::function<std::vector<std::int64_t>(std::int64_t step)>;

class PixelCache;  // decoded training-size pictures, shared by loaders of the same source

struct LoaderSetting {
  const Source* source = nullptr;        // outlives the loader
  const Tokenizer* tokenizer = nullptr;  // null: no text; nor has a source of pictures alone any
  TextFormat text_format;
  CaptionOptions captions;
  std::vector<ViewSpec> views;  // empty: no pictures; nor has a text any
  Preprocessing preprocessing;
  std::shared_ptr<PixelCache> cache;  // make_pixel_cache; null: decode each time
  bool follows = false;               // Batch::follows is filled too (with a tokenizer)
};

// Reads no picture yet; pictures enter when a loader first needs them. Null for cache = "none", and for a text.
std::shared_ptr<PixelCache> make_pixel_cache(const Source& source, const Preprocessing& preprocessing,
                                             const LoaderOptions& options);

class Loader {
 public:
  Loader(LoaderSetting setting, LoaderOptions options, RowsOfStep rows, std::int64_t first_step,
         std::int64_t end_step);
  ~Loader();     // stops and joins the workers, also in the middle of a batch
  Batch next();  // steps first_step, first_step + 1, ...; an error of a worker is thrown here
  // A row whose picture is unreadable is replaced by the next readable row of the same source (a function of
  // the data), counted once per picture: "path: why", sorted.
  std::vector<std::string> bad_pictures() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// All rows in order, no randomness (Preprocessing only): for embedding and evaluation. Calls
// `consume(first_row, images)` with images [b, 3, S, S] uint8 channels_last; an unreadable picture is white and
// listed in the result as {row, why}; Error(data) with the list as soon as they are more than `limit` allows.
std::vector<std::pair<std::int64_t, std::string>> for_each_image(
    const Source& source, const Preprocessing& preprocessing, int batch, int workers, std::int64_t max_pixels,
    const BadPictureLimit& limit, const std::function<void(std::int64_t, torch::Tensor)>& consume);

}  // namespace duet
