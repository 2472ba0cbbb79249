// What each command on a run leaves behind when it is refused, fails or is stopped.
#include "on_a_run.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/files.h"
#include "core/format.h"
#include "core/sealed.h"

namespace duet {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST_F(OnARun, NothingIsWrittenIntoASealedFolder) {
  write_file(folder_ / "captions.txt", "a cat\na dog\n");
  const std::set<std::string> before = files_below(run_);
  for (const char* arguments :
       {"train --resume run/checkpoints/step-4", "train --resume run/model",
        "train --data shapes:20 --out run/model/new", "index run --images shapes:8 --out run/model",
        "index run/checkpoints/step-4 --images shapes:8", "embed run --images shapes:8 --out run/model/a.npy",
        "tokenizer train captions.txt --out run/model/x.model"}) {
    const ShellResult ran = duet(arguments);
    EXPECT_EQ(ran.exit_code, 2) << arguments << "\n" << ran.output;
    EXPECT_THAT(ran.output, HasSubstr("is a sealed ")) << arguments;
    EXPECT_EQ(files_below(run_), before) << arguments;
  }
  expect_whole();
}

TEST_F(OnARun, ResultsAreThoseOfTheBest) {
  const ShellResult best = duet("evaluate run --data some=shapes:20:3");
  ASSERT_EQ(best.exit_code, 0) << best.output;
  const std::string results = read_file(run_ / "results.json");
  EXPECT_THAT(results, HasSubstr("\"some\""));
  const ShellResult last = duet("evaluate run --data other=shapes:20:4 --checkpoint last");
  EXPECT_EQ(last.exit_code, 0) << last.output;
  EXPECT_THAT(last.output, HasSubstr("not saved: run/results.json is for the best checkpoint"));
  const ShellResult sealed = duet("evaluate run/model --data other=shapes:20:4");
  EXPECT_EQ(sealed.exit_code, 0) << sealed.output;
  EXPECT_THAT(sealed.output, HasSubstr("not saved"));
  EXPECT_EQ(read_file(run_ / "results.json"), results);
  expect_whole();
  ASSERT_EQ(duet("evaluate run --data other=shapes:20:4").exit_code, 0);
  EXPECT_THAT(read_file(run_ / "results.json"), testing::AllOf(HasSubstr("\"some\""), HasSubstr("\"other\"")));
}

TEST_F(OnARun, OptionsThatMeetNothingAreRefused) {
  classes("data", 4);
  write_file(folder_ / "texts.csv", "text,other,label\na red circle,a,x\na star,b,y\n");
  write_file(folder_ / "texts", "a red circle\n");
  const auto expect_refused = [&](const std::string& arguments, const std::string& why) {
    const ShellResult ran = duet(arguments);
    EXPECT_EQ(ran.exit_code, 2) << arguments << "\n" << ran.output;
    EXPECT_THAT(ran.output, HasSubstr(why)) << arguments;
  };
  const std::string none = "is for manifests, and data is none; leave it out";
  for (const std::string command :
       {"embed run --out a.npy --images data", "index run --out bundle --images data",
        "fewshot run --data data", "evaluate run --task zero_shot --data some=data", "evaluate run --data data",
        "classify run --labels texts --images data", "data check data", "train --data data --out new"})
    expect_refused(command + " --root elsewhere", "--root: " + none);
  expect_refused("fewshot run --data data --concept-column kind", "--concept-column: " + none);
  expect_refused("evaluate run --task ridge --data data --train data --concept-column kind",
                 "--concept-column: is for manifests, and data, data are none");
  expect_refused("embed run --out a.npy --texts texts --root elsewhere",
                 "--root: is for manifests of pictures");
  expect_refused("fewshot run --data texts.csv --texts --second-column other --labels nothere.txt",
                 "--labels: pairs of texts have no place beside the name of a class");
  expect_refused("fewshot run --data texts.csv --texts --second-column other --templates openai",
                 "--templates: ");
  // Nothing is a concept there: true of a folder, too.
  EXPECT_EQ(duet("evaluate run --task zero_shot --data data --concept-column ''").exit_code, 0);
}

TEST_F(OnARun, EqualPicturesUnderTwoLabelsAreToldOf) {
  classes("data", 3);
  classes("test", 3);
  drawing("data/dark/more.bmp", '\x50');
  drawing("test/light/again.bmp", '\0');
  const std::string twice =
      "test: 1 picture stands there again under another label, one of which is wrong:\n"
      "  test/dark/0.bmp = test/light/again.bmp";
  EXPECT_THAT(duet("evaluate run --task zero_shot --data test").output, HasSubstr(twice));
  EXPECT_THAT(duet("evaluate run --task ridge --train test --data data --leave-out-shared").output,
              HasSubstr(twice));
  EXPECT_THAT(duet("fewshot run --data data --test test --leave-out-shared --shots 1 --seeds 1").output,
              HasSubstr(twice));
  EXPECT_THAT(duet("evaluate run --task zero_shot --data data").output, Not(HasSubstr("again under")));
}

TEST_F(OnARun, ColumnsThatAreMissingAreNamedByWhatTheCommandHas) {
  write_file(folder_ / "sayings.csv", "saying,label\na red circle,x\na star,y\n");
  write_file(folder_ / "names", "x\ny\n");
  write_file(folder_ / "texts", "a red circle\n");
  const auto told = [&](const std::string& arguments) {
    const ShellResult ran = duet(arguments);
    EXPECT_EQ(ran.exit_code, 3) << arguments;
    return ran.output;
  };
  EXPECT_THAT(told("fewshot run --data sayings.csv"),
              testing::AllOf(HasSubstr("no column for the pictures (filepath, image, file, path)"),
                             HasSubstr("give the column with the paths one of these names, or --texts")));
  EXPECT_THAT(told("classify run --images sayings.csv --labels names"),
              testing::AllOf(HasSubstr("give the column with the paths one of these names\n"),
                             Not(HasSubstr("image_column"))));
  const std::string calibrate = "classify run --texts texts --labels names --calibrate sayings.csv";
  EXPECT_THAT(told(calibrate), HasSubstr("name another column with --text-column"));
  EXPECT_EQ(duet(calibrate + " --text-column saying").exit_code, 0);
}

TEST_F(OnARun, DamagedNewestCheckpointNamesTheWholeOneBeforeIt) {
  fs::remove_all(run_ / "model");
  const fs::path newest = run_ / "checkpoints/step-4";
  fs::copy(newest, run_ / "checkpoints/step-2", fs::copy_options::recursive);
  const std::string weights = read_file(newest / "model.safetensors");
  write_file(newest / "model.safetensors", weights.substr(0, weights.size() / 2));
  const ShellResult ran = duet("train --resume run");
  EXPECT_EQ(ran.exit_code, 4);
  EXPECT_THAT(ran.output, testing::AllOf(HasSubstr("model.safetensors: is damaged"),
                                         HasSubstr("remove run/checkpoints/step-4 to go on from step-2")));
  fs::remove_all(run_ / "checkpoints/step-2");
  EXPECT_THAT(duet("train --resume run").output, Not(HasSubstr("go on from")));
}

TEST_F(OnARun, TextsAreEmbeddedFromAFileOrStandardInputAndNeverBlank) {
  const std::string texts = "printf 'a red circle\\na star\\n'";
  ASSERT_EQ(duet("embed run --texts nope --out a.npy").exit_code, 3);
  ShellResult ran = shell(cat("cd ", quoted(folder_.path()), " && ", texts, " > texts && ", texts, " | ",
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
  const ShellResult ran = duet("embed run --images photos.csv --out pictures.npy");
  ASSERT_EQ(ran.exit_code, 0) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("1 of 2 pictures cannot be read and are rows of NaN:\n  none.png: "));
  const std::vector<double> lengths = row_lengths(folder_ / "pictures.npy", 2);
  EXPECT_NEAR(lengths[0], 1, 1e-5);
  EXPECT_TRUE(std::isnan(lengths[1]));
}

TEST_F(OnARun, APictureThatIsNamedAgainIsOneRowAndSaidAloud) {
  drawing("a.bmp", 'a');
  drawing("b.bmp", 'b');
  write_file(folder_ / "photos.csv", "filepath,caption\na.bmp,a circle\na.bmp,a star\nb.bmp,a heart\n");
  write_file(folder_ / "names", "red\nblue\n");
  const std::string told =
      "photos.csv: 1 of 3 rows names a picture again, which counts once: 2 pictures, in the order of the rows "
      "that "
      "name them first";
  EXPECT_THAT(duet("embed run --images photos.csv --out a.npy").output,
              testing::AllOf(HasSubstr(told), HasSubstr("wrote 2 x ")));
  EXPECT_THAT(duet("classify run --images photos.csv --labels names").output, HasSubstr(told));
}

TEST_F(OnARun, IndexThatFailsLeavesNothing) {
  pictures("bad", 2);
  write_file(folder_ / "file", "");
  const ShellResult unwritable = duet("index run --images shapes:8 --out file/bundle");
  EXPECT_EQ(unwritable.exit_code, 1);
  EXPECT_THAT(unwritable.output, StartsWith("error: file/bundle: cannot be made: "));
  const ShellResult bad = duet("index run --images bad --out bundle");
  EXPECT_EQ(bad.exit_code, 3);
  EXPECT_FALSE(fs::exists(folder_ / "bundle"));
  // What a killed one left is taken away by the next.
  fs::create_directories(folder_ / "bundle/.model.tmp-99999999");
  ASSERT_EQ(duet("index run --images shapes:8 --out bundle").exit_code, 0);
  for (const std::string& name : files_below(folder_ / "bundle")) EXPECT_THAT(name, Not(HasSubstr(".tmp-")));
}

// They are no files before: the bundle keeps them, and a search has something to show, also after a move.
TEST_F(OnARun, DrawnPicturesAreInTheBundle) {
  ASSERT_EQ(duet("index run --images shapes:8:3 --out bundle").exit_code, 0);
  fs::rename(folder_ / "bundle", folder_ / "moved");
  const ShellResult found = duet("search 'a red circle' -b moved -k 8");
  ASSERT_EQ(found.exit_code, 0) << found.output;
  EXPECT_THAT(found.output, Not(HasSubstr("not there")));
  std::set<std::string> pictures;
  for (int row = 0; row < 8; ++row) pictures.insert(cat("00000", row, ".png"));
  EXPECT_EQ(files_below(folder_ / "moved/drawn/shapes-8-3"), pictures);
  for (const std::string& picture : pictures)
    EXPECT_THAT(found.output, HasSubstr(cat("moved/drawn/shapes-8-3/", picture)));
}

TEST_F(OnARun, RefusedTrainingLeavesNothingAndWarnsOnce) {
  const fs::path data = pictures("two\nlines", 8);
  write_file(data / "x.heic", "x");
  const ShellResult ran = duet(cat("train --data ", quoted(data), " --out new --set train.batch=1000"));
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
  const ShellResult ran = duet("train --data two --out new");
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
  const ShellResult elsewhere = duet(train + "elsewhere");
  ASSERT_EQ(elsewhere.exit_code, 0) << elsewhere.output;
  EXPECT_THAT(elsewhere.output, HasSubstr("duet search \"...\" -b elsewhere\n"));
  EXPECT_THAT(duet(train + "runs/here").output, HasSubstr("duet search \"...\"\n"));
}

// The manifest is a pipe, so that the program is known to wait for it when the signal comes.
TEST_F(OnARun, SignalBeforeTheFirstStepSaysThatNothingIsSaved) {
  write_file(folder_ / "script",
             "mkfifo $1\n\"$2\" train --data $1 --out new &\nexec 3> $1\nkill -$1 $!\nwait $!\n");
  for (const auto& [signal, exit_code] : {std::pair{"INT", 130}, {"TERM", 143}}) {
    const ShellResult ran = shell(
        cat("cd ", quoted(folder_.path()), " && timeout 60 sh script ", signal, " ", quoted(DUET_PROGRAM)));
    EXPECT_EQ(ran.exit_code, exit_code) << ran.output;
    EXPECT_THAT(ran.output, HasSubstr("nothing saved yet; start again"));
    EXPECT_FALSE(fs::exists(folder_ / "new"));
  }
}

}  // namespace
}  // namespace duet
