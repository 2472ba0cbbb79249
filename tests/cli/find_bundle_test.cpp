#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "cli/search.h"
#include "core/error.h"
#include "core/files.h"
#include "tests/support/temporary_folder.h"

namespace duet {
namespace {

using testing::HasSubstr;

class FindBundle : public testing::Test {
 protected:
  void SetUp() override {
    before_ = fs::current_path();
    fs::current_path(folder_.path());
    unsetenv("DUET_BUNDLE");
  }
  void TearDown() override {
    fs::current_path(before_);
    unsetenv("DUET_BUNDLE");
  }
  static void make_bundle(const fs::path& folder, int minutes_old) {
    fs::create_directories(folder);
    write_file(folder / "CURRENT", "gen-1\n");
    fs::last_write_time(folder / "CURRENT",
                        fs::file_time_type::clock::now() - std::chrono::minutes(minutes_old));
  }
  static Exit exit_of(const std::string& given, const std::string& said) {
    try {
      find_bundle(given);
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(said));
      return error.exit();
    }
    return Exit::ok;
  }

  TemporaryFolder folder_;
  fs::path before_;
};

TEST_F(FindBundle, NewestRunIsChosen) {
  make_bundle("runs/old/index", 20);
  make_bundle("runs/new/index", 5);
  make_bundle("runs/middle/index", 10);
  fs::create_directories("runs/without");
  EXPECT_EQ(find_bundle(""), "runs/new/index");
}

TEST_F(FindBundle, EnvironmentComesBeforeRunsAndTheOptionBeforeBoth) {
  make_bundle("runs/new/index", 5);
  make_bundle("one", 5);
  make_bundle("two", 5);
  setenv("DUET_BUNDLE", "one", 1);
  EXPECT_EQ(find_bundle(""), "one");
  EXPECT_EQ(find_bundle("two"), "two");
}

TEST_F(FindBundle, RunStandsForItsBundle) {
  make_bundle("runs/new/index", 5);
  EXPECT_EQ(find_bundle("runs/new"), fs::path("runs/new/index"));
}

TEST_F(FindBundle, ErrorsNameWhatWasAskedFor) {
  EXPECT_EQ(exit_of("", "duet index RUN --images"), Exit::usage);
  EXPECT_EQ(exit_of("nowhere", "nowhere is not there"), Exit::artifact);
  fs::create_directory("plain");
  EXPECT_EQ(exit_of("plain", "plain is no bundle"), Exit::artifact);
  setenv("DUET_BUNDLE", "plain", 1);
  EXPECT_EQ(exit_of("", "DUET_BUNDLE"), Exit::artifact);
}

}  // namespace
}  // namespace duet
