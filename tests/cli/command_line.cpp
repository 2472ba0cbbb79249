#include "tests/cli/command_line.h"

#include <gtest/gtest.h>

#include <iostream>

#include "cli/parse.h"
#include "core/log.h"

namespace duet {

Parsed parse_words(const std::vector<std::string>& words) {
  std::vector<std::string> all = {"duet"};
  all.insert(all.end(), words.begin(), words.end());
  std::vector<char*> argv;
  for (std::string& word : all) argv.push_back(word.data());
  argv.push_back(nullptr);
  Parsed parsed;
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  parsed.command = parse(static_cast<int>(all.size()), argv.data(), parsed.exit_code);
  std::cout.flush();
  parsed.out = testing::internal::GetCapturedStdout();
  parsed.err = testing::internal::GetCapturedStderr();
  set_verbosity(Verbosity::normal);
  return parsed;
}

}  // namespace duet
