#include "drawn_task.h"

#include <array>

#include "adaptation/tower_input.h"
#include "core/format.h"
#include "encoders/blocks.h"

namespace duet::testing {
namespace {

constexpr std::array kColours = {"red", "orange", "yellow", "green", "cyan", "blue", "purple", "black"};
constexpr std::int64_t kValidation = 20, kAsked = 20;  // of each class

std::int64_t colour_in(const std::string& caption) {
  for (std::size_t i = 0; i < kColours.size(); ++i) {
    if (caption.find(cat(" ", kColours[i], " ")) != std::string::npos) return static_cast<std::int64_t>(i);
  }
  return -1;
}

SavedModel saved_model(const std::string& towers, const Source& source) {
  const bool pictures = towers.find("[image]") != std::string::npos,
             texts = towers.find("[text]") != std::string::npos;
  const char* objective = !texts ? "rotation" : !pictures ? "masked_lm" : "info_nce";
  Config config =
      Config::parse(cat("[data]\ntrain = \"shapes\"\n[tokenizer]\nvocabulary = 300\n[train]\nsteps = 1\n",
                        "[[objective]]\nkind = \"", objective, "\"\n", towers),
                    "test.toml");
  SavedModel saved{
      .recipe = read_recipe(config), .tokenizer = {}, .model = {}, .identity = towers, .folder = "untrained"};
  if (saved.recipe.model.text.make) {
    std::vector<std::string> captions;
    for (const Pair& pair : source.pairs) captions.push_back(pair.captions.front());
    saved.tokenizer = Tokenizer::train(captions, saved.recipe.tokenizer);
  }
  saved.model =
      std::make_shared<Model>(saved.recipe.model, saved.tokenizer ? saved.tokenizer->vocabulary() : 0, 3);
  saved.model->eval();
  return saved;
}

Labelled labelled(Source source, Items items, std::int64_t classes) {
  Labelled data;
  data.texts = items != Items::pictures;
  const std::vector<Pair> all = source.pairs;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::int64_t colour = colour_in(all[i].captions.front());
    std::int64_t label = colour < classes ? colour : -1;
    if (items == Items::pairs) {
      const Pair& other = all[(i * 7 + 1) % all.size()];
      source.pairs[i].captions = {all[i].captions.front(), other.captions.front()};
      label = colour == colour_in(other.captions.front()) ? 1 : 0;
    }
    data.labels.push_back({label});
    data.contents.push_back(cat("item ", i));
  }
  data.groups = data.contents;
  for (std::int64_t i = 0; i < classes; ++i) data.classes.emplace_back(kColours[static_cast<std::size_t>(i)]);
  if (items == Items::pairs) data.classes = {"another", "the same"};
  data.source = std::move(source);
  return data;
}

}  // namespace

Part DrawnTask::part_of(const std::vector<std::int64_t>& rows) const {
  Part part{.data = &data, .items = rows, .tower = {}, .rows = {}, .labels = {}};
  std::vector<std::int64_t> labels;
  for (const std::int64_t row : rows) labels.push_back(data.labels[static_cast<std::size_t>(row)].front());
  part.labels = torch::tensor(labels);
  const TowerInputs inputs(task.setting, part, false);
  part.tower = inputs.head_inputs(task.setting, "tower");
  if (saved.model->retrieval_dimension() > 0 && !holds_pairs(data))
    part.rows = inputs.head_inputs(task.setting, "rows");
  return part;
}

DrawnTask::DrawnTask(const std::string& towers, Items items, std::int64_t shots, std::int64_t classes)
    : saved(saved_model(towers, read_source({.data = "shapes:900:5"}))),
      data(labelled(read_source({.data = "shapes:900:5"}), items, classes)) {
  const auto count = static_cast<std::int64_t>(data.classes.size());
  task.classes = count;
  task.saved = &saved;
  task.setting = embed_setting_of(saved);
  task.setting.workers = 0;
  task.logit_scale = 20;
  std::vector<std::int64_t> taken(static_cast<std::size_t>(count));
  std::vector<std::vector<std::int64_t>> rows(3);
  for (std::int64_t row = 0; row < data.size(); ++row) {
    const std::int64_t label = data.labels[static_cast<std::size_t>(row)].front();
    if (label < 0) continue;
    const std::int64_t place = taken[static_cast<std::size_t>(label)]++;
    if (place < shots + kValidation + kAsked)
      rows[place < shots ? 0 : place < shots + kValidation ? 1 : 2].push_back(row);
  }
  support = part_of(rows[0]);
  validation = part_of(rows[1]);
  asked = part_of(rows[2]);
  answers = std::exchange(asked.labels, torch::Tensor());
  if (saved.model->retrieval_dimension() > 0 && saved.tokenizer && items != Items::pairs) {
    task.name_vectors = one_name_each(unit(embed_texts(task.setting, data.classes)));
  }
  for (const auto& [name, tensor] : tensors_of(*saved.model)) before[name] = tensor.detach().clone();
}

}  // namespace duet::testing
