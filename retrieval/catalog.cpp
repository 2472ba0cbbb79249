#include "retrieval/catalog.h"

#include <sqlite3.h>

#include <mutex>
#include <nlohmann/json.hpp>
#include <string_view>

#include "core/error.h"
#include "core/files.h"
#include "core/format.h"

namespace duet {
namespace {

using nlohmann::json;

constexpr const char* kSchema = R"(
  CREATE TABLE item(row INTEGER PRIMARY KEY, path TEXT NOT NULL, captions TEXT NOT NULL, concept TEXT NOT NULL,
                    columns TEXT NOT NULL);
  CREATE TABLE fact(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
)";

// One open database and what to say when SQLite refuses something.
class Connection {
 public:
  Connection(const fs::path& file, const std::string& name, int flags, Exit exit) : file_(file), exit_(exit) {
    const int code = sqlite3_open_v2(name.c_str(), &database_, flags | SQLITE_OPEN_NOMUTEX, nullptr);
    if (code == SQLITE_OK) return;
    sqlite3_close(database_);  // SQLite makes one also when it fails
    refuse(sqlite3_errstr(code));
  }
  ~Connection() { sqlite3_close(database_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  sqlite3* get() const { return database_; }
  void run(const char* sql) { check(sqlite3_exec(database_, sql, nullptr, nullptr, nullptr)); }
  void check(int code) const {
    if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE) return;
    refuse(sqlite3_errmsg(database_));
  }
  [[noreturn]] void refuse(std::string_view why) const {
    if (exit_ == Exit::artifact)
      fail(exit_, file_.string(), cat("is damaged: ", why), "use another copy of it");
    fail(exit_, file_.string(), cat("cannot be written: ", why), "is there space on the disk?");
  }

 private:
  fs::path file_;
  Exit exit_;
  sqlite3* database_ = nullptr;
};

class Statement {
 public:
  Statement(const Connection& connection, const char* sql) : connection_(connection) {
    connection.check(sqlite3_prepare_v2(connection.get(), sql, -1, &statement_, nullptr));
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  void bind(int place, std::int64_t value) { connection_.check(sqlite3_bind_int64(statement_, place, value)); }
  void bind(int place, const std::string& value) {  // which must live until the step
    connection_.check(
        sqlite3_bind_text64(statement_, place, value.data(), value.size(), SQLITE_STATIC, SQLITE_UTF8));
  }
  bool step() {  // whether there is a row
    const int code = sqlite3_step(statement_);
    connection_.check(code);
    return code == SQLITE_ROW;
  }
  void reset() { sqlite3_reset(statement_); }
  std::int64_t integer(int column) { return sqlite3_column_int64(statement_, column); }
  std::string text(int column) {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return bytes == nullptr
               ? ""
               : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
  }

 private:
  const Connection& connection_;
  sqlite3_stmt* statement_ = nullptr;
};

std::string json_of(const std::vector<std::string>& texts, std::string_view where) {
  try {
    return json(texts).dump();
  } catch (const json::exception&) {
    fail(Exit::data, where, "holds text that is not UTF-8", "save it as UTF-8");
  }
}

std::vector<std::string> texts_of(const std::string& text, const Connection& connection) {
  try {
    return json::parse(text).get<std::vector<std::string>>();
  } catch (const json::exception& error) {
    connection.refuse(error.what());
  }
}

void insert_items(const Connection& connection, std::span<const Item> items, std::size_t columns) {
  Statement insert(connection, "INSERT INTO item VALUES(?, ?, ?, ?, ?)");
  for (std::size_t row = 0; row < items.size(); ++row) {
    const Item& item = items[row];
    if (item.columns.size() != columns) {
      fail(Exit::data, item.path,
           cat("has ", item.columns.size(), " column values where ", columns, " are named"));
    }
    const std::string captions = json_of(item.captions, item.path), values = json_of(item.columns, item.path);
    insert.bind(1, static_cast<std::int64_t>(row));
    insert.bind(2, item.path);
    insert.bind(3, captions);
    insert.bind(4, item.concept_key);
    insert.bind(5, values);
    insert.step();
    insert.reset();
  }
}

void insert_facts(const Connection& connection, const CatalogFacts& facts) {
  Statement insert(connection, "INSERT INTO fact VALUES(?, ?)");
  const std::pair<std::string, std::string> rows[] = {{"columns", json_of(facts.columns, "the columns' names")},
                                                      {"relative_root", facts.relative_root},
                                                      {"absolute_root", facts.absolute_root}};
  for (const auto& [name, value] : rows) {
    insert.bind(1, name);
    insert.bind(2, value);
    insert.step();
    insert.reset();
  }
}

// SQLite's URI of a path: bytes that mean something in one are written %XX.
std::string immutable_uri(const fs::path& file) {
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
  std::string uri = "file://";
  for (const char c : fs::absolute(file).string()) {
    if (kPlain.find(c) != std::string_view::npos) {
      uri += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      uri += '%';
      uri += "0123456789ABCDEF"[byte >> 4];
      uri += "0123456789ABCDEF"[byte & 15];
    }
  }
  return uri + "?immutable=1";
}

}  // namespace

void write_catalog(const fs::path& file, std::span<const Item> items, const CatalogFacts& facts) {
  const fs::path draft = fs::absolute(file).concat(".draft");
  {
    Connection connection(file, draft.string(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, Exit::failed);
    connection.run("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;");
    connection.run(kSchema);
    connection.run("BEGIN");
    insert_items(connection, items, facts.columns.size());
    insert_facts(connection, facts);
    connection.run("COMMIT");
    Statement vacuum(connection, "VACUUM INTO ?");
    const std::string target = fs::absolute(file).string();
    vacuum.bind(1, target);
    vacuum.step();
  }
  fs::remove(draft);
}

struct Catalog::Database {
  explicit Database(const fs::path& file)
      : connection(file, immutable_uri(file), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, Exit::artifact),
        find(connection, "SELECT path, captions, concept, columns FROM item WHERE row = ?") {}

  Connection connection;
  std::mutex mutex;  // of `find`
  Statement find;
  CatalogFacts facts;
  std::int64_t count = 0;
};

Catalog::Catalog(const fs::path& file) : database_(std::make_unique<Database>(file)) {
  const Connection& connection = database_->connection;
  Statement facts(connection, "SELECT name, value FROM fact");
  while (facts.step()) {
    const std::string name = facts.text(0);
    if (name == "columns") database_->facts.columns = texts_of(facts.text(1), connection);
    if (name == "relative_root") database_->facts.relative_root = facts.text(1);
    if (name == "absolute_root") database_->facts.absolute_root = facts.text(1);
  }
  Statement last(connection, "SELECT coalesce(max(row) + 1, 0) FROM item");
  last.step();
  database_->count = last.integer(0);
}

Catalog::~Catalog() = default;
Catalog::Catalog(Catalog&&) noexcept = default;

const CatalogFacts& Catalog::facts() const { return database_->facts; }
std::int64_t Catalog::count() const { return database_->count; }

Item Catalog::item(std::int64_t row) const {
  const std::lock_guard lock(database_->mutex);
  Statement& find = database_->find;
  find.reset();
  find.bind(1, row);
  if (!find.step()) database_->connection.refuse(cat("it has no row ", row));
  Item item{.path = find.text(0),
            .captions = texts_of(find.text(1), database_->connection),
            .concept_key = find.text(2),
            .columns = texts_of(find.text(3), database_->connection)};
  find.reset();
  return item;
}

}  // namespace duet
