#include "tests/end_to_end/program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/checksum.h"
#include "core/files.h"
#include "core/format.h"
#include "datasets/source.h"
#include "tests/support/temporary_folder.h"

extern char** environ;

namespace duet {
namespace {

pid_t spawn(const Arguments& arguments, const fs::path& folder, const std::string& out,
            const std::string& err) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  std::vector<std::string> words = {DUET_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t process = -1;
  const int problem = posix_spawn(&process, DUET_PROGRAM, &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (problem != 0) throw std::runtime_error(cat("cannot start ", DUET_PROGRAM));
  return process;
}

}  // namespace

bool has_ended(pid_t process) {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(process), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
         info.si_pid == process;
}

int wait_for(pid_t process) {
  int status = 0;
  waitpid(process, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Finished duet_program(const Arguments& arguments, const fs::path& folder) {
  const TemporaryFolder said;
  const std::string out = said / "out", err = said / "err";
  Finished finished;
  finished.exit = wait_for(spawn(arguments, folder, out, err));
  finished.out = read_file(out);
  finished.err = read_file(err);
  return finished;
}

pid_t start_duet(const Arguments& arguments, const fs::path& folder) {
  return spawn(arguments, folder, "/dev/null", "/dev/null");
}

void expect_same_run(const fs::path& a, const fs::path& b) {
  for (const char* file : {"model/model.safetensors", "model/manifest.json", "metrics.jsonl"})
    EXPECT_EQ(checksum(read_file(a / file)), checksum(read_file(b / file))) << file << " of " << b;
}

std::string answer_of(const fs::path& bundle) {
  const Finished found = duet_program({"search", "a red circle", "-b", bundle.string(), "--json"});
  EXPECT_EQ(found.exit, 0) << found.err;
  const nlohmann::json json = nlohmann::json::parse(found.out, nullptr, false);
  if (!json.is_object()) return "no JSON: " + found.out;
  std::string answer = cat(json["bundle_size"].dump(), " pictures:");
  for (const nlohmann::json& hit : json["hits"]) answer += cat(" ", hit["path"].dump(), hit["score"].dump());
  return answer;
}

fs::path make_pictures(const fs::path& folder, int count) {
  fs::create_directories(folder / "pictures");
  const Source shapes = read_source({.data = "shapes", .format = "shapes", .shapes_count = count});
  std::string manifest = "filepath,caption,concept\n";
  for (std::size_t row = 0; row < shapes.pairs.size(); ++row) {
    const std::string name = cat("pictures/shape ", row, ".png");
    write_png(folder / name, shapes.draw(static_cast<std::int64_t>(row)));
    manifest +=
        cat(name, ",\"", shapes.pairs[row].captions.front(), "\",", shapes.pairs[row].concept_key, "\n");
  }
  write_file(folder / "photos.csv", manifest);
  return folder / "photos.csv";
}

fs::path first_rows(const fs::path& manifest, int rows) {
  const std::string all = read_file(manifest);
  std::size_t end = 0;
  for (int line = 0; line <= rows; ++line) end = all.find('\n', end) + 1;
  const fs::path some = manifest.parent_path() / "some.csv";
  write_file(some, all.substr(0, end));
  return some;
}

fs::path make_recipe(const fs::path& folder, const fs::path& manifest, int steps) {
  write_file(folder / "recipe.toml", cat("[data]\ntrain = \"", manifest.string(),
                                         "\"\nsplit = 0.2\nworkers = 1\n"
                                         "[tokenizer]\nvocabulary = 300\n"
                                         "[image]\nkind = \"convnet\"\nsize = 24\nwidths = [8, 16]\n"
                                         "[text]\nkind = \"bag_of_tokens\"\ncontext = 16\n"
                                         "[[space]]\nname = \"joint\"\ndimension = 16\n"
                                         "[[space]]\nname = \"parts\"\nkind = \"ridge\"\nweight = \"auto\"\n"
                                         "[views.main]\ncrop = [0.8, 1.0]\n"
                                         "[[objective]]\nkind = \"info_nce\"\n"
                                         "[train]\nbatch = 16\nsteps = ",
                                         steps, "\nlr = 3e-3\nevaluations = 5\nema = 0.9\n"));
  return folder / "recipe.toml";
}

}  // namespace duet
