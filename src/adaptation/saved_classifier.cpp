#include "adaptation/saved_classifier.h"

#include "adaptation/classifiers.h"
#include "adaptation/network_classifier.h"
#include "adaptation/tower_input.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/sealed.h"

namespace duet {
namespace {

constexpr int kVersion = 1;
constexpr const char *kFormat = "duet-classifier", *kTensors = "classifier.safetensors";

nlohmann::json facts_of(const SavedClassifier& classifier, const SavedModel& saved) {
  return {{"model", saved.identity},
          {"method", classifier.method},
          {"kind", classifier.classifier->kind()},
          {"classes", classifier.classes},
          {"calibration", classifier.calibration},
          {"items", classifier.items},
          {"classifier", classifier.classifier->facts()}};
}

// A file's tensors lie without gaps, on the CPU.
TensorMap written(const TensorMap& tensors) {
  TensorMap all;
  for (const auto& [name, tensor] : tensors) all[name] = tensor.detach().to(torch::kCPU).contiguous();
  return all;
}

void check_model(const fs::path& folder, const std::string& identity, const SavedModel& saved) {
  if (identity == saved.identity) return;
  fail(Exit::usage, folder.string(),
       cat("was made for the model ", identity, ", and ", saved.folder.string(), " is ", saved.identity),
       "name the run that it was adapted from, in the state that it had then (--checkpoint)");
}

}  // namespace

std::string kind_of_items(const Labelled& items) {
  if (!items.texts) return "pictures";
  return holds_pairs(items) ? "pairs of texts" : "texts";
}

void save_classifier(const fs::path& folder, const SavedClassifier& classifier, const SavedModel& saved) {
  const fs::path target = folder / "classifier";
  if (fs::exists(target)) fail(Exit::usage, target.string(), "is there already", "name another folder");
  fs::create_directories(folder);
  remove_leftovers(folder);
  const fs::path temporary = temporary_beside(target);
  try {
    fs::create_directories(temporary);
    save_tensors(temporary / kTensors, written(classifier.classifier->tensors()));
    seal_folder(temporary, kFormat, kVersion, facts_of(classifier, saved));
    publish_folder(temporary, target);
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    throw;
  }
}

SavedClassifier load_classifier(const fs::path& folder, const SavedModel& saved, const EmbedSetting& setting) {
  const fs::path inner = folder / "classifier";
  const Sealed sealed = open_sealed(fs::exists(inner) ? inner : folder, kFormat, kVersion);
  SavedClassifier found;
  try {
    const nlohmann::json& facts = sealed.facts;
    check_model(sealed.folder, facts.at("model"), saved);
    found.method = facts.at("method");
    found.classes = facts.at("classes").get<std::vector<std::string>>();
    found.calibration = facts.at("calibration");
    found.items = facts.at("items");
    const std::string kind = facts.at("kind");
    const TensorMap tensors = load_tensors(sealed.folder / kTensors);
    found.classifier = kind == "network"
                           ? make_network_classifier(facts.at("classifier"), tensors, saved, setting)
                           : make_classifier(kind, facts.at("classifier"), tensors, sealed.folder.string());
  } catch (const nlohmann::json::exception& error) {
    fail(Exit::artifact, sealed.folder.string(), cat("is damaged: ", error.what()), "adapt again");
  }
  return found;
}

}  // namespace duet
