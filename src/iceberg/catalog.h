#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/file_io.h"
#include "iceberg/limits.h"
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
  std::shared_ptr<FileIo> io;  ///< with the access that the catalog gives to its files, held to its place
  TableLimits limits = {};     ///< of what its files may claim
};

/// A state of a table that a commit wants to make true.
struct TableUpdate {
  const Table& base;
  const TableMetadata& next;  ///< the base with `snapshot` as its current one
  const Snapshot& snapshot;
  const std::string& metadata_location;  ///< for a catalog whose clients write the metadata file
};

/// How long a catalog's answer to Publish is waited for: after it, an answer that was lost stays lost.
inline constexpr double kSecondsToPublish = 120;

/// Where tables are found, and the one place where a commit becomes true.
class Catalog {
 public:
  virtual ~Catalog() = default;

  /// kNotFound when the catalog has no such table; the errors of ParseMetadata wrapped with its name.
  virtual Result<Table> Load(const TableIdentifier& id) = 0;

  virtual Result<std::vector<TableIdentifier>> List() = 0;

  /// A table that does not exist, as its first commit will create it, with files that can be written already: the
  /// location and the field ids may be the catalog's. Nobody else sees it.
  virtual Result<Table> Stage(const TableIdentifier& id, const TableMetadata& wanted) = 0;

  /// Where a table that does not exist would come to be: for finding what a lost run left there.
  struct NewPlace {
    std::string location;
    std::shared_ptr<FileIo> io;
  };
  virtual Result<NewPlace> NewTablePlace(const TableIdentifier& id) = 0;

  /// Compare and swap: makes `update.next` the table's state, or creates the table with its namespace. kConflict: the
  /// base is not the table's state any more, or the new table exists. kPerhapsCommitted: no answer, or one that leaves
  /// it open.
  virtual Result<> Publish(const TableUpdate& update) = 0;
};

/// Where a catalog is; holds no secrets.
struct CatalogPlace {
  std::string name = "iceberg";  ///< as the contract's `catalog` field says it
  std::string kind = "sql";      ///< sql, or rest
  std::string uri;               ///< sql: sqlite:///file or postgresql://…; rest: the server's URL, without /v1
  std::string warehouse;  ///< sql: the location of new tables; rest: what the server calls its warehouse, or empty
  std::string oauth2_server_uri,
      scope;  ///< rest: of the client credentials; empty: the catalog's own endpoint, "catalog"
  std::vector<std::string> allowed_prefixes;  ///< folders outside of the warehouse that its tables may name
  TableLimits limits = {};

  /// The setting of `allowed_prefixes`, for messages.
  std::string SettingOfPrefixes() const {
    return name == "iceberg" ? "catalog.allowed_prefixes" : "catalogs." + name + ".allowed_prefixes";
  }
};

/// rest: `credential` (client-id:secret) or a bearer `token`; sql: the database's `password`.
struct CatalogCredentials {
  std::string credential, token, password;
};

/// kInvalid: no such kind; kUnavailable, kIo: it cannot be reached.
Result<std::unique_ptr<Catalog>> OpenCatalog(const CatalogPlace& place, const CatalogCredentials& credentials = {});

/// The tables of PyIceberg's SqlCatalog (and of Java's JdbcCatalog), shared with both, in a SQLite file or in
/// PostgreSQL. They are made where missing.
Result<std::unique_ptr<Catalog>> OpenSqlCatalog(const CatalogPlace& place, const CatalogCredentials& credentials);

/// The Iceberg project's REST protocol (open-api/rest-catalog-open-api.yaml): OAuth2 client credentials or a bearer
/// token, vended credentials for S3.
Result<std::unique_ptr<Catalog>> OpenRestCatalog(const CatalogPlace& place, const CatalogCredentials& credentials);

}  // namespace slipway::iceberg
