// Runs the built `duet` as a user would, and makes small data for it.
#pragma once
#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace duet {

struct Finished {
  int exit = -1;  // 128 + signal when killed
  std::string out, err;
};
using Arguments = std::vector<std::string>;

// In `folder`, or where the test runs.
Finished duet_program(const Arguments& arguments, const std::filesystem::path& folder = ".");
pid_t start_duet(const Arguments& arguments, const std::filesystem::path& folder = ".");  // output goes nowhere
bool has_ended(pid_t process);  // without waiting; wait_for still has to be called
int wait_for(pid_t process);    // exit code as above

// Ends with the same bytes: weights, facts, curves.
void expect_same_run(const std::filesystem::path& a, const std::filesystem::path& b);

// What a bundle answers to "a red circle": its size, paths and scores.
std::string answer_of(const std::filesystem::path& bundle);

// `count` drawn shapes as PNG files with photos.csv beside them (filepath,caption,concept); returns the
// manifest.
std::filesystem::path make_pictures(const std::filesystem::path& folder, int count);
// The manifest's header and its first rows, beside it as some.csv.
std::filesystem::path first_rows(const std::filesystem::path& manifest, int rows);
// A recipe of some seconds on that manifest; returns its path.
std::filesystem::path make_recipe(const std::filesystem::path& folder, const std::filesystem::path& manifest,
                                  int steps);

}  // namespace duet
