#include <algorithm>
#include <functional>
#include <iostream>
#include <numeric>

#include "adaptation/saved_classifier.h"
#include "cli/classify_output.h"
#include "cli/engine.h"
#include "cli/engine/run_setting.h"
#include "cli/json_text.h"
#include "cli/search_output.h"
#include "cli/terminal.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "evaluation/zero_shot.h"
#include "retrieval/bundle.h"
#include "run/bundle_model.h"

namespace duet {
namespace {

// What is asked: classes, their logits, and by what these are multiplied; `own_scale` is what they hold of a
// scale before that.
struct Judge {
  std::vector<std::string> classes = {};
  std::function<torch::Tensor(const Part&)> logits;  // [n, C]
  double scale = 1, own_scale = 1;
};

SavedModel load_model(const ClassifyOptions& options) {
  std::error_code none;
  if (!fs::exists(fs::path(options.run) / "CURRENT", none))
    return load_saved_model(options.run, options.checkpoint, options.device);
  if (options.checkpoint != ClassifyOptions{}.checkpoint)
    fail(Exit::usage, "--checkpoint", cat(options.run, " is a bundle, which holds one model"),
         "leave it out, or name the run");
  const Bundle bundle = Bundle::open(options.run, true);
  const fs::path folder = bundle.model_folder();
  if (!fs::exists(folder / "image.safetensors"))
    fail(Exit::artifact, options.run, "is a bundle without the picture side of its model",
         "name the run that duet train wrote");
  BundleModel kept = load_bundle_model(folder);
  SavedModel saved{.recipe = std::move(kept.recipe),
                   .tokenizer = Tokenizer::load(folder / "tokenizer.model"),
                   .model = std::move(kept.model),
                   .identity = bundle.model_identity(),
                   .folder = options.run,
                   .device = choose_device(options.device)};
  saved.model->to(saved.device);
  return saved;
}

Judge judge_by_names(const ClassifyOptions& options, const SavedModel& saved, const EmbedSetting& setting,
                     const std::vector<ClassNames>& names, const std::vector<std::string>& templates) {
  if (saved.recipe.model.spaces.empty() && options.texts.empty())
    fail(Exit::usage, saved.folder.string(), "is one tower, which compares no picture with the name of a class",
         "give --model CLASSIFIER, one that duet fewshot or duet evaluate --save wrote");
  saved.texts();
  const NameVectors vectors = name_vectors(setting, saved, names, templates, cache_folder(options.run));
  const double scale = logit_scale_of(*saved.model);
  Judge judge{.logits =
                  [vectors, scale](const Part& items) {
                    return name_logits(rows_beside_names(items.tower, items.rows), vectors, scale);
                  },
              .own_scale = scale};
  for (const ClassNames& one : names) judge.classes.push_back(one.label);
  return judge;
}

constexpr const char* kPairs = "pairs of texts";

SavedClassifier load_examples(const ClassifyOptions& options, const SavedModel& saved,
                              const EmbedSetting& setting) {
  SavedClassifier kept = load_classifier(options.model, saved, setting);
  const bool is_of_pictures = kept.items == "pictures";
  if (!kept.items.empty() && is_of_pictures != options.texts.empty())
    fail(Exit::usage, options.model, cat("learned from ", kept.items),
         is_of_pictures ? "give --images" : "give --texts");
  if (kept.items == kPairs && !options.calibrate.empty())
    fail(Exit::usage, "--calibrate", cat("is not for ", kPairs), "the classifier brings its own scale");
  log_info(cat(options.model, ": ", kept.method, ", ", kept.classes.size(), " classes"));
  return kept;
}

Judge judge_by_examples(SavedClassifier kept) {
  const std::shared_ptr<Classifier> classifier = std::move(kept.classifier);
  return {.classes = std::move(kept.classes),
          .logits = [classifier](const Part& items) { return classifier->logits(items); },
          .scale = kept.calibration};
}

// Rows of the items that have a content, as a classifier sees them.
Part part_of(const Labelled& items, const Features& features) {
  Part part;
  part.data = &items;
  part.items = readable_rows(items.source, features.bad);
  const torch::Tensor rows = torch::tensor(part.items, torch::kLong);
  if (features.tower.defined()) part.tower = features.tower.index_select(0, rows);
  if (features.rows.defined()) part.rows = features.rows.index_select(0, rows);
  return part;
}

double scale_on(const ClassifyOptions& options, const Judge& judge, const SavedModel& saved,
                const EmbedSetting& setting) {
  const Labelled items = with_classes(read_labelled({.data = options.calibrate,
                                                     .root = options.root,
                                                     .label_column = options.label_column,
                                                     .texts = !options.texts.empty(),
                                                     .text_column = options.text_column}),
                                      judge.classes);
  const Features features = features_of(setting, saved, items, cache_folder(options.run));
  if (!items.texts) warn_bad_pictures(items.source, features.bad);
  const Part part = part_of(items, features);
  if (part.items.empty()) fail(Exit::data, options.calibrate, "holds no picture that can be read");
  std::vector<std::int64_t> labels;
  for (const std::int64_t row : part.items)
    labels.push_back(items.labels[static_cast<std::size_t>(row)].front());
  const double scale = calibrated_scale(judge.logits(part), torch::tensor(labels, torch::kLong));
  log_info(cat("logits times ", fixed(scale * judge.own_scale, 2), ", by ", grouped(std::ssize(labels)),
               " labelled items of ", options.calibrate, " (", fixed(judge.scale * judge.own_scale, 2),
               " without them)"));
  return scale;
}

// What is worth asking. The answers are as many as the rows of the input, some without a class.
struct Asked {
  Labelled items;
  std::vector<std::size_t> answers;  // the answer of each item
};

Asked ask_pictures(const ClassifyOptions& options, const SavedModel& saved, Classification& answer) {
  Source source = read_pictures(options.images, options.root, saved.recipe);
  warn_merged_rows(source);
  Asked asked;
  for (const Pair& pair : source.pairs) {
    const fs::path file = fs::absolute(source.path_of(pair)).lexically_normal();
    asked.answers.push_back(answer.items.size());
    answer.items.push_back({.item = pair.image, .file = file.string(), .shown = shown_path(file)});
  }
  asked.items = unlabelled(std::move(source), false);
  return asked;
}

// A text of pieces that no caption had is as near to the name of one class as to another's; a classifier that
// trained its own tower may have seen them.
Asked ask_texts(const ClassifyOptions& options, const EmbedSetting& setting, bool pairs,
                Classification& answer) {
  const std::string name = options.texts == "-" ? "standard input" : options.texts;
  const KnownPieces pieces(setting);
  const auto holds_text = [&](const std::string& text) { return !setting.tokenizer->encode(text).empty(); };
  Source source;
  source.manifest = name;
  Asked asked;
  for (const std::string& line : read_lines(options.texts)) {
    answer.items.push_back({.item = line, .shown = line});
    const std::size_t tab = line.find('\t');
    if (pairs && (tab == std::string::npos || tab != line.rfind('\t')))
      fail(Exit::data, cat(name, ":", answer.items.size()), "is no pair of texts",
           "two texts with a TAB between them are expected");
    const auto texts = pairs ? std::vector{line.substr(0, tab), line.substr(tab + 1)} : std::vector{line};
    if (!std::ranges::all_of(texts, holds_text)) {
      answer.items.back().why = "holds no text";
    } else if (options.model.empty() && !pieces.in(line)) {
      answer.items.back().why = "the model knows no piece of it";
    }
    if (!answer.items.back().why.empty()) continue;
    asked.answers.push_back(answer.items.size() - 1);
    source.pairs.push_back({.captions = texts, .line = std::ssize(answer.items)});
  }
  if (source.pairs.empty())
    fail(Exit::data, name, "has no line with a text that the model knows", "a text a line is expected");
  source.rows = std::ssize(source.pairs);
  asked.items = unlabelled(std::move(source), true);
  return asked;
}

// The `top` likeliest classes, equal ones in their order.
std::vector<std::pair<std::string, double>> likeliest(const torch::Tensor& probabilities, const Judge& judge,
                                                      std::int64_t top) {
  const double* p = probabilities.data_ptr<double>();
  std::vector<std::size_t> order(judge.classes.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [p](std::size_t a, std::size_t b) { return p[a] > p[b]; });
  order.resize(std::min(order.size(), static_cast<std::size_t>(top)));
  std::vector<std::pair<std::string, double>> classes;
  for (const std::size_t c : order) classes.emplace_back(judge.classes[c], p[c]);
  return classes;
}

void answer_all(const Judge& judge, const Asked& asked, const Features& features, std::int64_t top,
                Classification& answer) {
  for (const auto& [row, why] : features.bad)
    answer.items[asked.answers[static_cast<std::size_t>(row)]].why = why;
  const Part part = part_of(asked.items, features);
  if (part.items.empty()) return;
  const torch::Tensor probabilities =
      (judge.logits(part).to(torch::kDouble) * judge.scale).softmax(1).contiguous();
  for (std::size_t i = 0; i < part.items.size(); ++i) {
    Classified& one = answer.items[asked.answers[static_cast<std::size_t>(part.items[i])]];
    const auto at = static_cast<std::int64_t>(i);
    one.classes = likeliest(probabilities[at], judge, top);
  }
}

void warn_unanswered(const Classification& answer, const std::string& name) {
  std::vector<std::string> without;
  for (std::size_t i = 0; i < answer.items.size(); ++i)
    if (!answer.items[i].why.empty()) without.push_back(cat(name, ":", i + 1, ": ", answer.items[i].why));
  if (without.empty()) return;
  const std::size_t shown = std::min<std::size_t>(10, without.size());
  log_warning(cat(without.size(), " of ", answer.items.size(), " texts have no class:\n  ",
                  joined(std::span(without).first(shown), "\n  "), shown < without.size() ? "\n  ..." : ""));
}

std::string form(const Classification& answer, const ClassifyOptions& options) {
  if (options.json) return json_text(answer_json(answer));
  if (options.csv) return answer_csv(answer);
  if (options.out.empty() && stdout_is_terminal()) return answer_table(answer, terminal_columns());
  return answer_lines(answer);
}

}  // namespace

int run_classify(const ClassifyOptions& options) {
  check_out("--out", options.out);
  const bool texts = !options.texts.empty(), by_names = options.model.empty();
  check_for_manifests("--root", !options.root.empty(),
                      texts ? std::vector<std::string>() : given({options.images, options.calibrate}));
  const auto names = by_names ? read_class_names(options.class_names) : std::vector<ClassNames>();
  const auto templates = by_names ? read_templates(options.templates) : std::vector<std::string>();
  const SavedModel saved = load_model(options);
  EmbedSetting setting = embed_setting_of(saved, options.batch, options.max_bad_fraction, options.threads);
  setting.progress = true;
  texts ? static_cast<void>(saved.texts()) : saved.pictures();
  Classification answer{.texts = texts};
  SavedClassifier kept = by_names ? SavedClassifier() : load_examples(options, saved, setting);
  const Asked asked =
      texts ? ask_texts(options, setting, kept.items == kPairs, answer) : ask_pictures(options, saved, answer);
  Judge judge =
      by_names ? judge_by_names(options, saved, setting, names, templates) : judge_by_examples(std::move(kept));
  if (!options.calibrate.empty()) judge.scale = scale_on(options, judge, saved, setting);
  // Not kept: who classifies does so once, and a folder of each picture set's features would only grow.
  const Features features = features_of(setting, saved, asked.items, {});
  answer_all(judge, asked, features, options.top, answer);
  if (texts) {
    warn_unanswered(answer, options.texts == "-" ? "standard input" : options.texts);
  } else {
    warn_bad_pictures(asked.items.source, features.bad, "without a class");
  }
  answer.classes = judge.classes;
  answer.scale = judge.scale * judge.own_scale;
  if (options.out.empty()) {
    std::cout << form(answer, options);
  } else {
    replace_file(options.out, form(answer, options));
    log_info(
        cat("wrote ", grouped(std::ssize(answer.items)), texts ? " texts" : " pictures", " to ", options.out));
  }
  return static_cast<int>(Exit::ok);
}

}  // namespace duet
