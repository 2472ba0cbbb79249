// Pictures of a source at training size, decoded once: in memory, or on disk for later runs as well.
#pragma once
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "datasets/image.h"
#include "datasets/pixel_file.h"
#include "datasets/source.h"

namespace duet {

// Row `row` decoded or drawn. BadImage.
Image picture_of(const Source& source, std::int64_t row, const DecodeOptions& options);

// Any number of threads; a picture is decoded by the one that asks first, and only those that want the same
// wait.
class PixelCache {
 public:
  // Keeps pictures with their shorter side at `side` pixels (resize = "pad": the longer one), smaller ones as
  // they are. `folder` empty: in memory. On disk an entry belongs to path, file size and time of change; drawn
  // pictures are kept in memory. `source` outlives the cache.
  PixelCache(const Source& source, const Preprocessing& preprocessing, int side, std::int64_t max_pixels,
             const std::filesystem::path& folder);

  // BadImage, every time, for a picture that could not be read the first time.
  std::shared_ptr<const Image> picture(std::int64_t row);
  std::uint64_t memory() const { return memory_; }  // bytes of pixels held now

 private:
  enum State : int { kEmpty, kBusy, kReady, kBad };
  struct Slot {
    std::atomic<int> state = kEmpty;
    std::uint64_t key = 0;               // on disk
    std::shared_ptr<const Image> image;  // in memory
  };
  bool claim(Slot& slot) const;  // whether this thread has to fill it; otherwise it is ready or bad
  std::shared_ptr<const Image> fill(std::int64_t row, Slot& slot);
  std::shared_ptr<const Image> kept(std::int64_t row, const Slot& slot);
  Image decoded(std::int64_t row) const;
  std::uint64_t key_of(std::int64_t row) const;

  const Source* source_;
  bool pad_;
  int side_;
  DecodeOptions decode_;
  std::unique_ptr<PixelFile> file_;
  std::vector<Slot> slots_;
  std::atomic<std::uint64_t> memory_ = 0;
  std::mutex mutex_;                         // guards why_
  std::map<std::int64_t, std::string> why_;  // of bad rows
};

}  // namespace duet
