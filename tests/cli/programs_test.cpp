// The built programs: what they link, how the front finds the engine, that both parse alike, and what each
// command leaves behind when it is refused or fails.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "core/files.h"
#include "core/format.h"
#include "core/sealed.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

struct Ran {
  int exit_code = 0;
  std::string output;
};

Ran run(const std::string& command) {
  Ran ran;
  FILE* pipe = popen(("{ " + command + "\n} 2>&1").c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("no shell");
  char buffer[4096];
  for (std::size_t got; (got = fread(buffer, 1, sizeof buffer, pipe)) > 0;) ran.output.append(buffer, got);
  const int status = pclose(pipe);
  ran.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ran;
}

std::string quoted(const fs::path& path) { return cat("'", path.string(), "'"); }

// Everything the loader would map, not only what the program names itself.
std::string shared_objects(const fs::path& program) {
  const Ran ran = run(cat("ldd ", quoted(program)));
  EXPECT_EQ(ran.exit_code, 0) << ran.output;
  return ran.output;
}

// An engine that tells what it was started with.
fs::path fake_engine(const fs::path& path) {
  fs::create_directories(path.parent_path());
  write_file(path, "#!/bin/sh\nprintf 'engine'\nprintf ' [%s]' \"$@\"\necho\nexit 7\n");
  fs::permissions(path, fs::perms::owner_all);
  return path;
}

fs::path letters_model() { return fs::path(DUET_GOLDEN) / "run-v1/model/tokenizer.model"; }

TEST(Programs, FrontLinksNeitherLibTorchNorOpenCV) {
  const std::string objects = shared_objects(DUET_PROGRAM);
  for (const char* heavy : {"libtorch", "libc10", "libopencv", "libcudart", "libcudnn"})
    EXPECT_THAT(objects, Not(HasSubstr(heavy)));
  for (const char* needed : {"libsqlite3", "libsentencepiece"}) EXPECT_THAT(objects, HasSubstr(needed));
  EXPECT_THAT(objects, Not(HasSubstr("not found")));
}

TEST(Programs, EngineLinksWhatTheFrontDoesNot) {
  const std::string objects = shared_objects(DUET_ENGINE_PROGRAM);
  for (const char* heavy : {"libtorch_cpu", "libopencv_core"}) EXPECT_THAT(objects, HasSubstr(heavy));
  EXPECT_THAT(objects, Not(HasSubstr("not found")));
}

TEST(Programs, HelpNeedsNoEngine) {
  const Ran help = run(cat("DUET_ENGINE=/nowhere ", quoted(DUET_PROGRAM), " train --help"));
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.output, StartsWith("duet train: "));
  EXPECT_EQ(run(cat(quoted(DUET_PROGRAM), " serch")).exit_code, 2);
}

TEST(Programs, FrontBecomesTheEngineWithTheSameArguments) {
  const TemporaryFolder folder;
  const fs::path engine = fake_engine(folder / "engine");
  const Ran ran = run(
      cat("DUET_ENGINE=", quoted(engine), " ", quoted(DUET_PROGRAM), " -q train 'a b.toml' --set x=\"'1'\""));
  EXPECT_EQ(ran.output, "engine [-q] [train] [a b.toml] [--set] [x='1']\n");
  EXPECT_EQ(ran.exit_code, 7);
  const Ran image =
      run(cat("DUET_ENGINE=", quoted(engine), " ", quoted(DUET_PROGRAM), " search --image q.png"));
  EXPECT_EQ(image.output, "engine [search] [--image] [q.png]\n");
}

TEST(Programs, EngineIsFoundBesideAMovedFrontAndThroughALink) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "bin");
  fs::copy_file(DUET_PROGRAM, folder / "bin/duet");
  fake_engine(folder / "libexec/duet/duet-engine");
  EXPECT_EQ(run(cat(quoted(folder / "bin/duet"), " check r.toml")).output, "engine [check] [r.toml]\n");
  fs::create_symlink(folder / "bin/duet", folder / "link");
  EXPECT_EQ(run(cat("cd / && ", quoted(folder / "link"), " check r.toml")).output, "engine [check] [r.toml]\n");
}

TEST(Programs, MissingEngineIsNamed) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "bin");
  fs::copy_file(DUET_PROGRAM, folder / "bin/duet");
  const Ran ran = run(cat(quoted(folder / "bin/duet"), " check r.toml"));
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.output, HasSubstr((folder / "libexec/duet/duet-engine").string()));
  EXPECT_THAT(ran.output, HasSubstr("DUET_ENGINE"));
  const Ran self = run(cat("DUET_ENGINE=", quoted(DUET_PROGRAM), " ", quoted(DUET_PROGRAM), " check r.toml"));
  EXPECT_EQ(self.exit_code, 1);
  EXPECT_THAT(self.output, HasSubstr("not its engine"));
}

TEST(Programs, FullDiskIsAnError) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  const Ran ran = run(cat(quoted(DUET_PROGRAM), " man > /dev/full"));
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.output, HasSubstr("standard output: cannot write"));
}

TEST(Programs, TokenizerIsTrainedUsedAndReadFromARun) {
  const TemporaryFolder folder;
  std::string captions;
  for (const char* colour : {"red", "blue", "green", "yellow"}) {
    for (const char* thing : {"heart", "circle", "square", "Häuschen", "赤い心"})
      captions += cat("a ", colour, " ", thing, "\r\n");
  }
  write_file(folder / "captions.txt", captions);
  const std::string duet = quoted(DUET_PROGRAM), model = quoted(folder / "run/tokenizer.model");
  fs::create_directories(folder / "run");
  const Ran train = run(
      cat(duet, " tokenizer train ", quoted(folder / "captions.txt"), " --out ", model, " --vocabulary 300"));
  ASSERT_EQ(train.exit_code, 0) << train.output;
  EXPECT_THAT(train.output, HasSubstr("from 20 captions"));
  const Ran piped = run(cat(duet, " -q tokenizer train - --vocabulary 300 --out ",
                            quoted(folder / "piped.model"), " < ", quoted(folder / "captions.txt")));
  EXPECT_THAT(piped.output, IsEmpty());
  EXPECT_EQ(read_file(folder / "piped.model"), read_file(folder / "run/tokenizer.model"));
  const std::string run_folder = quoted(folder / "run");
  const Ran encoded = run(cat(duet, " tokenizer encode ", run_folder, " 'a red heart' 'green 赤い心'"));
  ASSERT_EQ(encoded.exit_code, 0) << encoded.output;
  std::istringstream lines(encoded.output);
  std::string first, second;
  ASSERT_TRUE(std::getline(lines, first) && std::getline(lines, second));
  EXPECT_EQ(run(cat(duet, " tokenizer decode ", run_folder, " ", first)).output, "a red heart\n");
  EXPECT_EQ(run(cat("echo ", second, " | ", duet, " tokenizer decode ", model)).output, "green 赤い心\n");
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
TEST(Programs, PiecesAreThoseOfTheModelAndSpellTheText) {
  const TemporaryFolder folder;
  write_file(folder / "captions.txt", "low\nlow\nlower\nlower\nnewer\nnewest\nwidest\n");
  const std::string duet = quoted(DUET_PROGRAM), words = quoted(folder / "words.model");
  const std::string letters = quoted(letters_model());
  const Ran train = run(cat(duet, " -q tokenizer train ", quoted(folder / "captions.txt"), " --kind bpe --out ",
                            words, " --vocabulary 300"));
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
    const Ran ran = run(cat(duet, " tokenizer encode --pieces ", one.model, " '", one.text, "'"));
    EXPECT_EQ(ran.exit_code, 0);
    EXPECT_EQ(ran.output, one.pieces + "\n");
    EXPECT_EQ(spelled(ran.output), one.text);
  }
  EXPECT_EQ(run(cat(duet, " tokenizer encode --pieces ", words, " LOWER")).output, "\u2581lower\n");
}

TEST(Programs, TokenizerErrorsNameWhatIsWrong) {
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
    const Ran ran = run(cat(duet, " ", one.arguments));
    EXPECT_EQ(ran.exit_code, one.exit_code) << one.arguments << "\n" << ran.output;
    EXPECT_THAT(ran.output, HasSubstr(one.said));
    EXPECT_THAT(ran.output, StartsWith("error: "));
    EXPECT_FALSE(fs::exists(folder / "x.model"));
  }
}

TEST(Programs, TokenizerNamesTheLineOfStandardInputThatIsNoUtf8) {
  const Ran ran = run(
      cat("printf 'fine\ncaf\\351\n' | ", quoted(DUET_PROGRAM), " tokenizer encode ", quoted(letters_model())));
  EXPECT_EQ(ran.exit_code, 3);
  EXPECT_THAT(ran.output, HasSubstr("standard input:2: not UTF-8"));
}

std::set<std::string> files_below(const fs::path& folder) {
  std::set<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    files.insert(entry.path().lexically_relative(folder).string());
  return files;
}

// The stored run of four steps as one that can be written to, and pictures that cannot be read: what is refused
// before a pixel is looked at needs no better ones.
class OnARun : public testing::Test {
 protected:
  void SetUp() override {
    fs::copy(fs::path(DUET_GOLDEN) / "run-v1", run_, fs::copy_options::recursive);
    fs::copy_file(run_ / "checkpoints/step-4/recipe.toml", run_ / "recipe.toml");
  }
  Ran duet(const std::string& arguments) const {
    return run(cat("cd ", quoted(folder_.path()), " && ", quoted(DUET_PROGRAM), " ", arguments));
  }
  fs::path pictures(const std::string& name, int count) const {
    const std::vector<std::string> captions = {"red kite",   "blue boat",  "green tree", "black cat",
                                               "old bridge", "tall tower", "small dog",  "white house"};
    fs::create_directories(folder_ / name);
    for (int i = 0; i < count; ++i) write_file(folder_ / name / (captions[i % 8] + ".png"), cat("picture ", i));
    return folder_ / name;
  }
  // An uncompressed BMP: 8x8, one colour.
  fs::path drawing() const {
    std::string bytes("BM\xf6\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x08\0\0\0\x08\0\0\0\x01\0\x18\0", 30);
    bytes.append(24, '\0').append(8 * 8 * 3, '\x55');
    write_file(folder_ / "drawing.bmp", bytes);
    return folder_ / "drawing.bmp";
  }
  void expect_whole() const {
    EXPECT_NO_THROW(open_sealed(run_ / "model", "duet-model", 1));
    EXPECT_NO_THROW(open_sealed(run_ / "checkpoints/step-4", "duet-checkpoint", 1));
  }

  TemporaryFolder folder_;
  const fs::path run_ = folder_ / "run";
};

TEST_F(OnARun, NothingIsWrittenIntoASealedFolder) {
  write_file(folder_ / "captions.txt", "a cat\na dog\n");
  const std::set<std::string> before = files_below(run_);
  for (const char* arguments :
       {"train --resume run/checkpoints/step-4", "train --resume run/model",
        "train --data shapes:20 --out run/model/new", "index run --images shapes:8 --out run/model",
        "index run/checkpoints/step-4 --images shapes:8", "embed run --images shapes:8 --out run/model/a.npy",
        "tokenizer train captions.txt --out run/model/x.model"}) {
    const Ran ran = duet(arguments);
    EXPECT_EQ(ran.exit_code, 2) << arguments << "\n" << ran.output;
    EXPECT_THAT(ran.output, HasSubstr("is a sealed ")) << arguments;
    EXPECT_EQ(files_below(run_), before) << arguments;
  }
  expect_whole();
}

TEST_F(OnARun, ResultsAreThoseOfTheBest) {
  const Ran best = duet("evaluate run --data some=shapes:20:3");
  ASSERT_EQ(best.exit_code, 0) << best.output;
  const std::string results = read_file(run_ / "results.json");
  EXPECT_THAT(results, HasSubstr("\"some\""));
  const Ran last = duet("evaluate run --data other=shapes:20:4 --checkpoint last");
  EXPECT_EQ(last.exit_code, 0) << last.output;
  EXPECT_THAT(last.output, HasSubstr("not saved: run/results.json is for the best checkpoint"));
  const Ran sealed = duet("evaluate run/model --data other=shapes:20:4");
  EXPECT_EQ(sealed.exit_code, 0) << sealed.output;
  EXPECT_THAT(sealed.output, HasSubstr("not saved"));
  EXPECT_EQ(read_file(run_ / "results.json"), results);
  expect_whole();
  ASSERT_EQ(duet("evaluate run --data other=shapes:20:4").exit_code, 0);
  EXPECT_THAT(read_file(run_ / "results.json"), testing::AllOf(HasSubstr("\"some\""), HasSubstr("\"other\"")));
}

TEST_F(OnARun, ScoresArePrintedBeforeTheyAreSaved) {
  fs::create_directory(run_ / "results.json");
  const Ran ran = duet("evaluate run --data some=shapes:20:3");
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.output, testing::AllOf(HasSubstr("text to image"), HasSubstr("results.json: ")));
}

TEST_F(OnARun, DamagedNewestCheckpointNamesTheWholeOneBeforeIt) {
  fs::remove_all(run_ / "model");
  const fs::path newest = run_ / "checkpoints/step-4";
  fs::copy(newest, run_ / "checkpoints/step-2", fs::copy_options::recursive);
  const std::string weights = read_file(newest / "model.safetensors");
  write_file(newest / "model.safetensors", weights.substr(0, weights.size() / 2));
  const Ran ran = duet("train --resume run");
  EXPECT_EQ(ran.exit_code, 4);
  EXPECT_THAT(ran.output, testing::AllOf(HasSubstr("model.safetensors: is damaged"),
                                         HasSubstr("remove run/checkpoints/step-4 to go on from step-2")));
  fs::remove_all(run_ / "checkpoints/step-2");
  EXPECT_THAT(duet("train --resume run").output, Not(HasSubstr("go on from")));
}

TEST_F(OnARun, TextsAreEmbeddedFromAFileOrStandardInputAndNeverBlank) {
  const std::string texts = "printf 'a red circle\\na star\\n'";
  ASSERT_EQ(duet("embed run --texts nope --out a.npy").exit_code, 3);
  Ran ran = run(cat("cd ", quoted(folder_.path()), " && ", texts, " > texts && ", texts, " | ",
                    quoted(DUET_PROGRAM), " embed run --texts - --out piped.npy"));
  ASSERT_EQ(ran.exit_code, 0) << ran.output;
  ASSERT_EQ(duet("embed run --texts texts --out file.npy").exit_code, 0);
  EXPECT_EQ(read_file(folder_ / "piped.npy"), read_file(folder_ / "file.npy"));
  for (const char* blank : {"", "  ", "\u200b"}) {
    write_file(folder_ / "texts", cat("a red circle\n", blank, "\na star\n"));
    ran = duet("embed run --texts texts --out blank.npy");
    EXPECT_EQ(ran.exit_code, 3);
    EXPECT_THAT(ran.output, HasSubstr("texts:2: a line without text"));
  }
  EXPECT_FALSE(fs::exists(folder_ / "blank.npy"));
}

// The last axis of a NumPy file of float32 rows, as lengths.
std::vector<double> row_lengths(const fs::path& npy, std::size_t rows) {
  const std::string bytes = read_file(npy);
  const std::size_t begin = bytes.find('\n') + 1, width = (bytes.size() - begin) / sizeof(float) / rows;
  std::vector<float> values(rows * width);
  std::memcpy(values.data(), bytes.data() + begin, values.size() * sizeof(float));
  std::vector<double> lengths;
  for (std::size_t row = 0; row < rows; ++row) {
    const auto first = values.begin() + static_cast<std::ptrdiff_t>(row * width);
    lengths.push_back(
        std::sqrt(std::inner_product(first, first + static_cast<std::ptrdiff_t>(width), first, 0.0)));
  }
  return lengths;
}

TEST_F(OnARun, EmbeddingsAreUnitVectorsOrNaN) {
  write_file(folder_ / "texts", "a red circle\n\u8d64\u3044\n");  // no caption had a piece of the second
  ASSERT_EQ(duet("embed run --texts texts --out texts.npy").exit_code, 0);
  for (const double length : row_lengths(folder_ / "texts.npy", 2)) EXPECT_NEAR(length, 1, 1e-5);
  write_file(folder_ / "photos.csv", "filepath\n" + drawing().string() + "\nnone.png\n");
  const Ran ran = duet("embed run --images photos.csv --out pictures.npy");
  ASSERT_EQ(ran.exit_code, 0) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("1 of 2 pictures cannot be read and are rows of NaN:\n  none.png: "));
  const std::vector<double> lengths = row_lengths(folder_ / "pictures.npy", 2);
  EXPECT_NEAR(lengths[0], 1, 1e-5);
  EXPECT_TRUE(std::isnan(lengths[1]));
}

TEST_F(OnARun, IndexThatFailsLeavesNothing) {
  pictures("bad", 2);
  write_file(folder_ / "file", "");
  const Ran unwritable = duet("index run --images shapes:8 --out file/bundle");
  EXPECT_EQ(unwritable.exit_code, 1);
  EXPECT_THAT(unwritable.output, StartsWith("error: file/bundle: cannot be made: "));
  const Ran bad = duet("index run --images bad --out bundle");
  EXPECT_EQ(bad.exit_code, 3);
  EXPECT_FALSE(fs::exists(folder_ / "bundle"));
  // What a killed one left is taken away by the next.
  fs::create_directories(folder_ / "bundle/.model.tmp-99999999");
  ASSERT_EQ(duet("index run --images shapes:8 --out bundle").exit_code, 0);
  for (const std::string& name : files_below(folder_ / "bundle")) EXPECT_THAT(name, Not(HasSubstr(".tmp-")));
}

TEST_F(OnARun, RefusedTrainingLeavesNothingAndWarnsOnce) {
  const fs::path data = pictures("two\nlines", 8);
  write_file(data / "x.heic", "x");
  const Ran ran = duet(cat("train --data ", quoted(data), " --out new --set train.batch=1000"));
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.output, HasSubstr("larger than the data"));
  EXPECT_EQ(ran.output.find(".heic"), ran.output.rfind(".heic")) << ran.output;
  EXPECT_FALSE(fs::exists(folder_ / "new"));
  fs::create_directories(folder_ / "there");
  write_file(folder_ / "there/mine", "");
  EXPECT_EQ(duet(cat("train --data ", quoted(data), " --out there --set train.batch=1000")).exit_code, 2);
  EXPECT_EQ(files_below(folder_ / "there"), std::set<std::string>{"mine"});
}

TEST_F(OnARun, TwoPicturesAreTooFewToTrainOn) {
  pictures("two", 2);
  const Ran ran = duet("train --data two --out new");
  EXPECT_EQ(ran.exit_code, 3);
  EXPECT_THAT(ran.output,
              HasSubstr("two: holds 2 pictures, 1 of them for validation; give at least 3 pictures"));
}

TEST_F(OnARun, FolderWithADotGivesTheRunItsWholeName) {
  pictures("photos.2024", 8);
  fs::create_directories(folder_ / "runs/photos.2024/model");
  EXPECT_THAT(duet("train --data photos.2024").output, HasSubstr("runs/photos.2024: a run is there already"));
}

TEST_F(OnARun, HintNamesTheBundleThatSearchWouldNotFind) {
  const std::string train = cat("train ", quoted(fs::path(DUET_GOLDEN) / "recipe.toml"), " --threads 1 --out ");
  const Ran elsewhere = duet(train + "elsewhere");
  ASSERT_EQ(elsewhere.exit_code, 0) << elsewhere.output;
  EXPECT_THAT(elsewhere.output, HasSubstr("duet search \"...\" -b elsewhere\n"));
  EXPECT_THAT(duet(train + "runs/here").output, HasSubstr("duet search \"...\"\n"));
}

// The manifest is a pipe, so that the program is known to wait for it when the signal comes.
TEST_F(OnARun, SignalBeforeTheFirstStepSaysThatNothingIsSaved) {
  write_file(folder_ / "script",
             "mkfifo $1\n\"$2\" train --data $1 --out new &\nexec 3> $1\nkill -$1 $!\nwait $!\n");
  for (const auto& [signal, exit_code] : {std::pair{"INT", 130}, {"TERM", 143}}) {
    const Ran ran =
        run(cat("cd ", quoted(folder_.path()), " && timeout 60 sh script ", signal, " ", quoted(DUET_PROGRAM)));
    EXPECT_EQ(ran.exit_code, exit_code) << ran.output;
    EXPECT_THAT(ran.output, HasSubstr("nothing saved yet; start again"));
    EXPECT_FALSE(fs::exists(folder_ / "new"));
  }
}

}  // namespace
}  // namespace duet
