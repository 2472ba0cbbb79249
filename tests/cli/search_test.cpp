// A query from the command's options to what is printed, on a bundle with a hand-made text tower: no LibTorch,
// no training.
#include "cli/search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>
#include <sstream>

#include "cli/front.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/random.h"
#include "core/safetensors.h"
#include "encoders/plain/query_tower.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::int64_t kDimension = 24, kWidth = 4;

const std::vector<std::string>& captions() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> made;
    for (const std::string colour : {"red", "green", "blue", "yellow"}) {
      for (const std::string thing : {"heart", "apple", "circle", "赤い星"})
        made.push_back(cat("a ", colour, " ", thing));
    }
    return made;
  }();
  return all;
}

std::vector<float> random_values(std::int64_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(random.normal()));
  return values;
}

NamedTensor named(const std::string& name, std::vector<std::int64_t> shape, const std::vector<float>& values) {
  return {name, {"F32", std::move(shape), std::as_bytes(std::span(values))}};
}

// A table that gives every piece a random direction: texts that share pieces are near each other.
void write_model(const fs::path& folder, std::int64_t dimension) {
  TokenizerOptions options;
  options.vocabulary = 300;
  const Tokenizer tokenizer = Tokenizer::train(captions(), options);
  const std::int64_t v = tokenizer.vocabulary();
  const std::vector<float> tokens = random_values(v * kWidth, 1), table = random_values(v * dimension, 2);
  const std::vector<float> idf(static_cast<std::size_t>(v), 1), weight(kWidth, 1), bias(kWidth, 0);
  fs::create_directories(folder);
  write_file(folder / "tokenizer.model", tokenizer.serialized());
  write_file(folder / "text.toml", cat("[text]\nkind = \"bag_of_tokens\"\nwidth = ", kWidth,
                                       "\n[[space]]\nkind = \"pieces\"\ndimension = ", dimension, "\n"));
  write_file(folder / "model.json", cat("{\"weights\": [1], \"vocabulary\": ", v, "}\n"));
  write_safetensors(
      folder / "model.safetensors",
      {named("text.tokens", {v, kWidth}, tokens), named("text.norm.weight", {kWidth}, weight),
       named("text.norm.bias", {kWidth}, bias), named("spaces.pieces.table", {v, dimension}, table),
       named("spaces.pieces.idf", {v}, idf)});
}

void write_pictures_bundle(const fs::path& bundle, const fs::path& model, const fs::path& rows_model,
                           std::size_t count = captions().size()) {
  const QueryTower tower = QueryTower::open(rows_model);
  std::vector<float> rows;
  BundleContent content;
  for (std::size_t i = 0; i < count; ++i) {
    const std::vector<float> row = tower.embed(captions()[i]);
    rows.insert(rows.end(), row.begin(), row.end());
    content.items.push_back(
        {cat("pictures/", i, ".png"), {captions()[i], "a drawing"}, cat("concept ", i), {"noto"}});
  }
  content.rows = rows;
  content.dimension = tower.dimension();
  content.columns = {"style"};
  content.picture_root = bundle.parent_path();
  content.model_folder = model;
  content.model_identity = "identity";
  write_bundle(bundle, content, {});
}

struct Shown {
  int exit_code = 0;
  std::string out, err;
};

class SearchCommand : public testing::Test {
 protected:
  void SetUp() override {
    write_model(folder_ / "model", kDimension);
    write_pictures_bundle(bundle(), folder_ / "model", folder_ / "model");
    fs::create_directories(folder_ / "pictures");
    for (std::size_t i = 0; i < captions().size(); ++i)
      write_file(folder_ / cat("pictures/", i, ".png"), "a picture");
  }
  fs::path bundle() const { return folder_ / "bundle"; }

  SearchOptions asking(const std::string& query) const {
    SearchOptions options;
    options.query = query;
    options.bundle = bundle().string();
    return options;
  }

  static Shown run(const SearchOptions& options) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Shown shown;
    try {
      shown.exit_code = run_search(options);
    } catch (const Error& error) {
      shown = {static_cast<int>(error.exit()), "", error.what()};
    }
    std::cout.flush();
    shown.out = testing::internal::GetCapturedStdout();
    shown.err += testing::internal::GetCapturedStderr();
    return shown;
  }

  TemporaryFolder folder_;
};

TEST_F(SearchCommand, PrintsTheBestFirstAsLines) {
  SearchOptions options = asking("a green apple");
  options.k = 3;
  const Shown shown = run(options);
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_THAT(shown.err, IsEmpty());
  std::istringstream lines(shown.out);
  std::string first;
  std::getline(lines, first);
  EXPECT_EQ(first, cat("1\t1.0000\t", (folder_ / "pictures/5.png").string(), "\ta green apple"));
  EXPECT_EQ(std::count(shown.out.begin(), shown.out.end(), '\n'), 3);
}

TEST_F(SearchCommand, PrintsJson) {
  SearchOptions options = asking("yellow 赤い星");
  options.json = true;
  options.k = 2;
  const nlohmann::json json = nlohmann::json::parse(run(options).out);
  EXPECT_EQ(json["query"], "yellow 赤い星");
  EXPECT_EQ(json["bundle_size"], captions().size());
  ASSERT_EQ(json["hits"].size(), 2u);
  EXPECT_EQ(json["hits"][0]["caption"], "a yellow 赤い星");
  EXPECT_EQ(json["hits"][0]["path"], "pictures/15.png");
  EXPECT_EQ(json["hits"][0]["columns"]["style"], "noto");
  EXPECT_GE(json["hits"][0]["score"], json["hits"][1]["score"]);
}

TEST_F(SearchCommand, ShowsAllWhenAskedForMore) {
  SearchOptions options = asking("blue");
  options.k = 1000;
  const Shown shown = run(options);
  EXPECT_EQ(shown.exit_code, 0);
  EXPECT_EQ(static_cast<std::size_t>(std::count(shown.out.begin(), shown.out.end(), '\n')), captions().size());
  EXPECT_THAT(shown.err, HasSubstr("holds 16 pictures"));
}

TEST_F(SearchCommand, DefaultNumberIsNoWish) {
  const fs::path few = folder_ / "few";
  write_pictures_bundle(few, folder_ / "model", folder_ / "model", 3);
  SearchOptions options = asking("blue");
  options.bundle = few.string();
  const Shown shown = run(options);
  EXPECT_EQ(std::count(shown.out.begin(), shown.out.end(), '\n'), 3);
  EXPECT_THAT(shown.err, IsEmpty());
}

TEST_F(SearchCommand, WritesAPageWhole) {
  SearchOptions options = asking("a red heart");
  options.html = (folder_ / "hearts.html").string();
  const Shown shown = run(options);
  EXPECT_THAT(shown.err, HasSubstr("hearts.html"));
  EXPECT_THAT(read_file(folder_ / "hearts.html"), HasSubstr("<h1>a red heart</h1>"));
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(folder_.path())) files += entry.is_regular_file() ? 1 : 0;
  EXPECT_EQ(files, 1u);  // no temporary stays
}

TEST_F(SearchCommand, RootSaysWhereThePicturesAreNow) {
  SearchOptions options = asking("a red heart");
  const fs::path elsewhere = folder_ / "elsewhere";
  fs::create_directories(elsewhere);
  fs::rename(folder_ / "pictures", elsewhere / "pictures");
  const Shown lost = run(options);
  EXPECT_EQ(lost.exit_code, 0);
  EXPECT_THAT(lost.err, HasSubstr((folder_ / "pictures/0.png").string() + " is not there"));
  EXPECT_THAT(lost.err, HasSubstr("--root DIR"));
  options.root = elsewhere.string();
  const Shown found = run(options);
  EXPECT_THAT(found.out, HasSubstr("\t" + (elsewhere / "pictures/0.png").string() + "\t"));
  EXPECT_THAT(found.err, IsEmpty());
  options.root = (folder_ / "nope").string();
  const Shown refused = run(options);
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.out, IsEmpty());
  EXPECT_THAT(refused.err, HasSubstr("nope: is no folder"));
}

TEST_F(SearchCommand, PageIsNotWrittenIntoTheBundlesSealedPart) {
  SearchOptions options = asking("a red heart");
  options.html = (bundle() / "gen-1/page.html").string();
  EXPECT_EQ(run(options).exit_code, 2);
  EXPECT_EQ(run(asking("a red heart")).exit_code, 0);
}

TEST_F(SearchCommand, TowerOfAnotherDimensionIsRefused) {
  write_model(folder_ / "other", kDimension + 1);
  write_pictures_bundle(folder_ / "mixed", folder_ / "other", folder_ / "model");
  SearchOptions options = asking("red");
  options.bundle = (folder_ / "mixed").string();
  const Shown shown = run(options);
  EXPECT_EQ(shown.exit_code, 4);
  EXPECT_THAT(shown.err, HasSubstr("25 numbers, its rows have 24"));
}

TEST_F(SearchCommand, DamagedBundleIsRefused) {
  for (const auto& entry : fs::recursive_directory_iterator(bundle())) {
    if (entry.path().filename() != "tokenizer.model") continue;
    std::string bytes = read_file(entry.path());
    bytes[bytes.size() / 2] ^= 1;
    write_file(entry.path(), bytes);
  }
  const Shown shown = run(asking("red"));
  EXPECT_EQ(shown.exit_code, 4);
  EXPECT_THAT(shown.err, HasSubstr("tokenizer.model"));
}

}  // namespace
}  // namespace duet
