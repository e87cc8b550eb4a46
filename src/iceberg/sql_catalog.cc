#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <boost/json/serialize.hpp>
#include <mutex>
#include <utility>

#include "base/file_io.h"
#include "base/format.h"
#include "base/names.h"
#include "base/url.h"
#include "iceberg/catalog.h"

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
/// PyIceberg's older files lack the column that Java's JdbcCatalog (V1) has.
constexpr auto kOnlyTables = "(iceberg_type = 'TABLE' OR iceberg_type IS NULL)";

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

class SqlCatalog final : public Catalog {
 public:
  SqlCatalog(const Target& target, std::string name, std::string warehouse)
      : name_(std::move(name)), warehouse_(std::move(warehouse)), io_(std::make_shared<FileIo>()) {
    if (target.postgresql)
      sql_.open(soci::postgresql, target.connection);
    else
      sql_.open(soci::sqlite3, target.connection);
    sql_ << kCreateTables;
    sql_ << kCreateNamespaces;
    while (warehouse_.ends_with('/')) warehouse_.pop_back();
    if (warehouse_.starts_with('/')) warehouse_ = "file://" + warehouse_;
  }

  Result<Table> Load(const TableIdentifier& id) override {
    std::string location;
    TRY(Guard([&]() -> Result<> {
      soci::indicator indicator = soci::i_null;
      sql_ << "SELECT metadata_location FROM iceberg_tables WHERE catalog_name = :c AND table_namespace = :n AND "
              "table_name = :t AND "
           << kOnlyTables,
          soci::into(location, indicator), soci::use(name_), soci::use(id.schema), soci::use(id.table);
      if (!sql_.got_data() || indicator != soci::i_ok)
        return Fail(ErrorKind::kNotFound, "the catalog '{}' has no table {}", name_, ToString(id));
      return {};
    }));
    auto where = "table " + ToString(id);
    ASSIGN(auto text, Wrap(io_->Read(location), where));
    ASSIGN(auto metadata, Wrap(ParseMetadata(text), where + ", " + location));
    return Table{id, location, std::move(metadata), io_};
  }

  Result<std::vector<TableIdentifier>> List() override {
    std::vector<TableIdentifier> tables;
    TRY(Guard([&]() -> Result<> {
      soci::rowset<soci::row> rows = (sql_.prepare << "SELECT table_namespace, table_name FROM iceberg_tables WHERE "
                                                      "catalog_name = :c AND "
                                                   << kOnlyTables << " ORDER BY 1, 2",
                                      soci::use(name_));
      for (const auto& row : rows) tables.push_back({row.get<std::string>(0), row.get<std::string>(1)});
      return {};
    }));
    return tables;
  }

  Result<NewPlace> NewTablePlace(const TableIdentifier& id) override {
    TRY(CheckName("schema", id.schema));  // they become folders
    TRY(CheckName("table", id.table));
    return NewPlace{warehouse_ + "/" + id.schema + "/" + id.table, io_};
  }

  Result<Table> Stage(const TableIdentifier& id, const TableMetadata& wanted) override {
    ASSIGN(auto place, NewTablePlace(id));
    auto raw = wanted.raw;
    raw["location"] = place.location;
    ASSIGN(auto metadata, ParseMetadata(boost::json::serialize(raw)));
    return Table{id, "", std::move(metadata), io_};
  }

  Result<> Publish(const TableUpdate& update) override {
    TRY(io_->WriteNew(update.metadata_location, Serialize(update.next)));
    const auto& base = update.base;
    return base.metadata_location.empty() ? Create(base.id, update.metadata_location)
                                          : Swap(base.id, base.metadata_location, update.metadata_location);
  }

 private:
  Result<> Create(const TableIdentifier& id, const std::string& metadata_location) {
    return Change([&]() -> Result<> {
      soci::transaction transaction(sql_);
      sql_ << "INSERT INTO iceberg_namespace_properties (catalog_name, namespace, property_key, property_value) VALUES "
              "(:c, :n, 'exists', "
              "'true') ON CONFLICT DO NOTHING",
          soci::use(name_), soci::use(id.schema);
      soci::statement insert =
          (sql_.prepare << "INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, "
                           "metadata_location, iceberg_type) VALUES (:c, :n, :t, :m, 'TABLE') ON CONFLICT DO NOTHING",
           soci::use(name_), soci::use(id.schema), soci::use(id.table), soci::use(metadata_location));
      insert.execute(true);
      if (insert.get_affected_rows() != 1)
        return Fail(ErrorKind::kConflict, "the table {} exists already", ToString(id));
      transaction.commit();
      return {};
    });
  }

  Result<> Swap(const TableIdentifier& id, const std::string& old_location, const std::string& new_location) {
    return Change([&]() -> Result<> {
      soci::statement update =
          (sql_.prepare
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
    auto changed = Guard(std::forward<F>(work));
    bool unclear = !changed && (changed.error().kind == ErrorKind::kIo ||
                                (lost_ && changed.error().kind == ErrorKind::kUnavailable));
    if (unclear) return Failure(Error{ErrorKind::kPerhapsCommitted, changed.error().message});
    return changed;
  }

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

  std::mutex mutex_;
  soci::session sql_;
  bool lost_ = false;
  std::string name_, warehouse_;
  std::shared_ptr<FileIo> io_;
};

}  // namespace

Result<std::unique_ptr<Catalog>> OpenSqlCatalog(const CatalogPlace& place, const CatalogCredentials& credentials) {
  ASSIGN(auto target, TargetOf(place, credentials.password));
  try {
    return std::make_unique<SqlCatalog>(target, place.name, place.warehouse);
  } catch (const std::exception& error) {
    return Fail(target.postgresql ? ErrorKind::kUnavailable : ErrorKind::kIo, "open the catalog '{}' at {}: {}",
                place.name, place.uri, error.what());
  }
}

}  // namespace slipway::iceberg
