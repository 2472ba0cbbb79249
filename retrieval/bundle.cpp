#include "retrieval/bundle.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/sealed.h"
#include "retrieval/candidates.h"
#include "retrieval/picture_root.h"

namespace duet {
namespace {

constexpr const char *kCurrent = "CURRENT", *kLock = ".lock", *kGeneration = "gen-";
constexpr const char *kRows = "rows.f32", *kCandidates = "candidates.faiss", *kCatalog = "catalog.sqlite";
constexpr const char *kModel = "model", *kFormat = "duet-bundle";
constexpr int kVersion = 1;
constexpr std::uintmax_t kHashUpTo = 64 << 20;
constexpr std::string_view kRemedy = "use another copy of it, or make it again: duet index RUN --images DIR";

// Which generation is published, and the checksum of its manifest: no flipped digit can name an older one.
struct Current {
  std::int64_t number = 0;
  std::string identity;
  bool operator==(const Current&) const = default;
};

std::string generation_name(std::int64_t number) { return cat(kGeneration, number); }

// The number of "gen-N"; 0 for any other name. Written as generation_name writes it, or it is another name.
std::int64_t generation_number(const std::string& name) {
  const std::string_view prefix = kGeneration;
  std::int64_t number = 0;
  if (name.size() <= prefix.size() || !name.starts_with(prefix)) return 0;
  std::from_chars(name.data() + prefix.size(), name.data() + name.size(), number);
  return number > 0 && name == generation_name(number) ? number : 0;
}

std::string text_of(const Current& current) {
  return cat(generation_name(current.number), " ", current.identity, "\n");
}

Current read_current(const fs::path& folder) {
  const fs::path path = folder / kCurrent;
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    fail(Exit::artifact, folder.string(), cat("is no bundle: it has no file ", kCurrent),
         "make one: duet index RUN --images DIR");
  }
  const std::string text = read_file(path);
  const auto space = text.find(' ');
  Current current{.number = generation_number(text.substr(0, space)), .identity = {}};
  if (space != std::string::npos && text.ends_with('\n'))
    current.identity = text.substr(space + 1, text.size() - space - 2);
  if (current.number == 0 || current.identity.empty() || text != text_of(current)) {
    fail(Exit::artifact, path.string(), "is damaged", kRemedy);
  }
  return current;
}

void check_content(const BundleContent& content) {
  const auto count = static_cast<std::int64_t>(content.items.size());
  if (count == 0) fail(Exit::data, "bundle", "has no pictures to index");
  if (content.dimension < 1 || content.dimension > 1 << 20 ||
      static_cast<std::int64_t>(content.rows.size()) != count * content.dimension) {
    fail(Exit::data, "bundle",
         cat("has ", content.rows.size(), " numbers for ", count, " pictures of ", content.dimension));
  }
  if (const std::int64_t row = first_row_not_finite(content.rows, content.dimension); row >= 0) {
    fail(Exit::failed, content.items[static_cast<std::size_t>(row)].path, "has an embedding that is not finite",
         "the model is damaged or diverged: train it again with a smaller learning rate");
  }
  std::error_code ignored;
  if (!fs::is_directory(content.model_folder, ignored)) {
    fail(Exit::artifact, content.model_folder.string(), "is no folder with a model");
  }
}

// Not by fs::copy, which calls a full disk an "Input/output error".
void copy_model(const fs::path& from, const fs::path& to) {
  fs::create_directory(to);
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(from)) {
    const fs::path target = to / entry.path().lexically_relative(from);
    if (entry.is_directory()) {
      fs::create_directory(target);
      continue;
    }
    const MappedFile file(entry.path());
    write_file(target, {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()});
  }
}

// All files of a generation, and its seal.
Sealed write_generation(const fs::path& folder, const fs::path& bundle, const BundleContent& content,
                        const BundleOptions& options) {
  const auto count = static_cast<std::int64_t>(content.items.size());
  const std::string name = options.factory.empty() ? factory_for(count) : options.factory;
  const Factory factory = parse_factory(name, count, content.dimension);
  fs::create_directory(folder);
  write_rows(folder / kRows, content.rows);
  if (factory.kind != Factory::Kind::flat) {
    write_candidates(folder / kCandidates, factory, content.rows, content.dimension, options.reproducible);
  }
  std::vector<Item> items = content.items;
  CatalogFacts facts{.columns = content.columns, .relative_root = {}, .absolute_root = {}};
  store_root(bundle, gather_pictures(content.picture_root, items), facts);
  write_catalog(folder / kCatalog, items, facts);
  copy_model(content.model_folder, folder / kModel);
  return seal_folder(folder, kFormat, kVersion,
                     {{"count", count},
                      {"dimension", content.dimension},
                      {"factory", name},
                      {"model_identity", content.model_identity}});
}

std::vector<std::int64_t> generations(const fs::path& folder) {
  std::vector<std::int64_t> numbers;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (const std::int64_t number = generation_number(entry.path().filename().string()))
      numbers.push_back(number);
  }
  return numbers;
}

// Renamed away first: a reader finds a generation whole or not at all.
void remove_generation(const fs::path& folder, std::int64_t number) {
  const fs::path path = folder / generation_name(number), aside = temporary_beside(path);
  std::error_code ignored;  // it only costs space
  fs::rename(path, aside, ignored);
  fs::remove_all(aside, ignored);
}

// What CURRENT names now, or 0: a damaged CURRENT must not keep a user from making the bundle again.
std::int64_t published_number(const fs::path& folder) {
  try {
    return read_current(folder).number;
  } catch (const Error&) {
    return 0;
  }
}

// Facts of a sealed manifest, typed.
std::int64_t whole_number(const Sealed& sealed, const char* name) {
  const auto fact = sealed.facts.is_object() ? sealed.facts.find(name) : sealed.facts.end();
  const bool good = sealed.facts.is_object() && fact != sealed.facts.end() && fact->is_number_unsigned();
  const std::int64_t value = good ? fact->get<std::int64_t>() : 0;
  if (value < 1)
    fail(Exit::artifact, sealed.folder.string(), cat("has no usable '", name, "' in its manifest"), kRemedy);
  return value;
}

std::string text_fact(const Sealed& sealed, const char* name) {
  const auto fact = sealed.facts.is_object() ? sealed.facts.find(name) : sealed.facts.end();
  if (!sealed.facts.is_object() || fact == sealed.facts.end() || !fact->is_string()) {
    fail(Exit::artifact, sealed.folder.string(), cat("has no usable '", name, "' in its manifest"), kRemedy);
  }
  return *fact;
}

Sealed open_generation(const fs::path& folder, const Current& current, bool verify_all) {
  Sealed sealed = open_sealed_quickly(folder / generation_name(current.number), kFormat, kVersion,
                                      verify_all ? UINTMAX_MAX : kHashUpTo);
  if (sealed.identity != current.identity) {
    fail(Exit::artifact, (folder / kCurrent).string(),
         cat("does not belong to ", generation_name(current.number)), kRemedy);
  }
  // FAISS trusts what it reads, so its file is always verified.
  const auto candidates = sealed.files.find(kCandidates);
  if (!verify_all && candidates != sealed.files.end() && candidates->second.size > kHashUpTo) {
    verify_file(sealed, kCandidates);
  }
  return sealed;
}

}  // namespace

void write_bundle(const fs::path& folder, const BundleContent& content, const BundleOptions& options) {
  check_content(content);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail(Exit::failed, folder.string(), cat("cannot be made: ", error.message()));
  const FileLock lock(folder / kLock);
  remove_leftovers(folder);
  const std::vector<std::int64_t> before = generations(folder);
  const std::int64_t previous = published_number(folder);
  const std::int64_t number =
      1 + std::max(previous, before.empty() ? 0 : *std::max_element(before.begin(), before.end()));
  const fs::path final = folder / generation_name(number), temporary = temporary_beside(final);
  fs::remove_all(temporary, error);
  Sealed sealed;
  try {
    sealed = write_generation(temporary, folder, content, options);
    publish_folder(temporary, final);
  } catch (...) {
    fs::remove_all(temporary, error);
    if (before.empty()) fs::remove(folder / kLock, error);  // of a bundle that never was
    throw;
  }
  replace_file(folder / kCurrent, text_of({number, sealed.identity}));
  for (const std::int64_t old : before) {
    if (old != previous) remove_generation(folder, old);
  }
}

struct Bundle::Impl {
  Impl(const fs::path& bundle, const Sealed& sealed, const fs::path& root)
      : folder(fs::absolute(sealed.folder)),
        rows(folder / kRows, whole_number(sealed, "count"), whole_number(sealed, "dimension")),
        catalog(folder / kCatalog),
        factory(text_fact(sealed, "factory")),
        model_identity(text_fact(sealed, "model_identity")) {
    if (catalog.count() != rows.count()) {
      fail(Exit::artifact, (folder / kCatalog).string(),
           cat("describes ", catalog.count(), " pictures, there are ", rows.count(), " rows"), kRemedy);
    }
    const Factory parsed = parse_factory(factory, rows.count(), rows.dimension());
    if (parsed.kind != Factory::Kind::flat) candidates.emplace(folder / kCandidates, parsed, rows);
    picture_root = root.empty() ? find_root(bundle, catalog.facts(), catalog.item(0).path) : fs::absolute(root);
  }

  void check_query(std::span<const float> query, std::int64_t k) const {
    if (static_cast<std::int64_t>(query.size()) != rows.dimension()) {
      fail(Exit::usage, "query",
           cat("has ", query.size(), " numbers, the rows of this bundle have ", rows.dimension()),
           "query and bundle must come from the same model");
    }
    if (first_row_not_finite(query, rows.dimension()) >= 0)
      fail(Exit::usage, "query", "holds a number that is not finite");
    if (k < 1) fail(Exit::usage, "k", cat("is ", k), "it must be at least 1");
  }

  fs::path folder;  // of the generation
  Rows rows;
  Catalog catalog;
  std::optional<Candidates> candidates;
  std::string factory, model_identity;
  fs::path picture_root;
};

Bundle::Bundle(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

Bundle Bundle::open(const fs::path& folder, bool verify_all, const fs::path& root) {
  std::error_code ignored;
  if (!root.empty() && !fs::is_directory(root, ignored)) {
    fail(Exit::usage, root.string(), "is no folder", "name the folder where the bundle's pictures lie");
  }
  for (Current current = read_current(folder);;) {
    try {
      return Bundle(std::make_shared<Impl>(folder, open_generation(folder, current, verify_all), root));
    } catch (
        const std::exception&) {  // a writer may have published twice meanwhile and removed this generation
      const Current now = read_current(folder);
      if (now == current) throw;
      current = now;
    }
  }
}

std::int64_t Bundle::size() const { return impl_->rows.count(); }
std::int64_t Bundle::dimension() const { return impl_->rows.dimension(); }
fs::path Bundle::model_folder() const { return impl_->folder / kModel; }
const std::string& Bundle::model_identity() const { return impl_->model_identity; }
std::string Bundle::factory() const { return impl_->factory; }
fs::path Bundle::picture_root() const { return impl_->picture_root; }
std::span<const float> Bundle::row(std::int64_t row) const { return impl_->rows.row(row); }
std::vector<std::string> Bundle::columns() const { return impl_->catalog.facts().columns; }

Item Bundle::item(std::int64_t row) const {
  impl_->rows.row(row);  // Error(usage) for a row that is not there
  return impl_->catalog.item(row);
}

// Candidates are asked for more rows than wanted, because their scores are approximate; the rows decide. When
// they find too few (lists that hold little), the rows are scanned: k results are a promise.
std::vector<Hit> Bundle::search(std::span<const float> query, std::int64_t k) const {
  impl_->check_query(query, k);
  const std::int64_t wanted = std::min(k, size());
  const std::int64_t asked = 4 * wanted + 64;
  if (!impl_->candidates || asked >= size()) return impl_->rows.search(query, wanted);
  const std::vector<std::int64_t> proposed = impl_->candidates->propose(query, asked);
  if (static_cast<std::int64_t>(proposed.size()) < wanted) return impl_->rows.search(query, wanted);
  return impl_->rows.search_among(proposed, query, wanted);
}

std::vector<Hit> Bundle::search_exact(std::span<const float> query, std::int64_t k) const {
  impl_->check_query(query, k);
  return impl_->rows.search(query, k);
}

}  // namespace duet
