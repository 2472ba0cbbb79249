// What the loader costs on one core: pictures a second of CPU time, by augmentation and for whole batches.
//   loader_bench [PICTURES [SIZE]]     default 2048 pictures of 64 x 64, drawn by the `shapes` source
#include <sys/resource.h>

#include <cstdlib>
#include <iostream>
#include <opencv2/core/utility.hpp>
#include <string>
#include <vector>

#include "core/format.h"
#include "core/log.h"
#include "datasets/loader.h"
#include "datasets/pixel_cache.h"

namespace {

using namespace duet;

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

// The fastest of five rounds: others use the machine as well.
template <class Round>
void report(const std::string& name, std::int64_t pictures, Round&& round) {
  double best = 1e30;
  for (int i = 0; i < 5; ++i) {
    const double start = cpu_seconds();
    round();
    best = std::min(best, cpu_seconds() - start);
  }
  const auto count = static_cast<double>(pictures);
  std::cout << name << std::string(42 - std::min<std::size_t>(41, name.size()), ' ')
            << grouped(static_cast<std::int64_t>(count / best)) << " pictures/s, "
            << fixed(1e6 * best / count, 1) << " us each\n";
}

}  // namespace

int main(int argc, char** argv) {
  set_verbosity(Verbosity::quiet);
  cv::setNumThreads(1);
  const std::int64_t pictures = argc > 1 ? std::atoll(argv[1]) : 2048, batch = 256;
  Preprocessing preprocessing;
  preprocessing.size = argc > 2 ? std::atoi(argv[2]) : 64;
  const Source source = read_source(
      {.data = cat("shapes:", pictures, ":1"), .root = {}, .image_column = {}, .caption_columns = {}});
  const Tokenizer tokenizer = [&] {
    std::vector<std::string> captions;
    for (const Pair& pair : source.pairs)
      captions.insert(captions.end(), pair.captions.begin(), pair.captions.end());
    return Tokenizer::train(captions, {.vocabulary = 500, .model = {}});
  }();
  const auto cache = make_pixel_cache(source, preprocessing, {});
  report("first epoch: drawn, into the cache", pictures, [&] {
    const auto fresh = make_pixel_cache(source, preprocessing, {});
    for (std::int64_t row = 0; row < pictures; ++row) fresh->picture(row);
  });
  for (std::int64_t row = 0; row < pictures; ++row) cache->picture(row);

  const Augmentation usual{.crop_low = 0.5, .rotation = 12, .hue = 0.04};
  const std::vector<std::pair<std::string, Augmentation>> kinds = {
      {"nothing random", {}},
      {"flip", {.flip = 0.5}},
      {"crop", {.crop_low = 0.5}},
      {"rotation", {.rotation = 12}},
      {"crop, rotation, hue", usual},
      {"all colour jitter", {.brightness = 0.4, .contrast = 0.4, .saturation = 0.4, .hue = 0.1}},
      {"blur", {.blur = 1}}};
  std::vector<std::uint8_t> view(static_cast<std::size_t>(3 * preprocessing.size * preprocessing.size));
  for (const auto& [name, augmentation] : kinds) {
    report("augment: " + name, pictures, [&] {
      for (std::int64_t row = 0; row < pictures; ++row) {
        Random random(seed_of(1, "view", row));
        augment_into(view.data(), *cache->picture(row), augmentation, preprocessing, preprocessing.size,
                     random);
      }
    });
  }

  LoaderSetting setting;
  setting.source = &source;
  setting.text_format = {.context = 32};
  setting.views = {{.name = "main", .augmentation = usual}};
  setting.preprocessing = preprocessing;
  setting.cache = cache;
  const auto rows = [&](std::int64_t step) {
    std::vector<std::int64_t> chosen;
    for (std::int64_t i = 0; i < batch; ++i) chosen.push_back((step * batch + 7 * i) % pictures);
    return chosen;
  };
  for (const auto& [text, workers] : {std::pair{false, 0}, {true, 0}, {true, 1}}) {
    setting.tokenizer = text ? &tokenizer : nullptr;
    const std::int64_t steps = std::max<std::int64_t>(8, pictures / batch);
    report(cat("batches of 256", text ? " with captions" : "", ", ", workers, " workers"), steps * batch, [&] {
      Loader loader(setting, {.workers = workers}, rows, 0, steps);
      for (std::int64_t step = 0; step < steps; ++step) loader.next();
    });
  }
  return 0;
}
