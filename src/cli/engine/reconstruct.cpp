#include <algorithm>
#include <iostream>
#include <numeric>

#include "cli/engine.h"
#include "cli/engine/run_setting.h"
#include "cli/guard.h"
#include "cli/json_text.h"
#include "cli/terminal.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "core/random.h"
#include "core/sealed.h"
#include "losses/shown.h"
#include "report/page.h"
#include "training/saved_objectives.h"

namespace duet {
namespace {

struct Shown {
  std::string name, kind;
  PictureGuess guess;
};

// Rows of the source, drawn by the seed, in the source's order.
std::vector<std::int64_t> drawn_rows(const Source& source, const ReconstructOptions& options) {
  std::vector<std::int64_t> rows(source.pairs.size());
  std::iota(rows.begin(), rows.end(), 0);
  Random random(seed_of(static_cast<std::uint64_t>(options.seed), "reconstruct"));
  random.shuffle(std::span(rows));
  rows.resize(std::min(rows.size(), static_cast<std::size_t>(options.count)));
  std::sort(rows.begin(), rows.end());
  return rows;
}

struct Pictures {
  torch::Tensor pixels;  // [N, 3, S, S] uint8
  std::vector<std::string> names;
};

// Those that can be read; Error(data) when none can.
Pictures read_drawn(const Source& source, const SavedModel& saved) {
  std::vector<torch::Tensor> parts;
  const BadRows bad = for_each_image(source, saved.recipe.preprocessing, static_cast<int>(source.pairs.size()),
                                     1, saved.recipe.data.loader.max_pixels, {},
                                     [&](std::int64_t, torch::Tensor images) { parts.push_back(images); });
  warn_bad_pictures(source, bad);
  const std::vector<std::int64_t> rows = readable_rows(source, bad);
  Pictures pictures{
      .pixels =
          torch::cat(parts).index_select(0, torch::tensor(rows)).contiguous(at::MemoryFormat::ChannelsLast),
      .names = {}};
  for (const std::int64_t row : rows)
    pictures.names.push_back(source.pairs[static_cast<std::size_t>(row)].image);
  return pictures;
}

PictureGuess show(const SavedModel& saved, const SavedObjectives::Able<ShowsPictures>& able,
                  const torch::Tensor& pixels, const ReconstructOptions& options) {
  Batch batch;
  for (const std::string& view : able.needs->views) batch.views[view] = pixels;
  batch.rows.resize(static_cast<std::size_t>(pixels.size(0)));
  const auto seed = static_cast<std::uint64_t>(options.seed);
  EncodedBatch encoded(*saved.model, batch,
                       {.device = saved.device,
                        .precision = choose_precision(saved.recipe.train.precision, saved.device),
                        .seed = seed});
  torch::manual_seed(seed_of(seed, "show", able.name));
  return able.ability->show(encoded);
}

std::string png_of(const torch::Tensor& picture) {  // [3, H, W] uint8
  const auto rows = picture.permute({1, 2, 0}).contiguous();
  Image image = blank_image(static_cast<int>(rows.size(1)), static_cast<int>(rows.size(0)));
  std::copy_n(rows.const_data_ptr<std::uint8_t>(), image.rgb.size(), image.rgb.begin());
  return png_bytes(image);
}

std::string numbers_of(const PictureGuess& guess) {
  std::vector<std::string> said;
  for (std::string name : {"accuracy", "chance", "mean_error", "explained"}) {
    for (const auto& [key, value] : guess.numbers) {
      if (key != name) continue;
      std::replace(name.begin(), name.end(), '_', ' ');
      said.push_back(cat(name, " ", fixed(value, 3)));
    }
  }
  return joined(said);
}

Sheet sheet_of(const Shown& shown, const std::vector<std::string>& names) {
  Sheet sheet{.title = shown.name == shown.kind ? shown.name : cat(shown.name, " (", shown.kind, ")"),
              .note = numbers_of(shown.guess),
              .cards = {}};
  for (std::size_t row = 0; row < names.size(); ++row) {
    Card card{.pictures = {},
              .words = shown.guess.words[row],
              .right = shown.guess.right.empty() ? -1 : static_cast<int>(shown.guess.right[row])};
    for (const auto& [name, pictures] : shown.guess.columns) {
      card.pictures.push_back({.bytes = png_of(pictures[static_cast<std::int64_t>(row)].to(torch::kCPU)),
                               .title = names[row],
                               .caption = name});
    }
    sheet.cards.push_back(std::move(card));
  }
  return sheet;
}

void write_page(const fs::path& file, const SavedModel& saved, const ReconstructOptions& options,
                const std::vector<Shown>& all, const std::vector<std::string>& names) {
  Page page{
      .title = cat("What ", fs::absolute(options.run).lexically_normal().filename().string(), " has learned"),
      .subtitle = cat("pictures of ", options.images, " as its objectives see them")};
  page.facts = {{"step", grouped(saved.step)},
                {"pictures", grouped(static_cast<std::int64_t>(names.size()))},
                {"seed", cat(options.seed)}};
  for (const Shown& shown : all) page.sheets.push_back(sheet_of(shown, names));
  replace_file(file, to_html(page));
}

void print(const SavedModel& saved, const ReconstructOptions& options, const std::vector<Shown>& all,
           std::size_t pictures) {
  if (!options.json) {
    for (const Shown& shown : all)
      std::cout << padded(shown.name, 20) << " " << numbers_of(shown.guess) << "\n";
    return;
  }
  nlohmann::ordered_json objectives = nlohmann::ordered_json::object();
  for (const Shown& shown : all) {
    nlohmann::ordered_json& one = objectives[shown.name];
    one["kind"] = shown.kind;
    for (const auto& [name, value] : shown.guess.numbers) one[name] = value;
  }
  const nlohmann::ordered_json results = {{"schema_version", 1},  {"model", saved.identity},
                                          {"step", saved.step},   {"pictures", pictures},
                                          {"seed", options.seed}, {"objectives", objectives}};
  std::cout << json_text(results);
}

}  // namespace

// Every objective sees the same pictures.
int run_reconstruct(const ReconstructOptions& options) {
  const fs::path file =
      options.out.empty() ? fs::path(options.run) / "reconstruct.html" : fs::path(options.out);
  const SavedModel saved = load_saved_model(options.run, options.checkpoint, options.device);
  check_outside_sealed(file);
  check_for_manifests("--root", !options.root.empty(), {options.images});
  SavedObjectives objectives(saved);
  const auto able = objectives.of<ShowsPictures>(
      "objective that shows pictures (inpainting, autoencoder, masked_patch, jigsaw, rotation)",
      options.objective);
  set_compute_threads(0);
  const torch::NoGradGuard no_grad;
  const Source source = read_pictures(options.images, options.root, saved.recipe);
  const Pictures pictures = read_drawn(source.subset(drawn_rows(source, options), source.name), saved);
  std::vector<Shown> all;
  for (const auto& one : able) all.push_back({one.name, one.kind, show(saved, one, pictures.pixels, options)});
  print(saved, options, all, pictures.names.size());
  flush_output();  // before the writing, which may fail
  write_page(file, saved, options, all, pictures.names);
  log_info(cat("page: ", file.string()));
  return 0;
}

}  // namespace duet
