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

Finished duet_program(const Arguments& arguments);
pid_t start_duet(const Arguments& arguments);  // output goes nowhere
bool has_ended(pid_t process);                 // without waiting; wait_for still has to be called
int wait_for(pid_t process);                   // exit code as above

// `count` drawn shapes as PNG files with photos.csv beside them (filepath,caption,concept); returns the
// manifest.
std::filesystem::path make_pictures(const std::filesystem::path& folder, int count);
// A recipe of some seconds on that manifest; returns its path.
std::filesystem::path make_recipe(const std::filesystem::path& folder, const std::filesystem::path& manifest,
                                  int steps);

}  // namespace duet
