// Batches of texts alone and of pictures alone, and what stands beside the captions of a batch.
#include <gmock/gmock.h>

#include <set>

#include "core/format.h"
#include "datasets/loader.h"
#include "drawn_source.h"
#include "tests/support/quiet.h"

namespace duet {
namespace {

using testing::drawn_source;
using testing::Scratch;

constexpr std::int64_t kBatch = 6;

const Tokenizer& tokenizer() {
  static const Tokenizer trained = [] {
    const Quiet quiet;
    std::vector<std::string> captions;
    for (int i = 0; i < 40; ++i) captions.push_back(cat("sentence ", i, " of some document, long ago"));
    return Tokenizer::train(captions, {.vocabulary = 300, .model = {}});
  }();
  return trained;
}

LoaderSetting setting_of(const Source& source) {
  LoaderSetting setting;
  setting.source = &source;
  setting.tokenizer = &tokenizer();
  setting.text_format = {.context = 24, .bos = false, .eos = true, .cls = false};
  setting.views = {{}};
  setting.preprocessing.size = 16;
  setting.follows = true;
  return setting;
}

std::vector<Batch> batches(const LoaderSetting& setting, const LoaderOptions& options, std::int64_t count) {
  const auto size = static_cast<std::int64_t>(setting.source->pairs.size());
  const auto rows = [size](std::int64_t step) {
    std::vector<std::int64_t> chosen;
    for (std::int64_t i = 0; i < kBatch; ++i) chosen.push_back((step * kBatch + 5 * i) % size);
    return chosen;
  };
  Loader loader(setting, options, rows, 0, count);
  std::vector<Batch> made;
  for (std::int64_t step = 0; step < count; ++step) made.push_back(loader.next());
  return made;
}

// The pieces of row `i`, without padding.
std::vector<std::int64_t> row_of(const torch::Tensor& tokens, const torch::Tensor& valid, std::int64_t i) {
  std::vector<std::int64_t> ids;
  for (std::int64_t k = 0; k < tokens.size(1); ++k) {
    if (valid[i][k].item<bool>())
      ids.push_back(tokens[i][k].item<std::int64_t>());
    else
      EXPECT_EQ(tokens[i][k].item<std::int64_t>(), tokenizer().id(kPad));
  }
  return ids;
}

std::vector<std::int64_t> encoded(const std::string& text, const LoaderSetting& setting) {
  return encode_caption(tokenizer(), text, setting.text_format);
}

// Documents of 1, 2, 3 and 4 sentences, in turn.
Source text_source(const Scratch& scratch) {
  std::string text;
  int sentence = 0;
  for (int document = 0; document < 8; ++document) {
    for (int i = 0; i <= document % 4; ++i) text += cat("sentence ", sentence++, " of ", document, "\n");
    text += "\n";
  }
  return read_source({.data = scratch.write("text.txt", text).string()});
}

void expect_equal(const std::vector<Batch>& a, const std::vector<Batch>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_TRUE(torch::equal(a[i].tokens, b[i].tokens));
    EXPECT_TRUE(torch::equal(a[i].follows, b[i].follows));
    EXPECT_TRUE(torch::equal(a[i].follows_valid, b[i].follows_valid));
  }
}

TEST(UnpairedLoader, TheNextSentenceFollows) {
  const Scratch scratch;
  const Source source = text_source(scratch);
  const LoaderSetting setting = setting_of(source);
  std::int64_t with = 0, without = 0;
  for (const Batch& batch : batches(setting, {}, 5)) {
    ASSERT_TRUE(batch.follows.defined());
    EXPECT_TRUE(batch.views.empty());
    EXPECT_EQ(batch.follows.sizes(), batch.follows_valid.sizes());
    EXPECT_EQ(batch.follows.size(0), kBatch);
    EXPECT_EQ(batch.follows.size(1) % 8, 0);
    for (std::int64_t i = 0; i < kBatch; ++i) {
      const std::int64_t row = batch.rows[static_cast<std::size_t>(i)];
      const Pair& pair = source.pairs[static_cast<std::size_t>(row)];
      EXPECT_EQ(row_of(batch.tokens, batch.valid, i), encoded(pair.captions[0], setting));
      EXPECT_EQ(batch.image_id[i].item<std::int64_t>(), source.image_id(row));
      const std::vector<std::string> next = source.follows(row);
      const std::vector<std::int64_t> follows = row_of(batch.follows, batch.follows_valid, i);
      next.empty() ? ++without : ++with;
      EXPECT_EQ(follows, next.empty() ? std::vector<std::int64_t>() : encoded(next[0], setting));
    }
  }
  EXPECT_GT(with, 0);
  EXPECT_GT(without, 0);
}

TEST(UnpairedLoader, WhereNothingFollowsARowIsOnlyPadding) {
  const Scratch scratch;
  const Source source = read_source({.data = scratch.write("list.txt", "a\nb\nc\n").string()});
  const Batch batch = batches(setting_of(source), {}, 1)[0];
  EXPECT_EQ(batch.follows.sizes(), (std::vector<std::int64_t>{kBatch, 8}));
  EXPECT_FALSE(batch.follows_valid.any().item<bool>());
  EXPECT_TRUE((batch.follows == tokenizer().id(kPad)).all().item<bool>());
}

TEST(UnpairedLoader, AnotherCaptionOfThePictureFollows) {
  Source source = drawn_source(12);
  for (std::size_t row = 0; row < source.pairs.size(); ++row)
    source.pairs[row].captions = {cat("first ", row), cat("second ", row), cat("third ", row)};
  source.pairs[3].captions.resize(1);
  LoaderSetting setting = setting_of(source);
  std::set<std::pair<std::string, std::string>> drawn;  // of picture 0
  for (const Batch& batch : batches(setting, {}, 40)) {
    EXPECT_EQ(batch.views.at("main").size(0), kBatch);
    for (std::int64_t i = 0; i < kBatch; ++i) {
      const std::int64_t row = batch.rows[static_cast<std::size_t>(i)];
      const auto shown = row_of(batch.tokens, batch.valid, i);
      const auto beside = row_of(batch.follows, batch.follows_valid, i);
      if (row == 3) {
        EXPECT_TRUE(beside.empty());
        continue;
      }
      EXPECT_NE(shown, beside);
      std::string a, b;
      for (const std::string& caption : source.pairs[static_cast<std::size_t>(row)].captions) {
        if (encoded(caption, setting) == shown) a = caption;
        if (encoded(caption, setting) == beside) b = caption;
      }
      EXPECT_FALSE(a.empty() || b.empty());
      if (row == 0) drawn.emplace(a, b);
    }
  }
  EXPECT_EQ(drawn.size(), 6u);  // each beside each other
}

TEST(UnpairedLoader, FollowsAreTheSameForAnyNumberOfWorkers) {
  const Scratch scratch;
  const Source texts = text_source(scratch), pairs = drawn_source(12);
  for (const Source* source : {&texts, &pairs}) {
    LoaderSetting setting = setting_of(*source);
    setting.captions.tag_subset = 0.5;
    expect_equal(batches(setting, {.workers = 0}, 6), batches(setting, {.workers = 3}, 6));
  }
}

TEST(UnpairedLoader, AskingForWhatFollowsChangesNothingElse) {
  const Source source = drawn_source(12);
  LoaderSetting setting = setting_of(source);
  setting.captions.tag_subset = 0.5;
  const std::vector<Batch> with = batches(setting, {}, 4);
  setting.follows = false;
  const std::vector<Batch> without = batches(setting, {}, 4);
  for (std::size_t i = 0; i < with.size(); ++i) {
    EXPECT_FALSE(without[i].follows.defined());
    EXPECT_FALSE(without[i].follows_valid.defined());
    EXPECT_TRUE(torch::equal(with[i].tokens, without[i].tokens));
    EXPECT_TRUE(torch::equal(with[i].views.at("main"), without[i].views.at("main")));
  }
}

TEST(UnpairedLoader, PicturesAloneHaveNoText) {
  Source source = drawn_source(12);
  for (Pair& pair : source.pairs) pair.captions.clear();
  const Batch batch = batches(setting_of(source), {}, 1)[0];
  EXPECT_EQ(batch.views.at("main").size(0), kBatch);
  EXPECT_FALSE(batch.tokens.defined());
  EXPECT_FALSE(batch.follows.defined());
  EXPECT_TRUE(torch::equal(batch.caption_id, batch.image_id));
  const Batch part = batch.slice(1, 3).to(torch::kCPU);
  EXPECT_EQ(part.views.at("main").size(0), 2);
}

}  // namespace
}  // namespace duet
