// A classifier on the disk: a sealed folder with its kind, tensors and classes, and the identity of the model
// whose features it reads, so that another model's are never used.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "adaptation/method.h"

namespace duet {

struct SavedClassifier {
  std::unique_ptr<Classifier> classifier;
  std::string method;
  std::vector<std::string> classes;
  double calibration = 1;  // logits are multiplied by it (zero_shot.h: calibrated_scale)
  std::string items = {};  // what it learned from: kind_of_items; "": not known
};

// "pictures", "texts" or "pairs of texts".
std::string kind_of_items(const Labelled& items);

// Writes FOLDER/classifier. Error(usage) when there is one already.
void save_classifier(const std::filesystem::path& folder, const SavedClassifier& classifier,
                     const SavedModel& saved);
// FOLDER, or FOLDER/classifier. Error(artifact): damaged; Error(usage): of another model, naming both
// identities.
SavedClassifier load_classifier(const std::filesystem::path& folder, const SavedModel& saved,
                                const EmbedSetting& setting);

}  // namespace duet
