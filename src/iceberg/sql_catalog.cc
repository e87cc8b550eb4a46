#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <mutex>

#include "base/format.h"
#include "iceberg/catalog.h"
#include "iceberg/file_io.h"

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

class SqlCatalog final : public Catalog {
 public:
  SqlCatalog(const std::string& file, std::string name, std::string warehouse)
      : sql_(soci::sqlite3, "dbname=" + file + " timeout=30"), name_(std::move(name)), warehouse_(std::move(warehouse)) {
    sql_ << kCreateTables;
    sql_ << kCreateNamespaces;
  }

  Result<Table> Load(const TableIdentifier& id) override {
    std::string location;
    TRY(Guard([&]() -> Result<> {
      soci::indicator indicator = soci::i_null;
      sql_ << "SELECT metadata_location FROM iceberg_tables WHERE catalog_name = :c AND table_namespace = :n AND "
              "table_name = :t AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)",
          soci::into(location, indicator), soci::use(name_), soci::use(id.schema), soci::use(id.table);
      if (!sql_.got_data() || indicator != soci::i_ok)
        return Fail(ErrorKind::kNotFound, "the catalog '{}' has no table {}", name_, ToString(id));
      return {};
    }));
    auto where = "table " + ToString(id);
    ASSIGN(auto text, Wrap(FileIo::Read(location), where));
    ASSIGN(auto metadata, Wrap(ParseMetadata(text), where + ", " + location));
    return Table{id, location, std::move(metadata)};
  }

  Result<std::vector<TableIdentifier>> List() override {
    std::vector<TableIdentifier> tables;
    TRY(Guard([&]() -> Result<> {
      soci::rowset<soci::row> rows = (sql_.prepare << "SELECT table_namespace, table_name FROM iceberg_tables WHERE "
                                                      "catalog_name = :c ORDER BY 1, 2",
                                      soci::use(name_));
      for (const auto& row : rows) tables.push_back({row.get<std::string>(0), row.get<std::string>(1)});
      return {};
    }));
    return tables;
  }

  std::string NewTableLocation(const TableIdentifier& id) const override {
    return "file://" + warehouse_ + "/" + id.schema + "/" + id.table;
  }

  Result<> Create(const TableIdentifier& id, const std::string& metadata_location) override {
    return Guard([&]() -> Result<> {
      soci::transaction transaction(sql_);
      sql_ << "INSERT OR IGNORE INTO iceberg_namespace_properties (catalog_name, namespace, property_key, "
              "property_value) VALUES (:c, :n, 'exists', 'true')",
          soci::use(name_), soci::use(id.schema);
      soci::statement insert = (sql_.prepare << "INSERT OR IGNORE INTO iceberg_tables (catalog_name, table_namespace, table_name, "
                                                "metadata_location, iceberg_type) VALUES (:c, :n, :t, :m, 'TABLE')",
                                soci::use(name_), soci::use(id.schema), soci::use(id.table), soci::use(metadata_location));
      insert.execute(true);
      if (insert.get_affected_rows() != 1) return Fail(ErrorKind::kConflict, "the table {} exists already", ToString(id));
      transaction.commit();
      return {};
    });
  }

  Result<> Swap(const TableIdentifier& id, const std::string& old_location, const std::string& new_location) override {
    auto swapped = Guard([&]() -> Result<> {
      soci::statement update =
          (sql_.prepare << "UPDATE iceberg_tables SET metadata_location = :new, previous_metadata_location = :old WHERE "
                           "catalog_name = :c AND table_namespace = :n AND table_name = :t AND metadata_location = :was",
           soci::use(new_location), soci::use(old_location), soci::use(name_), soci::use(id.schema), soci::use(id.table),
           soci::use(old_location));
      update.execute(true);
      if (update.get_affected_rows() != 1) return Fail(ErrorKind::kConflict, "{} was changed by another writer", ToString(id));
      return {};
    });
    // SQLite answers for a statement as a whole, but an I/O error while it syncs says nothing of what is on the disk.
    if (!swapped && swapped.error().kind == ErrorKind::kIo) return Failure(Error{ErrorKind::kPerhapsCommitted, swapped.error().message});
    return swapped;
  }

 private:
  /// Runs `work` with the session to itself; SOCI's exceptions become errors.
  template <typename F>
  Result<> Guard(F&& work) {
    std::lock_guard lock(mutex_);
    try {
      return work();
    } catch (const soci::sqlite3_soci_error& error) {
      auto kind = error.result() == SQLITE_BUSY ? ErrorKind::kUnavailable : ErrorKind::kIo;
      return Fail(kind, "catalog '{}': {}", name_, error.what());
    } catch (const std::exception& error) {
      return Fail(ErrorKind::kIo, "catalog '{}': {}", name_, error.what());
    }
  }

  std::mutex mutex_;
  soci::session sql_;
  std::string name_, warehouse_;
};

}  // namespace

Result<std::unique_ptr<Catalog>> OpenSqlCatalog(const std::string& file, const std::string& name, const std::string& warehouse) {
  try {
    return std::make_unique<SqlCatalog>(file, name, warehouse);
  } catch (const std::exception& error) {
    return Fail(ErrorKind::kIo, "open the catalog {}: {}", file, error.what());
  }
}

}  // namespace slipway::iceberg
