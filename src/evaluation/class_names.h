// Lists of classes by name, the templates around a name, and what a model can tell by them.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "evaluation/embed.h"

namespace duet {

struct ClassNames {
  std::string label;               // what is printed
  std::vector<std::string> names;  // what is said of it: one or more
};
// A class a line: "label", or "label<TAB>name<TAB>name...". Error(data) with file and line: empty name, a label
// twice, one class only, no UTF-8. All is NFC, as labels of data are.
std::vector<ClassNames> read_class_names(const std::filesystem::path& file);
std::vector<ClassNames> class_names_of(
    const std::vector<std::string>& labels);  // each its own name; '-' and '_' are spaces

// "openai" (the 80 of CLIP's ImageNet set-up), "simple" ("{}" alone), or a file, one a line. Error(data) with
// the line: no {} in it.
std::vector<std::string> read_templates(const std::string& templates);

std::string filled(std::string text, std::string_view name);  // a template, with the name at each {}

// Pieces that some training text held: the others are zero (TextEncoder::set_seen), and a text of those alone
// says nothing to the model. Characters without a piece of their own are spelt in bytes, which they share with
// others: some of these known tell nothing, all of them are taken for known characters.
class KnownPieces {
 public:
  explicit KnownPieces(const EmbedSetting& setting);
  bool in(std::string_view text) const;

 private:
  Tokenizer tokenizer_;
  std::vector<bool> known_, byte_;
};

// Without repeated names, and without those that say nothing where their class has another: these are what the
// bare templates are, near to no picture or to all, and no alternatives. Classes that have no other keep what
// they have, with a warning.
std::vector<ClassNames> telling_names(const EmbedSetting& setting, const std::vector<ClassNames>& classes);

// Two warnings at most: of classes with a name in common, and of those whose names, in all templates, differ
// behind the end of what the tower reads.
void warn_of_names_alike(const EmbedSetting& setting, const std::vector<ClassNames>& classes,
                         const std::vector<std::string>& templates);

}  // namespace duet
