#pragma once

#include <memory>
#include <string>
#include <vector>

#include "iceberg/metadata.h"

namespace slipway::iceberg {

struct TableIdentifier {
  std::string schema;  ///< the namespace; levels joined by dots
  std::string table;
};

inline std::string ToString(const TableIdentifier& id) { return id.schema + "." + id.table; }

/// A table as the catalog named it at one moment.
struct Table {
  TableIdentifier id;
  std::string metadata_location;  ///< empty for a table that is not in the catalog yet
  TableMetadata metadata;
};

/// Where tables are found, and the one place where a commit becomes true.
class Catalog {
 public:
  virtual ~Catalog() = default;

  /// kNotFound when the catalog has no such table; the errors of ParseMetadata wrapped with its name.
  virtual Result<Table> Load(const TableIdentifier& id) = 0;

  virtual Result<std::vector<TableIdentifier>> List() = 0;

  /// The location that a new table gets.
  virtual std::string NewTableLocation(const TableIdentifier& id) const = 0;

  /// Enters a table whose metadata file is written; its namespace is made where it is missing. kConflict: it exists.
  virtual Result<> Create(const TableIdentifier& id, const std::string& metadata_location) = 0;

  /// Compare and swap of the metadata location. kConflict: it is no longer `old_location`. kPerhapsCommitted: no answer.
  virtual Result<> Swap(const TableIdentifier& id, const std::string& old_location, const std::string& new_location) = 0;
};

/// A SQLite file with the tables of PyIceberg's SqlCatalog (and of Java's JdbcCatalog), shared with both.
/// `name` is the catalog name within the file; `warehouse` the folder of new tables. The file is made where missing.
Result<std::unique_ptr<Catalog>> OpenSqlCatalog(const std::string& file, const std::string& name, const std::string& warehouse);

}  // namespace slipway::iceberg
