// Pictures or texts with classes: what few-shot methods learn from, and what classification is judged by.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "datasets/source.h"

namespace duet {

struct LabelledOptions {
  std::string data = {};          // a manifest, or a folder of folders: a class each
  std::string root = {};          // where relative picture paths start; "": the manifest's folder
  std::string label_column = {};  // "": label, class or category, said aloud; of a folder its first folders
  // Used when it exists and is not the labels' own: what may not stand on both sides of a split. Of a folder:
  // none.
  std::string concept_column = "concept";
  bool concept_required = false;   // "concept", too, must be there, as any other name must
  bool texts = false;              // texts instead of pictures
  std::string text_column = {};    // "": text, sentence or caption
  std::string second_column = {};  // of pairs of texts: the second one's; "": single texts
  std::string separator = {};      // between several labels of an item; "": one label each
};

// Items in the order of the manifest. A picture that stands there twice counts once.
struct Labelled {
  Source source = {};                     // captions: the text, and the second one where there are two
  bool texts = false;                     // else pictures
  std::vector<std::string> classes = {};  // NFC, ascending by bytes, none empty, at least two
  // [N] ascending; one each without a separator, else any number
  std::vector<std::vector<std::int64_t>> labels = {};
  std::vector<std::string> contents = {};  // [N] checksum of the picture's bytes, or of the text
  std::vector<std::string> groups = {};  // [N] concept where there is one, else what is in it (texts: whatever
                                         // their capitals and spaces)
  std::int64_t size() const { return static_cast<std::int64_t>(source.pairs.size()); }
};
bool has_concepts(const Labelled& items);  // some group is a concept
bool holds_pairs(const Labelled& items);   // of texts, each to be judged together; no items are no pairs

// Error(data) with file and line: no label column (named are those there are), an empty class name, one class
// only, a picture that two rows give different labels, a missing text, what read_source refuses. Files that
// cannot be read get an empty content and are refused by who reads their pixels.
Labelled read_labelled(const LabelledOptions& options);

Labelled subset(const Labelled& labelled, const std::vector<std::int64_t>& rows);  // all classes stay

// The same items as classes of `classes`, in that order. Error(data) naming an item whose label is not among
// them.
Labelled with_classes(Labelled labelled, const std::vector<std::string>& classes);
// The items whose labels are all among `classes`, in their order; how many are left out is said aloud.
// Error(data) where none is left.
Labelled only_classes(const Labelled& labelled, const std::vector<std::string>& classes);

// Items without labels, contents or groups, of which no file is read: pictures to classify (a folder or
// manifest), or lines of a text.
Labelled unlabelled(Source source, bool texts);

}  // namespace duet
