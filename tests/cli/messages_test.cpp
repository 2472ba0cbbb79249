// What duet says about command lines it cannot follow, word for word. After a change of mind:
//   DUET_REWRITE_GOLDEN=1 build/dev/tests/test_cli --gtest_filter='Messages.*'
#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

#include "core/files.h"
#include "core/format.h"
#include "tests/cli/command_line.h"

namespace duet {
namespace {

const std::vector<std::vector<std::string>> kCommandLines = {
    {"serch", "a red heart"},
    {"frobnicate"},
    {"tokenizer", "trian"},
    {"data", "photos.csv"},
    {"help", "trian"},
    {"completion", "tcsh"},
    {"--verison"},
    {"train"},
    {"train", "a.toml", "--data", "photos.csv"},
    {"train", "--recpe", "a.toml"},
    {"train", "a.toml", "b.toml"},
    {"train", "a.toml", "--device", "gpu"},
    {"train", "a.toml", "--threads", "two"},
    {"train", "a.toml", "--set", "train.lr"},
    {"train", "a.toml", "--out"},
    {"train", "a.toml", "--out", ""},
    {"train", "--resume", "runs/x", "--set", "train.lr=1"},
    {"evaluate"},
    {"evaluate", "runs/x", "--checkpoint", "step-"},
    {"evaluate", "runs/x", "--json=3"},
    {"evaluate", "runs/x", "--task", "guess"},
    {"evaluate", "runs/x", "--task", "knn", "--data", "test.csv"},
    {"evaluate", "runs/x", "--task", "zero_shot", "--data", "test.csv", "--train", "train.csv"},
    {"evaluate", "runs/x", "--task", "few_shot", "--data", "test.csv"},
    {"evaluate", "runs/x", "--task", "fine_tune", "--data", "test.csv"},
    {"evaluate", "runs/x", "--task", "knn", "--data", "test.csv", "--train", "train.csv", "--save", "cats"},
    {"evaluate", "runs/x", "--task", "lora", "--data", "a.csv", "--train", "b.csv", "--separator", "|"},
    {"evaluate", "runs/x", "--against", "runs/y"},
    {"evaluate", "runs/x", "--task", "zero_shot", "--data", "a.csv", "--against", "runs/y", "--corrupt", "all"},
    {"index", "runs/x"},
    {"search"},
    {"search", ""},
    {"search", "heart", "-k", "0"},
    {"search", "heart", "-k"},
    {"search", "heart", "--htlm", "page.html"},
    {"search", "heart", "--image", "q.png"},
    {"embed", "runs/x", "--texts", "queries.txt", "--out", "queries.csv"},
    {"embed", "runs/x", "--out", "rows.npy"},
    {"classify", "runs/x", "--images", "pics"},
    {"classify", "runs/x", "--images", "pics", "--labels", "l.txt", "--model", "cats"},
    {"classify", "runs/x", "--images", "pics", "--model", "cats", "--templates", "openai"},
    {"classify", "runs/x", "--texts", "t.txt", "--labels", "l.txt", "--json", "--csv"},
    {"check"},
    {"ablate"},
    {"ablate", "plan.toml", "--table", "--confirm"},
    {"ablate", "plan.toml", "--dry-run", "--csv", "table.csv"},
    {"fewshot", "runs/x"},
    {"fewshot", "runs/x", "--data", "photos", "--shots", "1,x"},
    {"fewshot", "runs/x", "--data", "photos", "--save", "birds"},
    {"fewshot", "runs/x", "--data", "photos", "--epochs", "none"},
    {"reconstruct", "runs/x"},
    {"reconstruct", "runs/x", "--images", "pics", "--count", "0"},
    {"fill", "runs/x"},
    {"complete", "runs/x", "a red", "--temperature", "hot"},
    {"follows", "runs/x", "It rained."},
    {"follows", "runs/x", "It rained.", "--pairs", "pairs.tsv"},
    {"neighbours", "runs/x"},
    {"neighbours", "runs/x", "red", "heart"},
    {"neighbours", "runs/x", "king", "-"},
    {"tokenizer", "train", "captions.txt", "--out", "x.model", "--vocabulary", "3"},
    {"-q", "-v", "check", "a.toml"},
};

TEST(Messages, AreTheAgreedOnes) {
  std::string said = "# Rewritten by DUET_REWRITE_GOLDEN=1 (tests/cli/messages_test.cpp)\n";
  for (const auto& words : kCommandLines) {
    const Parsed parsed = parse_words(words);
    said += "\n$ duet";
    for (const std::string& word : words) {
      said += word.empty() || word.find(' ') != std::string::npos ? cat(" \"", word, "\"") : cat(" ", word);
    }
    said += cat("\n", parsed.out, parsed.err, "exit ", parsed.exit_code, "\n");
  }
  const char* rewrite = std::getenv("DUET_REWRITE_GOLDEN");
  if (rewrite != nullptr && *rewrite == '1') write_file(DUET_MESSAGES, said);
  std::istringstream agreed(read_file(DUET_MESSAGES)), now(said);
  std::string expected, line;
  while (std::getline(now, line)) {
    std::getline(agreed, expected);
    ASSERT_EQ(line, expected);
  }
  EXPECT_FALSE(std::getline(agreed, expected));
}

}  // namespace
}  // namespace duet
