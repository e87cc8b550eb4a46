#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/file_io.h"
#include "iceberg/metadata.h"

namespace slipway::iceberg {

/// Which files a table may name (docs/decisions/0018). A table's metadata is written by whoever may write the table,
/// and its files are opened with the server's credentials: what lies in another place, or in that of another table, is
/// not touched, whatever the metadata says.
class TablePlace {
 public:
  /// Folders of a catalog's other tables, and whose they are. Asked at most once, and only for a file that lies in the
  /// warehouse but not where tables of this name lie by default.
  using Neighbours = std::function<Result<std::map<std::string, std::string>>()>;

  struct Rules {
    std::string table, catalog;         ///< for messages
    std::string setting;                ///< that admits further folders
    std::vector<std::string> own;       ///< folders that the catalog itself vouches for
    std::string warehouse;              ///< a location; empty: the catalog has none that is known
    std::vector<std::string> admitted;  ///< by the configuration
    bool any_of_s3 = false;             ///< the credentials are the table's own: what they open is for the store to say
    Neighbours neighbours;              ///< none: a warehouse is one place
  };

  explicit TablePlace(Rules rules);

  /// kDenied, with the setting that would admit the location; kInvalid for one that steps out of its folder ("..").
  Result<> Check(std::string_view location) const;

  /// The files of a table, held to its place.
  static std::shared_ptr<FileIo> Hold(const FileIo& io, Rules rules);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// The form in which locations are compared: S3's schemes are one, a disk's links are followed, empty steps are none,
/// and there is no slash at the end. kInvalid: a step "." or "..", also written %2e, in S3; a control character.
Result<std::string> ComparableLocation(std::string_view location);

/// Whether a comparable location is `folder` or lies below it: s3://a/bc does not lie below s3://a/b.
bool LiesIn(std::string_view location, std::string_view folder);

/// The folder above `metadata/` of a metadata file; its own folder where it does not lie in one of that name.
std::string FolderOfTable(std::string_view metadata_location);

}  // namespace slipway::iceberg
