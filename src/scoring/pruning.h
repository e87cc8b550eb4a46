#pragma once

#include "expression/expr.h"
#include "iceberg/predicate.h"
#include "iceberg/schema.h"

namespace slipway::scoring {

/// A predicate that holds for every row for which `filter` is true: what files can be skipped by. Parts that it cannot
/// express are taken to hold.
iceberg::Predicate PruningPredicate(const expression::Expr& filter, const iceberg::Schema& schema);

}  // namespace slipway::scoring
