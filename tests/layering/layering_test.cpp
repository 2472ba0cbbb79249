// The order of the folders, checked on every #include: docs/architecture.md explains it, the two tables below
// are it.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

enum Torch { kNever, kAllowed };

struct Folder {
  std::string path;  // the longest that fits a file counts
  int layer;         // a file includes its own folder and lower layers
  Torch torch;       // never: not through any other header either
};
const std::vector<Folder> kFolders{
    {"src/core", 0, kNever},       {"src/text", 1, kNever},          {"encoders/plain", 2, kNever},
    {"src/tensors", 3, kAllowed},  {"datasets", 4, kAllowed},        {"encoders", 4, kAllowed},
    {"losses", 5, kAllowed},       {"retrieval", 5, kNever},         {"src/optim", 5, kAllowed},
    {"src/run", 6, kAllowed},      {"src/report", 6, kNever},        {"src/evaluation", 7, kAllowed},
    {"src/training", 8, kAllowed}, {"src/adaptation", 8, kAllowed},  {"src/serve", 9, kAllowed},
    {"src/cli", 10, kNever},       {"src/cli/engine", 11, kAllowed}, {"src/cli/engine_main.cpp", 11, kAllowed},
};

// One definition of each text tower serves both sides: the plain towers use its templates, which know no
// LibTorch.
const std::map<std::string, std::string> kAlso{{"encoders/plain", "encoders/text/"}};

// Headers that are not duet's own, by the start of their names, and the folders that may include them.
struct ThirdParty {
  std::string header;
  std::vector<std::string> folders;  // empty: all
};
const std::vector<ThirdParty> kThirdParty{
    {"nlohmann/", {}},          {"toml++/", {"src/core"}},        {"spdlog/", {"src/core"}},
    {"xxhash.h", {"src/core"}}, {"sentencepiece_", {"src/text"}}, {"utf8proc.h", {"src/text"}},
    {"opencv2/", {"datasets"}}, {"jpeglib.h", {"datasets"}},      {"jerror.h", {"datasets"}},
    {"faiss/", {"retrieval"}},  {"sqlite3.h", {"retrieval"}},     {"omp.h", {"retrieval"}},
    {"CLI/", {"src/cli"}},      {"httplib.h", {"src/serve"}},
};

const std::set<std::string> kPosix{"dirent.h",  "dlfcn.h", "fcntl.h",  "fnmatch.h", "malloc.h",  "poll.h",
                                   "pthread.h", "sched.h", "signal.h", "spawn.h",   "termios.h", "unistd.h"};

bool is_torch(const std::string& header) {
  return header.starts_with("torch/") || header.starts_with("ATen/") || header.starts_with("c10/");
}

bool is_system(const std::string& header) {
  if (header.find('/') == std::string::npos && header.find('.') == std::string::npos) return true;  // <vector>
  return kPosix.contains(header) || header.starts_with("sys/") || header.starts_with("netinet/") ||
         header.starts_with("arpa/");
}

const fs::path& root() {
  static const fs::path path = DUET_SOURCE;
  return path;
}

bool lies_in(const std::string& file, const std::string& folder) {
  return file == folder || file.starts_with(folder + "/");
}

const Folder* folder_of(const std::string& file) {
  const Folder* best = nullptr;
  for (const Folder& folder : kFolders) {
    if (lies_in(file, folder.path) && (!best || folder.path.size() > best->path.size())) best = &folder;
  }
  return best;
}

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Include {
  std::string name;
  bool quoted;
};

std::vector<Include> includes_in(const std::string& content) {
  static const std::regex line("(?:^|\\n)[ \\t]*#[ \\t]*include[ \\t]*([\"<])([^\">]+)[\">]");
  std::vector<Include> includes;
  for (std::sregex_iterator match(content.begin(), content.end(), line), end; match != end; ++match) {
    includes.push_back({(*match)[2], (*match)[1] == "\""});
  }
  return includes;
}

// "core/error.h" -> "src/core/error.h"; both the root and src/ are on the include path.
std::optional<std::string> own_file(const std::string& name) {
  for (const char* start : {"src", ""}) {
    if (fs::is_regular_file(root() / start / name))
      return (fs::path(start) / name).lexically_normal().generic_string();
  }
  return std::nullopt;
}

std::map<std::string, std::vector<Include>> read_tree() {
  std::map<std::string, std::vector<Include>> files;
  for (const char* top : {"src", "datasets", "encoders", "losses", "retrieval"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root() / top)) {
      const fs::path extension = entry.path().extension();
      if (!entry.is_regular_file() || (extension != ".h" && extension != ".cpp")) continue;
      files[entry.path().lexically_relative(root()).generic_string()] = includes_in(content_of(entry.path()));
    }
  }
  return files;
}

const std::map<std::string, std::vector<Include>>& tree() {
  static const auto files = read_tree();
  return files;
}

// What stands in duet_library(...) and duet_executable(...) of the folders' CMake files.
struct Target {
  std::vector<std::string> sources, links;
  bool torch = false;
};

std::map<std::string, Target> read_targets() {
  static const std::regex call("duet_(library|executable)\\(([^)]*)\\)");
  std::map<std::string, Target> targets;
  for (const char* top : {"src", "datasets", "encoders", "losses", "retrieval"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root() / top)) {
      if (entry.path().filename() != "CMakeLists.txt") continue;
      const std::string content = content_of(entry.path());
      const fs::path folder = entry.path().parent_path().lexically_relative(root());
      for (std::sregex_iterator match(content.begin(), content.end(), call), end; match != end; ++match) {
        std::istringstream words((*match)[2]);
        std::string name, word, section;
        words >> name;
        Target& target = targets[(*match)[1] == "library" ? "duet_" + name : name];
        while (words >> word) {
          if (word == "TORCH")
            target.torch = true;
          else if (word == "SOURCES" || word == "LINKS")
            section = word;
          else if (section == "SOURCES")
            target.sources.push_back((folder / word).lexically_normal().generic_string());
          else if (section == "LINKS")
            target.links.push_back(word);
        }
      }
    }
  }
  return targets;
}

void collect_links(const std::map<std::string, Target>& targets, const std::string& name,
                   std::set<std::string>& reached) {
  const auto target = targets.find(name);
  if (target == targets.end() || !reached.insert(name).second) return;
  for (const std::string& link : target->second.links) collect_links(targets, link, reached);
}

TEST(Layering, EveryFileLiesInAKnownFolder) {
  ASSERT_GT(tree().size(), 50u);
  for (const auto& [file, includes] : tree()) EXPECT_NE(folder_of(file), nullptr) << file;
}

TEST(Layering, FoldersIncludeOnlyLowerLayers) {
  for (const auto& [file, includes] : tree()) {
    const Folder& here = *folder_of(file);
    for (const Include& include : includes) {
      if (!include.quoted) continue;
      const auto target = own_file(include.name);
      ASSERT_TRUE(target) << file << " includes \"" << include.name
                          << "\", which is no file of this repository";
      const Folder* there = folder_of(*target);
      ASSERT_TRUE(there) << file << " includes " << *target;
      const auto also = kAlso.find(here.path);
      const bool exception = also != kAlso.end() && target->starts_with(also->second);
      EXPECT_TRUE(there == &here || there->layer < here.layer || exception)
          << file << " (layer " << here.layer << ") includes " << *target << " (layer " << there->layer << ")";
    }
  }
}

TEST(Layering, ThirdPartyHeadersStayInTheirFolders) {
  for (const auto& [file, includes] : tree()) {
    for (const Include& include : includes) {
      EXPECT_NE(include.name, "torch/torch.h")
          << file << ": it costs half a minute a file; include what is used";
      if (include.quoted || is_system(include.name) || is_torch(include.name)) continue;
      const auto row = std::find_if(kThirdParty.begin(), kThirdParty.end(), [&](const ThirdParty& one) {
        return include.name.starts_with(one.header);
      });
      ASSERT_NE(row, kThirdParty.end()) << file << " includes <" << include.name << ">, which is in no table";
      const bool allowed =
          row->folders.empty() || std::any_of(row->folders.begin(), row->folders.end(),
                                              [&](const auto& folder) { return lies_in(file, folder); });
      EXPECT_TRUE(allowed) << file << " includes <" << include.name << ">";
    }
  }
}

// The front answers a query in milliseconds because nothing in it knows LibTorch, through whatever header.
TEST(Layering, TheFrontNeverSeesLibTorch) {
  for (const auto& [file, includes] : tree()) {
    if (folder_of(file)->torch == kAllowed) continue;
    std::set<std::string> seen{file};
    std::vector<std::string> open{file};
    while (!open.empty()) {
      const std::string current = open.back();
      open.pop_back();
      const auto entry = tree().find(current);
      if (entry == tree().end()) continue;
      for (const Include& include : entry->second) {
        EXPECT_FALSE(is_torch(include.name)) << file << " reaches <" << include.name << "> through " << current;
        const auto target = include.quoted ? own_file(include.name) : std::nullopt;
        if (target && seen.insert(*target).second) open.push_back(*target);
      }
    }
  }
}

TEST(Layering, EverySourceBelongsToOneTarget) {
  std::map<std::string, int> count;
  for (const auto& [name, target] : read_targets()) {
    for (const std::string& source : target.sources) {
      ++count[source];
      EXPECT_TRUE(fs::exists(root() / source)) << name << " lists " << source;
    }
  }
  for (const auto& [file, includes] : tree()) {
    if (file.ends_with(".cpp")) {
      EXPECT_EQ(count[file], 1) << file;
    }
  }
}

TEST(Layering, TargetsLinkWhatTheirSourcesInclude) {
  const auto targets = read_targets();
  std::map<std::string, std::string> library_of_folder;
  for (const auto& [name, target] : targets) {
    if (!name.starts_with("duet_") || target.sources.empty()) continue;
    library_of_folder[folder_of(target.sources.front())->path] = name;
  }
  for (const auto& [name, target] : targets) {
    std::set<std::string> reached;
    collect_links(targets, name, reached);
    for (const std::string& source : target.sources) {
      const auto file = tree().find(source);
      if (file == tree().end()) continue;
      const auto also = kAlso.find(folder_of(source)->path);
      for (const Include& include : file->second) {
        EXPECT_TRUE(target.torch || !is_torch(include.name)) << source << " needs TORCH in " << name;
        const auto header = include.quoted ? own_file(include.name) : std::nullopt;
        if (!header || (also != kAlso.end() && header->starts_with(also->second))) continue;
        const auto library = library_of_folder.find(folder_of(*header)->path);
        if (library == library_of_folder.end()) continue;  // the headers of a program's own folder
        EXPECT_TRUE(reached.contains(library->second))
            << source << " includes " << *header << ", but " << name << " does not link " << library->second;
      }
    }
  }
}

// The table of a test that finds nothing would say nothing.
TEST(Layering, ReadsIncludesAsTheCompilerDoes) {
  const auto includes =
      includes_in("#include <a.h>\n  #  include \"b/c.h\"\n// #include <no>\n#include<d>\nx #include <e>\n");
  ASSERT_EQ(includes.size(), 3u);
  EXPECT_EQ(includes[0].name, "a.h");
  EXPECT_FALSE(includes[0].quoted);
  EXPECT_EQ(includes[1].name, "b/c.h");
  EXPECT_TRUE(includes[1].quoted);
  EXPECT_EQ(includes[2].name, "d");
  EXPECT_TRUE(is_system("vector"));
  EXPECT_TRUE(is_system("sys/mman.h"));
  EXPECT_FALSE(is_system("omp.h"));
  EXPECT_EQ(folder_of("src/cli/engine/train.cpp")->path, "src/cli/engine");
  EXPECT_EQ(folder_of("src/cli/engine.h")->path, "src/cli");
  EXPECT_EQ(folder_of("encoders/plain/query_tower.h")->path, "encoders/plain");
}

}  // namespace
