// duet tokenizer train, encode and decode, as programs.
#include <gmock/gmock.h>

#include <sstream>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/format.h"
#include "tests/support/shell.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

fs::path letters_model() { return fs::path(DUET_GOLDEN) / "run-v1/model/tokenizer.model"; }

TEST(TokenizerCommands, TrainUseAndReadFromARun) {
  const TemporaryFolder folder;
  std::string captions;
  for (const char* colour : {"red", "blue", "green", "yellow"}) {
    for (const char* thing : {"heart", "circle", "square", "Häuschen", "赤い心"})
      captions += cat("a ", colour, " ", thing, "\r\n");
  }
  write_file(folder / "captions.txt", captions);
  const std::string duet = quoted(DUET_PROGRAM), model = quoted(folder / "run/tokenizer.model");
  fs::create_directories(folder / "run");
  const ShellResult train = shell(
      cat(duet, " tokenizer train ", quoted(folder / "captions.txt"), " --out ", model, " --vocabulary 300"));
  ASSERT_EQ(train.exit_code, 0) << train.output;
  EXPECT_THAT(train.output, HasSubstr("from 20 captions"));
  const ShellResult piped = shell(cat(duet, " -q tokenizer train - --vocabulary 300 --out ",
                                      quoted(folder / "piped.model"), " < ", quoted(folder / "captions.txt")));
  EXPECT_THAT(piped.output, IsEmpty());
  EXPECT_EQ(read_file(folder / "piped.model"), read_file(folder / "run/tokenizer.model"));
  const std::string run_folder = quoted(folder / "run");
  const ShellResult encoded =
      shell(cat(duet, " tokenizer encode ", run_folder, " 'a red heart' 'green 赤い心'"));
  ASSERT_EQ(encoded.exit_code, 0) << encoded.output;
  std::istringstream lines(encoded.output);
  std::string first, second;
  ASSERT_TRUE(std::getline(lines, first) && std::getline(lines, second));
  EXPECT_EQ(shell(cat(duet, " tokenizer decode ", run_folder, " ", first)).output, "a red heart\n");
  EXPECT_EQ(shell(cat("echo ", second, " | ", duet, " tokenizer decode ", model)).output, "green 赤い心\n");
}

// What the pieces of a line spell: the word mark is a space, <0xHH> a byte.
std::string spelled(const std::string& line) {
  const std::string mark = "\u2581";
  std::ostringstream text;
  std::istringstream pieces(line);
  for (std::string piece; pieces >> piece;) {
    if (piece.starts_with(mark)) {
      if (text.tellp() > 0) text << ' ';  // the text itself has none before its first word
      text << piece.substr(mark.size());
    } else if (piece.size() == 6 && piece.starts_with("<0x")) {
      text << static_cast<char>(std::stoi(piece.substr(3, 2), nullptr, 16));
    } else {
      text << piece;
    }
  }
  return text.str();
}

// With room for every merge each word of the captions is one piece (bpe); the stored unigram model knows
// letters alone. Both write what they never saw as bytes.
TEST(TokenizerCommands, PiecesAreThoseOfTheModelAndSpellTheText) {
  const TemporaryFolder folder;
  write_file(folder / "captions.txt", "low\nlow\nlower\nlower\nnewer\nnewest\nwidest\n");
  const std::string duet = quoted(DUET_PROGRAM), words = quoted(folder / "words.model");
  const std::string letters = quoted(letters_model());
  const ShellResult train = shell(cat(duet, " -q tokenizer train ", quoted(folder / "captions.txt"),
                                      " --kind bpe --out ", words, " --vocabulary 300"));
  ASSERT_EQ(train.exit_code, 0) << train.output;
  struct Case {
    std::string model, text, pieces;
  };
  const std::vector<Case> cases = {
      {words, "lower newest", "\u2581lower \u2581newest"},
      {words, "low \u00E4 widest", "\u2581low \u2581 <0xC3> <0xA4> \u2581widest"},
      {letters, "a red heart", "\u2581 a \u2581 r e d \u2581 h e a r t"},
      {letters, "gr\u00F6\u00DFe", "\u2581 g r <0xC3> <0xB6> <0xC3> <0x9F> e"},
  };
  for (const Case& one : cases) {
    const ShellResult ran = shell(cat(duet, " tokenizer encode --pieces ", one.model, " '", one.text, "'"));
    EXPECT_EQ(ran.exit_code, 0);
    EXPECT_EQ(ran.output, one.pieces + "\n");
    EXPECT_EQ(spelled(ran.output), one.text);
  }
  EXPECT_EQ(shell(cat(duet, " tokenizer encode --pieces ", words, " LOWER")).output, "\u2581lower\n");
}

TEST(TokenizerCommands, NameWhatIsWrong) {
  const TemporaryFolder folder;
  write_file(folder / "latin.txt", "fine\ncaf\xE9\n");
  write_file(folder / "empty.txt", "\n\n");
  write_file(folder / "photos.csv", "filepath,caption\n");
  write_file(folder / "broken.model", "no model");
  const std::string duet = quoted(DUET_PROGRAM), out = cat(" --out ", quoted(folder / "x.model"));
  struct Case {
    std::string arguments;
    int exit_code;
    std::string said;
  };
  const std::vector<Case> cases = {
      {cat("tokenizer train ", quoted(folder / "latin.txt"), out), 3, "latin.txt:2"},
      {cat("tokenizer train ", quoted(folder / "empty.txt"), out), 3, "empty.txt"},
      {cat("tokenizer train ", quoted(folder / "none.txt"), out), 3, "none.txt"},
      {cat("tokenizer train ", quoted(folder / "photos.csv"), out), 2, "manifest"},
      {cat("tokenizer train ", quoted(folder.path()), out), 3, "is a folder"},
      {cat("tokenizer encode ", quoted(letters_model()), " \"$(printf 'caf\\351')\""), 2, "no UTF-8"},
      {cat("tokenizer encode ", quoted(folder / "broken.model"), " x"), 4, "broken.model"},
      {cat("tokenizer encode ", quoted(folder.path()), " x"), 4, "tokenizer.model"},
      {cat("tokenizer encode ", quoted(folder / "none"), " x"), 4, "none"},
  };
  for (const Case& one : cases) {
    const ShellResult ran = shell(cat(duet, " ", one.arguments));
    EXPECT_EQ(ran.exit_code, one.exit_code) << one.arguments << "\n" << ran.output;
    EXPECT_THAT(ran.output, HasSubstr(one.said));
    EXPECT_THAT(ran.output, StartsWith("error: "));
    EXPECT_FALSE(fs::exists(folder / "x.model"));
  }
}

TEST(TokenizerCommands, NameTheLineOfStandardInputThatIsNoUtf8) {
  const ShellResult ran = shell(
      cat("printf 'fine\ncaf\\351\n' | ", quoted(DUET_PROGRAM), " tokenizer encode ", quoted(letters_model())));
  EXPECT_EQ(ran.exit_code, 3);
  EXPECT_THAT(ran.output, HasSubstr("standard input:2: not UTF-8"));
}

}  // namespace
}  // namespace duet
