#include "cli/launch.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/format.h"
#include "core/log.h"

namespace duet {

namespace {

namespace fs = std::filesystem;

constexpr const char* kProgram = "/proc/self/exe";

std::vector<fs::path> engine_places() {
  if (const char* chosen = std::getenv("DUET_ENGINE"); chosen != nullptr && *chosen != '\0') return {chosen};
  const fs::path bin = fs::read_symlink(kProgram).parent_path();
  // The build tree's layout and the usual one; then the libexec folder that cmake was told.
  std::vector<fs::path> places = {(bin / "../libexec/duet/duet-engine").lexically_normal()};
  const fs::path told = (bin / DUET_LIBEXEC_FROM_BIN / "duet/duet-engine").lexically_normal();
  if (told != places[0]) places.push_back(told);
  return places;
}

}  // namespace

void become_engine(char** argv) {
  const std::vector<fs::path> places = engine_places();
  std::vector<std::string> looked_at;
  for (const fs::path& engine : places) {
    std::error_code none;
    looked_at.push_back(engine.string());
    if (!fs::exists(engine, none)) continue;
    if (fs::equivalent(engine, kProgram, none)) {
      fail(Exit::failed, engine.string(), "this is duet itself, not its engine",
           "DUET_ENGINE names the program duet-engine");
    }
    log_debug(cat("engine: ", engine.string()));
    std::cout.flush();
    execv(engine.c_str(), argv);
    fail(Exit::failed, engine.string(), cat("cannot be started: ", std::strerror(errno)));
  }
  fail(Exit::failed, "duet-engine", cat("not found at ", joined(looked_at, " or ")),
       "build the target duet-engine, or set DUET_ENGINE to the program");
}

}  // namespace duet
