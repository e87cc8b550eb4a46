#pragma once

#include <boost/json/object.hpp>

#include "iceberg/manifest.h"

namespace slipway::iceberg {

// Data files between the processes of one run, as JSON that says the same when it is read again. Not a format of
// Iceberg's: its manifests are for the table, these are for the way there.

/// null, true, 7, {"double": "<its 16 hexadecimal digits>"}, {"bytes": "<base64>"}.
boost::json::value LiteralToJson(const Literal& literal);
/// kInvalid for anything else.
Result<Literal> ParseLiteral(const boost::json::value& value);

boost::json::object DataFileToJson(const DataFile& file);
/// kInvalid with the member that is missing or of another kind, or a number that is out of its range.
Result<DataFile> ParseDataFile(const boost::json::value& value);

}  // namespace slipway::iceberg
