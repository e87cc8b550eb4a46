#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <vector>

#include "iceberg/literal.h"
#include "iceberg/schema.h"

namespace slipway::iceberg {

/// Spec, "Partition Transforms". kUnknown: one of another version or vendor, which tells nothing of a file's rows.
enum class TransformKind { kIdentity, kBucket, kTruncate, kYear, kMonth, kDay, kHour, kVoid, kUnknown };

struct Transform {
  TransformKind kind = TransformKind::kIdentity;
  int parameter = 0;    ///< the N of bucket[N], the W of truncate[W]
  std::string unknown;  ///< of kUnknown, its text
};

/// kUnsupported, by name: one that is not known.
Result<Transform> ParseTransform(std::string_view text);
std::string ToString(const Transform& transform);

/// The type of a transform's result.
Type ResultType(const Transform& transform, const Type& source);

/// A value's partition value; null stays null. kUnsupported: an unknown transform, or one that the type does not have.
Result<Literal> Apply(const Transform& transform, const Type& source, const Literal& value);

struct PartitionField {
  int source_id = 0;
  int field_id = 0;  ///< 1000 and up
  std::string name;
  Transform transform;
};

struct PartitionSpec {
  int spec_id = 0;
  std::vector<PartitionField> fields;
};

/// Unknown transforms are kept by their text: files of such a spec can be read (spec, "Partition Transforms").
Result<PartitionSpec> ParsePartitionSpec(const boost::json::value& value);
boost::json::array FieldsToJson(const PartitionSpec& spec);

/// The values of one partition, in the order of its spec's fields.
using PartitionTuple = std::vector<Literal>;

/// Tells partitions of one spec apart, which their folders do not always: a null and the text "null" have the same.
std::string KeyOf(const PartitionTuple& partition);

/// `scored_at_day=2024-01-31/region=eu+west`, empty for no fields; what engines expect below data/.
std::string PartitionPath(const PartitionSpec& spec, const Schema& schema, const PartitionTuple& tuple);

/// The smallest and largest source values whose partition value lies in [lower, upper]; a side is absent where the
/// transform says nothing (bucket, void, the upper end of a truncated string).
struct SourceRange {
  std::optional<Literal> lower, upper;
};
SourceRange InvertTransform(const Transform& transform, const Type& source, const Literal& lower, const Literal& upper);

}  // namespace slipway::iceberg
