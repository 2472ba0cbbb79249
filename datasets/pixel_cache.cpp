#include "datasets/pixel_cache.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "core/checksum.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "core/sealed.h"
#include "datasets/loader.h"

namespace duet {
namespace {

// "photos-64-0c1f...": pictures below another root, of another size or rule lie in another file.
std::string stem_of(const Source& source, int side, bool pad) {
  std::error_code ignored;
  const fs::path root = fs::weakly_canonical(source.root.empty() ? fs::path(".") : source.root, ignored);
  std::string name = source.manifest.stem().string();
  if (name.empty()) name = "pictures";
  return cat(name, "-", side, "-",
             checksum(cat(root.string(), "\n", side, pad ? "\npad" : "\n")).substr(0, 16));
}

fs::path default_cache_folder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != 0)
    return fs::path(cache) / "duet";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != 0)
    return fs::path(home) / ".cache" / "duet";
  fail(Exit::usage, "data.cache", "no folder for the cache: HOME is not set", "set data.cache_folder");
}

std::uint64_t half_of_memory() {
  return static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
         static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) / 2;
}

}  // namespace

std::shared_ptr<PixelCache> make_pixel_cache(const Source& source, const Preprocessing& preprocessing,
                                             const LoaderOptions& options) {
  if (options.cache == "none" || !source.has_pictures()) return nullptr;
  const int side = options.cache_size > 0 ? options.cache_size : preprocessing.size;
  const std::uint64_t size = std::uint64_t{3} * static_cast<std::uint64_t>(side) *
                             static_cast<std::uint64_t>(side) * source.pairs.size();
  const bool too_large = size > half_of_memory();
  fs::path folder;
  if (!source.draw && (options.cache == "disk" || too_large))
    folder = options.cache_folder.empty() ? default_cache_folder() : options.cache_folder;
  if (!folder.empty()) check_outside_sealed(folder);
  if (folder.empty()) {
    log_info(cat("pixel cache: about ", human_bytes(size), " of memory when all pictures are in it"));
  } else {
    log_info(cat("pixel cache: about ", human_bytes(size), " in ", folder.string(),
                 options.cache == "memory" ? ", as it would take more than half of the memory" : ""));
  }
  return std::make_shared<PixelCache>(source, preprocessing, side, options.max_pixels, folder);
}

Image picture_of(const Source& source, std::int64_t row, const DecodeOptions& options) {
  return source.draw ? source.draw(row)
                     : load_image(source.path_of(source.pairs.at(static_cast<std::size_t>(row))), options);
}

PixelCache::PixelCache(const Source& source, const Preprocessing& preprocessing, int side,
                       std::int64_t max_pixels, const fs::path& folder)
    : source_(&source),
      pad_(preprocessing.resize == "pad"),
      side_(side),
      decode_{.enough = 2 * side, .max_pixels = max_pixels},
      slots_(source.pairs.size()) {
  if (!folder.empty() && !source.draw)
    file_ = std::make_unique<PixelFile>(folder / stem_of(source, side, pad_));
}

bool PixelCache::claim(Slot& slot) const {
  while (true) {
    int state = slot.state.load(std::memory_order_acquire);
    if (state == kReady || state == kBad) return false;
    if (state == kEmpty && slot.state.compare_exchange_strong(state, kBusy)) return true;
    slot.state.wait(kBusy);
  }
}

std::shared_ptr<const Image> PixelCache::picture(std::int64_t row) {
  Slot& slot = slots_.at(static_cast<std::size_t>(row));
  if (!claim(slot)) return kept(row, slot);
  int state = kEmpty;  // where anything but a bad picture went wrong, the next one tries again
  const auto leave = [&] {
    slot.state.store(state, std::memory_order_release);
    slot.state.notify_all();
  };
  try {
    const auto image = fill(row, slot);
    state = kReady;
    leave();
    return image;
  } catch (const BadImage& error) {
    {
      const std::scoped_lock lock(mutex_);
      why_.emplace(row, error.what());
    }
    state = kBad;
    leave();
    throw;
  } catch (...) {
    leave();
    throw;
  }
}

std::shared_ptr<const Image> PixelCache::fill(std::int64_t row, Slot& slot) {
  if (!file_) {
    slot.image = std::make_shared<const Image>(decoded(row));
    memory_ += slot.image->rgb.size();
    return slot.image;
  }
  slot.key = key_of(row);
  return kept(row, slot);
}

std::shared_ptr<const Image> PixelCache::kept(std::int64_t row, const Slot& slot) {
  if (slot.state.load(std::memory_order_acquire) == kBad) {
    const std::scoped_lock lock(mutex_);
    throw BadImage(why_.at(row));
  }
  if (!file_) return slot.image;
  if (auto image = file_->find(slot.key)) return std::make_shared<const Image>(std::move(*image));
  auto image = std::make_shared<const Image>(decoded(row));
  file_->add(slot.key, *image);
  return image;
}

Image PixelCache::decoded(std::int64_t row) const {
  Image image = picture_of(*source_, row, decode_);
  const int side = pad_ ? std::max(image.width, image.height) : std::min(image.width, image.height);
  if (side <= side_) return image;
  const auto scaled = [&](int length) {
    return std::max(1, static_cast<int>(std::lround(length * (static_cast<double>(side_) / side))));
  };
  return scale_image(image, scaled(image.width), scaled(image.height));
}

std::uint64_t PixelCache::key_of(std::int64_t row) const {
  const Pair& pair = source_->pairs[static_cast<std::size_t>(row)];
  std::error_code error;  // a picture that cannot be looked at cannot be decoded either, which says why
  const std::uintmax_t size = fs::file_size(source_->path_of(pair), error);
  const auto changed = fs::last_write_time(source_->path_of(pair), error).time_since_epoch();
  return hash64(cat(pair.image, "\n", size, "\n", std::chrono::nanoseconds(changed).count()));
}

}  // namespace duet
