#include "core/sealed.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/checksum.h"
#include "core/files.h"
#include "tests/support/failure.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

using nlohmann::json;

const std::string kFormat = "duet-checkpoint";

// A folder of three small files, one of them empty, one in a folder of its own.
Sealed make_sealed(const fs::path& folder, const json& facts = {{"step", 5}, {"score", 0.25}}) {
  fs::create_directories(folder / "deep");
  write_file(folder / "weights", std::string("\0\1\2\3weights", 11));
  write_file(folder / "deep" / "tokenizer.model", "pieces");
  write_file(folder / "empty", "");
  return seal_folder(folder, kFormat, 1, facts);
}

Failure opening(const fs::path& folder) {
  return failure_of([&] { open_sealed(folder, kFormat, 1); });
}

void expect_refused(const fs::path& folder, std::string_view expected) {
  const Failure failure = opening(folder);
  EXPECT_EQ(failure.exit, Exit::artifact) << failure.text;
  EXPECT_NE(failure.text.find(expected), std::string::npos) << failure.text;
}

// Writes a manifest that is well formed and carries the right checksum, whatever it says.
void forge(const fs::path& folder, json manifest) {
  manifest.erase("checksum");
  manifest["checksum"] = checksum(manifest.dump());
  write_file(folder / "manifest.json", manifest.dump(2) + "\n");
}

json manifest_of(const fs::path& folder) { return json::parse(read_file(folder / "manifest.json")); }

TEST(Sealed, OpensWhatItSealed) {
  const TemporaryFolder folder;
  const Sealed sealed = make_sealed(folder.path());
  const Sealed opened = open_sealed(folder.path(), kFormat, 3);
  EXPECT_EQ(opened.version, 1);
  EXPECT_EQ(opened.facts, sealed.facts);
  EXPECT_EQ(opened.identity, sealed.identity);
  EXPECT_EQ(opened.files.size(), 3u);
  EXPECT_EQ(opened.files.at("deep/tokenizer.model").size, 6u);
  EXPECT_EQ(opened.files.at("weights").checksum, checksum_file(folder / "weights"));
}

TEST(Sealed, IdentityIsAFunctionOfTheContent) {
  const TemporaryFolder a, b;
  EXPECT_EQ(make_sealed(a.path()).identity, make_sealed(b.path()).identity);
  EXPECT_EQ(read_file(a / "manifest.json"), read_file(b / "manifest.json"));
  EXPECT_NE(make_sealed(b.path(), {{"step", 6}}).identity, make_sealed(a.path()).identity);
}

TEST(Sealed, MovesAnywhere) {
  const TemporaryFolder folder;
  make_sealed(folder / "a");
  fs::rename(folder / "a", folder / "ü b");
  EXPECT_EQ(opening(folder / "ü b").exit, Exit::ok);
}

TEST(Sealed, EveryFlippedByteAndEveryCutIsRefused) {
  const TemporaryFolder folder;
  make_sealed(folder.path());
  int tried = 0;
  for (const char* name : {"manifest.json", "weights", "deep/tokenizer.model"}) {
    const std::string good = read_file(folder / name);
    const auto expect_damaged = [&](const std::string& content) {
      std::ofstream(folder / name, std::ios::binary) << content;  // no fsync: this runs ten thousand times
      const Failure failure = opening(folder.path());
      ASSERT_EQ(failure.exit, Exit::artifact) << name << " " << content;
      ++tried;
    };
    for (std::size_t i = 0; i < good.size(); ++i) {
      for (const int change : {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff}) {
        std::string content = good;
        content[i] = static_cast<char>(content[i] ^ change);
        expect_damaged(content);
      }
      expect_damaged(good.substr(0, i));
    }
    expect_damaged(good + '\0');
    expect_damaged(good + '\n');
    write_file(folder / name, good);
  }
  EXPECT_EQ(opening(folder.path()).exit, Exit::ok);
  RecordProperty("changes_refused", tried);
}

// White space and other spellings of the same JSON change no value, but are changes all the same.
TEST(Sealed, AnotherSpellingOfTheManifestIsRefused) {
  const TemporaryFolder folder;
  make_sealed(folder.path());
  const json manifest = manifest_of(folder.path());
  write_file(folder / "manifest.json", manifest.dump());
  expect_refused(folder.path(), "manifest.json: is damaged");
  write_file(folder / "manifest.json", manifest.dump(2) + "\r\n");
  expect_refused(folder.path(), "manifest.json: is damaged");
}

TEST(Sealed, NamesMissingExtraCutAndChangedFiles) {
  const TemporaryFolder folder;
  make_sealed(folder.path());
  fs::rename(folder / "weights", folder / "wheels");
  expect_refused(folder.path(), (folder / "weights").string() + ": is missing");
  fs::rename(folder / "wheels", folder / "weights");
  write_file(folder / "more", "");
  expect_refused(folder.path(), (folder / "more").string() + ": does not belong here; remove it");
  fs::remove(folder / "more");
  write_file(folder / "deep" / "tokenizer.model", "piece");
  expect_refused(folder.path(), "is damaged: it holds 5 bytes instead of 6");
  write_file(folder / "deep" / "tokenizer.model", "pieceS");
  expect_refused(folder.path(), "deep/tokenizer.model: is damaged: its checksum does not match");
}

TEST(Sealed, RefusesLinks) {
  const TemporaryFolder folder;
  make_sealed(folder.path());
  fs::rename(folder / "weights", folder.path().parent_path() / "duet weights elsewhere");
  fs::create_symlink(folder.path().parent_path() / "duet weights elsewhere", folder / "weights");
  expect_refused(folder.path(), "weights: is not a plain file");
  fs::remove(folder.path().parent_path() / "duet weights elsewhere");
  EXPECT_EQ(failure_of([&] { seal_folder(folder.path(), kFormat, 1, {}); }).exit, Exit::artifact);
}

TEST(Sealed, RefusesOtherFormatsAndNewerVersions) {
  const TemporaryFolder folder;
  make_sealed(folder.path());
  Failure failure = failure_of([&] { open_sealed(folder.path(), "duet-bundle", 1); });
  EXPECT_EQ(failure.exit, Exit::artifact);
  EXPECT_EQ(failure.text, folder.path().string() + ": is a checkpoint, not a bundle");
  seal_folder(folder.path(), kFormat, 4, {});
  EXPECT_EQ(open_sealed(folder.path(), kFormat, 4).version, 4);
  failure = failure_of([&] { open_sealed(folder.path(), kFormat, 3); });
  EXPECT_EQ(failure.exit, Exit::artifact);
  EXPECT_NE(failure.text.find("newer duet (version 4 of the format; this one reads up to 3)"),
            std::string::npos);
}

TEST(Sealed, SaysWhenThereIsNoSuchThing) {
  const TemporaryFolder folder;
  expect_refused(folder.path(), folder.path().string() + ": is no checkpoint: it has no manifest.json");
  expect_refused(folder / "none", (folder / "none").string() + ": is no checkpoint; there is no such folder");
}

TEST(Sealed, RefusesAForgedManifestThatLeavesTheFolder) {
  const TemporaryFolder folder;
  make_sealed(folder.path());
  const json good = manifest_of(folder.path());
  for (const char* name :
       {"../outside", "/etc/passwd", "deep/../weights", "./weights", "deep//x", "", ".", "..", "deep/"}) {
    json manifest = good;
    manifest["files"][name] = {{"size", 0}, {"checksum", checksum("")}};
    forge(folder.path(), manifest);
    expect_refused(folder.path(), "is no file of this folder");
  }
  forge(folder.path(), good);
  EXPECT_EQ(opening(folder.path()).exit, Exit::ok);
}

TEST(Sealed, RefusesForgedManifestsOfAnotherShape) {
  const TemporaryFolder folder;
  make_sealed(folder.path());
  const json good = manifest_of(folder.path());
  const auto expect_forgery_refused = [&](const std::function<void(json&)>& change) {
    json manifest = good;
    change(manifest);
    forge(folder.path(), manifest);
    EXPECT_EQ(opening(folder.path()).exit, Exit::artifact) << manifest;
  };
  expect_forgery_refused([](json& m) { m["more"] = 1; });
  expect_forgery_refused([](json& m) { m.erase("facts"); });
  expect_forgery_refused([](json& m) { m["files"] = json::array(); });
  expect_forgery_refused([](json& m) { m["files"]["weights"] = 3; });
  expect_forgery_refused([](json& m) { m["files"]["weights"]["size"] = -11; });
  expect_forgery_refused([](json& m) { m["files"]["weights"]["size"] = "11"; });
  expect_forgery_refused([](json& m) { m["files"]["weights"].erase("checksum"); });
  expect_forgery_refused([](json& m) { m["version"] = "1"; });
  expect_forgery_refused([](json& m) { m["version"] = 1.5; });
  expect_forgery_refused([](json& m) { m["version"] = -1; });
  expect_forgery_refused([](json& m) { m["format"] = 1; });
  for (const char* text : {"", "[]", "null", "{", "{}", "3"}) {
    write_file(folder / "manifest.json", text);
    EXPECT_EQ(opening(folder.path()).exit, Exit::artifact) << text;
  }
}

TEST(Sealed, QuickOpeningSkipsLargeFilesUntilTheyAreVerified) {
  const TemporaryFolder folder;
  make_sealed(folder.path());
  write_file(folder / "weights", "WEIGHTS 123");
  const Sealed opened = open_sealed_quickly(folder.path(), kFormat, 1, 10);
  verify_file(opened, "deep/tokenizer.model");
  EXPECT_EQ(failure_of([&] { verify_file(opened, "weights"); }).exit, Exit::artifact);
  EXPECT_EQ(failure_of([&] { verify_file(opened, "none"); }).exit, Exit::artifact);
  EXPECT_EQ(failure_of([&] { open_sealed_quickly(folder.path(), kFormat, 1, 11); }).exit, Exit::artifact);
  write_file(folder / "weights", "short");
  EXPECT_EQ(failure_of([&] { open_sealed_quickly(folder.path(), kFormat, 1, 0); }).exit, Exit::artifact);
}

TEST(Sealed, NothingIsAddedToASealedFolder) {
  const TemporaryFolder folder;
  make_sealed(folder / "run/step-1");
  fs::create_directory_symlink(folder / "run/step-1", folder / "link");
  write_file(folder / "run/photos.json", "{}");
  const std::string step = fs::canonical(folder / "run/step-1").string();
  for (const char* name : {"run/step-1", "run/step-1/", "run/step-1/new", "run/step-1/new/a.npy",
                           "run/step-1/deep", "run/../run/step-1/deep/x", "link", "link/a.npy"}) {
    const Failure failure = failure_of([&] { check_outside_sealed(folder / name); });
    EXPECT_EQ(failure.exit, Exit::usage) << name;
    EXPECT_EQ(failure.text,
              step + ": is a sealed checkpoint, to which nothing is added; name the run, or another folder")
        << name;
  }
  for (const char* name : {"run", "run/", "run/index", "none/at all", "run/step-1/../x", "run/step-10"})
    EXPECT_EQ(failure_of([&] { check_outside_sealed(folder / name); }).text, "") << name;
  // Damage is no permission, another program's manifest no seal.
  fs::remove(folder / "run/step-1/weights");
  EXPECT_EQ(failure_of([&] { check_outside_sealed(folder / "run/step-1/x"); }).exit, Exit::usage);
  for (const char* text :
       {"", "[]", "{", "{\"format\": 3}", "{\"format\": \"zip\"}", "{\"name\": \"duet-\"}"}) {
    write_file(folder / "run/manifest.json", text);
    EXPECT_EQ(failure_of([&] { check_outside_sealed(folder / "run/x"); }).text, "") << text;
  }
}

TEST(Sealed, FactsThatAreNotUtf8AreAnErrorNotAFile) {
  const TemporaryFolder folder;
  EXPECT_EQ(failure_of([&] { make_sealed(folder.path(), {{"name", "\xff"}}); }).exit, Exit::failed);
  EXPECT_FALSE(fs::exists(folder / "manifest.json"));
}

TEST(Sealed, OddNumbersInFactsSurvive) {
  const TemporaryFolder folder;
  make_sealed(folder.path(),
              {{"a", 0.1}, {"b", 1e300}, {"c", std::nan("")}, {"d", 18446744073709551615u}, {"e", 3.0}});
  const Sealed opened = open_sealed(folder.path(), kFormat, 1);
  EXPECT_EQ(opened.facts["a"], 0.1);
  EXPECT_EQ(opened.facts["d"], 18446744073709551615u);
  EXPECT_TRUE(opened.facts["c"].is_null());
}

}  // namespace
}  // namespace duet
