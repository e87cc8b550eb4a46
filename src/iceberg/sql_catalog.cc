#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <boost/json/serialize.hpp>
#include <map>
#include <mutex>
#include <utility>

#include "base/file_io.h"
#include "base/format.h"
#include "base/names.h"
#include "base/url.h"
#include "iceberg/catalog.h"
#include "iceberg/metadata_file.h"
#include "iceberg/table_place.h"

namespace slipway::iceberg {
namespace {

constexpr auto kCreateTables = R"(
  CREATE TABLE IF NOT EXISTS iceberg_tables (
    catalog_name VARCHAR(255) NOT NULL, table_namespace VARCHAR(255) NOT NULL, table_name VARCHAR(255) NOT NULL,
    metadata_location VARCHAR(1000), previous_metadata_location VARCHAR(1000), iceberg_type VARCHAR(5),
    PRIMARY KEY (catalog_name, table_namespace, table_name)))";
constexpr auto kCreateNamespaces = R"(
  CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (
    catalog_name VARCHAR(255) NOT NULL, namespace VARCHAR(255) NOT NULL, property_key VARCHAR(255) NOT NULL,
    property_value VARCHAR(1000) NOT NULL, PRIMARY KEY (catalog_name, namespace, property_key)))";
/// How many columns tell tables from views: none in catalogs that Java's JdbcCatalog (V0) and PyIceberg before 0.11
/// made.
constexpr auto kTypeInSqlite = "SELECT count(*) FROM pragma_table_info('iceberg_tables') WHERE name = 'iceberg_type'";
constexpr auto kTypeInPostgres =
    "SELECT count(*) FROM information_schema.columns WHERE table_name = 'iceberg_tables' AND column_name = "
    "'iceberg_type' AND table_schema = ANY (current_schemas(false))";

/// The database of a catalog's URI, as SQLAlchemy writes it ("postgresql+psycopg2://…" too).
struct Target {
  bool postgresql = false;
  std::string connection;
};

Result<Target> TargetOf(const CatalogPlace& place, const std::string& password) {
  auto scheme_end = place.uri.find("://");
  if (scheme_end == std::string::npos)
    return Fail(ErrorKind::kInvalid, "catalog '{}': the uri '{}' is none", place.name, place.uri);
  auto scheme = place.uri.substr(0, std::min(place.uri.find('+'), scheme_end));
  auto rest = place.uri.substr(scheme_end);
  if (scheme == "sqlite") return Target{false, "dbname=" + rest.substr(4) + " timeout=30"};
  if (scheme != "postgresql")
    return Fail(ErrorKind::kInvalid, "catalog '{}': a sql catalog is at sqlite:///… or postgresql://…, not at '{}'",
                place.name, place.uri);
  // SOCI takes a URI without any `=` for a key.
  auto connection =
      "postgresql" + rest + (rest.find('?') == std::string::npos ? "?connect_timeout=5" : "&connect_timeout=5");
  if (!password.empty()) connection += "&password=" + UrlEncode(password);
  return Target{true, connection};
}

/// The one connection of a catalog, which the files of its tables ask too.
class Connection {
 public:
  Connection(const Target& target, std::string name) : name_(std::move(name)) {
    if (target.postgresql)
      sql_.open(soci::postgresql, target.connection);
    else
      sql_.open(soci::sqlite3, target.connection);
    sql_ << kCreateTables;
    sql_ << kCreateNamespaces;
    int columns = 0;
    sql_ << (target.postgresql ? kTypeInPostgres : kTypeInSqlite), soci::into(columns);
    tells_views_ = columns != 0;
  }

  soci::session& sql() { return sql_; }
  const std::string& name() const { return name_; }
  /// Whether its tables have the column `iceberg_type`.
  bool tells_views() const { return tells_views_; }
  /// The condition for what is a table; rows of older writers do not say it.
  const char* only_tables() const {
    return tells_views_ ? "(iceberg_type = 'TABLE' OR iceberg_type IS NULL)" : "1 = 1";
  }
  /// Whether the last error may have cut off the answer to a change.
  bool lost() const { return lost_; }

  /// Runs `work` with the session to itself; SOCI's exceptions become errors. A connection that was lost is made again
  /// first.
  template <typename F>
  Result<> Guard(F&& work) {
    std::lock_guard lock(mutex_);
    try {
      if (std::exchange(lost_, false)) {
        try {
          sql_.reconnect();
        } catch (const std::exception&) {
          lost_ = true;
          throw;
        }
      }
      return work();
    } catch (const soci::sqlite3_soci_error& error) {
      auto kind = error.result() == SQLITE_BUSY ? ErrorKind::kUnavailable : ErrorKind::kIo;
      return Fail(kind, "catalog '{}': {}", name_, error.what());
    } catch (const soci::soci_error& error) {
      lost_ = true;
      return Fail(ErrorKind::kUnavailable, "catalog '{}': {}", name_, error.what());
    } catch (const std::exception& error) {
      return Fail(ErrorKind::kIo, "catalog '{}': {}", name_, error.what());
    }
  }

 private:
  std::mutex mutex_;
  soci::session sql_;
  bool lost_ = false;
  bool tells_views_ = false;
  std::string name_;
};

/// The folders of all tables but `id`, and whose they are.
Result<std::map<std::string, std::string>> FoldersOfOthers(Connection& connection, const TableIdentifier& id) {
  std::map<std::string, std::string> folders;
  TRY(connection.Guard([&]() -> Result<> {
    soci::rowset<soci::row> rows =
        (connection.sql().prepare << "SELECT catalog_name, table_namespace, table_name, metadata_location FROM "
                                     "iceberg_tables WHERE metadata_location IS NOT NULL");
    for (const auto& row : rows) {
      TableIdentifier other{row.get<std::string>(1), row.get<std::string>(2)};
      if (row.get<std::string>(0) == connection.name() && ToString(other) == ToString(id)) continue;
      if (auto folder = ComparableLocation(FolderOfTable(row.get<std::string>(3))))
        folders.emplace(std::move(*folder), ToString(other));
    }
    return {};
  }));
  return folders;
}

class SqlCatalog final : public Catalog {
 public:
  SqlCatalog(const Target& target, const CatalogPlace& place)
      : connection_(std::make_shared<Connection>(target, place.name)), name_(place.name), place_(place) {
    auto& warehouse = place_.warehouse;
    while (warehouse.ends_with('/')) warehouse.pop_back();
    if (warehouse.starts_with('/')) warehouse = "file://" + warehouse;
  }

  Result<Table> Load(const TableIdentifier& id) override {
    std::string location;
    TRY(connection_->Guard([&]() -> Result<> {
      soci::indicator indicator = soci::i_null;
      connection_->sql()
          << "SELECT metadata_location FROM iceberg_tables WHERE catalog_name = :c AND table_namespace = :n AND "
             "table_name = :t AND "
          << connection_->only_tables(),
          soci::into(location, indicator), soci::use(name_), soci::use(id.schema), soci::use(id.table);
      if (!connection_->sql().got_data() || indicator != soci::i_ok)
        return Fail(ErrorKind::kNotFound, "the catalog '{}' has no table {}", name_, ToString(id));
      return {};
    }));
    auto io = Files(id, FolderOfTable(location));
    ASSIGN(auto metadata, Wrap(ReadMetadata(*io, location, place_.limits), "table " + ToString(id)));
    return Table{id, location, std::move(metadata), std::move(io), place_.limits};
  }

  Result<std::vector<TableIdentifier>> List() override {
    std::vector<TableIdentifier> tables;
    TRY(connection_->Guard([&]() -> Result<> {
      soci::rowset<soci::row> rows =
          (connection_->sql().prepare << "SELECT table_namespace, table_name FROM iceberg_tables WHERE "
                                         "catalog_name = :c AND "
                                      << connection_->only_tables() << " ORDER BY 1, 2",
           soci::use(name_));
      for (const auto& row : rows) tables.push_back({row.get<std::string>(0), row.get<std::string>(1)});
      return {};
    }));
    return tables;
  }

  Result<NewPlace> NewTablePlace(const TableIdentifier& id) override {
    TRY(CheckName("schema", id.schema));  // they become folders
    TRY(CheckName("table", id.table));
    auto folder = place_.warehouse + "/" + id.schema + "/" + id.table;
    return NewPlace{folder, Files(id, folder)};
  }

  Result<Table> Stage(const TableIdentifier& id, const TableMetadata& wanted) override {
    ASSIGN(auto place, NewTablePlace(id));
    auto raw = wanted.raw;
    raw["location"] = place.location;
    ASSIGN(auto metadata, ParseMetadata(boost::json::serialize(raw)));
    return Table{id, "", std::move(metadata), std::move(place.io), place_.limits};
  }

  Result<> Publish(const TableUpdate& update) override {
    TRY(update.base.io->WriteNew(update.metadata_location, Serialize(update.next)));
    const auto& base = update.base;
    return base.metadata_location.empty() ? Create(base.id, update.metadata_location)
                                          : Swap(base.id, base.metadata_location, update.metadata_location);
  }

 private:
  Result<> Create(const TableIdentifier& id, const std::string& metadata_location) {
    return Change([&]() -> Result<> {
      soci::transaction transaction(connection_->sql());
      connection_->sql()
          << "INSERT INTO iceberg_namespace_properties (catalog_name, namespace, property_key, property_value) VALUES "
             "(:c, :n, 'exists', "
             "'true') ON CONFLICT DO NOTHING",
          soci::use(name_), soci::use(id.schema);
      soci::statement insert =
          (connection_->sql().prepare
               << (connection_->tells_views()
                       ? "INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, metadata_location, "
                         "iceberg_type) VALUES (:c, :n, :t, :m, 'TABLE') ON CONFLICT DO NOTHING"
                       : "INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, metadata_location) "
                         "VALUES (:c, :n, :t, :m) ON CONFLICT DO NOTHING"),
           soci::use(name_), soci::use(id.schema), soci::use(id.table), soci::use(metadata_location));
      insert.execute(true);
      if (insert.get_affected_rows() != 1)
        return Fail(ErrorKind::kConflict, "the table {} exists already", ToString(id));
      transaction.commit();
      return {};
    });
  }

  Result<> Swap(const TableIdentifier& id, const std::string& old_location, const std::string& new_location) {
    return Change(
        [&]() -> Result<> {
          soci::statement update =
              (connection_->sql().prepare
                   << "UPDATE iceberg_tables SET metadata_location = :new, previous_metadata_location = :old WHERE "
                      "catalog_name = :c AND table_namespace = :n AND table_name = :t AND metadata_location = :was",
               soci::use(new_location), soci::use(old_location), soci::use(name_), soci::use(id.schema),
               soci::use(id.table), soci::use(old_location));
          update.execute(true);
          if (update.get_affected_rows() != 1)
            return Fail(ErrorKind::kConflict, "{} was changed by another writer", ToString(id));
          return {};
        });
  }

  /// A change whose answer was lost, or an I/O error while the disk synced: nobody knows whether it is true.
  template <typename F>
  Result<> Change(F&& work) {
    auto changed = connection_->Guard(std::forward<F>(work));
    bool unclear = !changed && (changed.error().kind == ErrorKind::kIo ||
                                (connection_->lost() && changed.error().kind == ErrorKind::kUnavailable));
    if (unclear) return Failure(Error{ErrorKind::kPerhapsCommitted, changed.error().message});
    return changed;
  }

  std::shared_ptr<FileIo> Files(const TableIdentifier& id, std::string folder) const {
    return TablePlace::Hold(
        io_, {.table = ToString(id),
              .catalog = name_,
              .setting = place_.SettingOfPrefixes(),
              .own = {std::move(folder)},
              .warehouse = place_.warehouse,
              .admitted = place_.allowed_prefixes,
              .neighbours = [id, connection = connection_] { return FoldersOfOthers(*connection, id); }});
  }

  std::shared_ptr<Connection> connection_;
  std::string name_;
  CatalogPlace place_;
  FileIo io_;
};

}  // namespace

Result<std::unique_ptr<Catalog>> OpenSqlCatalog(const CatalogPlace& place, const CatalogCredentials& credentials) {
  ASSIGN(auto target, TargetOf(place, credentials.password));
  try {
    return std::make_unique<SqlCatalog>(target, place);
  } catch (const std::exception& error) {
    return Fail(target.postgresql ? ErrorKind::kUnavailable : ErrorKind::kIo, "open the catalog '{}' at {}: {}",
                place.name, place.uri, error.what());
  }
}

}  // namespace slipway::iceberg
