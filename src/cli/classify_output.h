// What duet classify answers: as a terminal's table, as lines for other programs, as CSV and as JSON.
#pragma once
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace duet {

struct Classified {
  std::string item = {};   // the text, or the picture's path as the manifest has it or below the folder
  std::string file = {};   // where the picture is; "" for a text
  std::string shown = {};  // as printed: a picture's file, relative when it lies below the working folder
  std::vector<std::pair<std::string, double>> classes = {};  // label and probability, the likeliest first
  std::string why = {};                                      // there are none: what is wrong with the item
};

struct Classification {
  bool texts = false;  // else pictures
  std::vector<std::string> classes = {};
  double scale = 1;  // what logits were multiplied by
  std::vector<Classified> items = {};
};

// item TAB label TAB probability [TAB label TAB probability ...]; white space and control characters in fields
// become spaces. An item that could not be read has an empty label and probability.
std::string answer_lines(const Classification& answer);
// The same with its columns set by display width, items cut to what a terminal of so many columns leaves.
std::string answer_table(const Classification& answer, std::size_t columns);
// RFC 4180 with a header: path (or text), label, probability, label_2, probability_2 ...
std::string answer_csv(const Classification& answer);
// {"schema_version": 1, "classes": [...], "scale", "items": [{"path", "file" | "text", "label", "probability",
// "classes": [{"label", "probability"}, ...]}]}; of an item that could not be read label and probability are
// null, and "error" says why.
nlohmann::ordered_json answer_json(const Classification& answer);

}  // namespace duet
