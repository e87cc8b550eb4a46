#include "model/preprocessing/fold.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>

#include "base/format.h"

namespace slipway::model {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Doubles in their order as whole numbers, and back.
int64_t OrderOf(double value) {
  auto bits = std::bit_cast<int64_t>(value);
  return bits >= 0 ? bits : std::numeric_limits<int64_t>::min() - bits;
}
double OfOrder(int64_t order) {
  return std::bit_cast<double>(order >= 0 ? order : std::numeric_limits<int64_t>::min() - order);
}

/// The largest double for which `holds`, which is true up to some double and false from there on; -infinity where it
/// never is.
template <typename F>
double LastThat(F&& holds) {
  int64_t low = OrderOf(-kInfinity), high = OrderOf(kInfinity);
  while (low < high) {
    auto middle = low + static_cast<int64_t>((static_cast<uint64_t>(high) - static_cast<uint64_t>(low) + 1) / 2);
    if (holds(OfOrder(middle)))
      low = middle;
    else
      high = middle - 1;
  }
  return OfOrder(low);
}

double ValueOf(const DerivedColumn& column, double input) {
  double value = input;
  Apply(column.steps, {&value, 1});
  return value;
}

class Folder {
 public:
  Folder(const Ensemble& ensemble, const std::vector<DerivedColumn>& columns) : of_(ensemble), columns_(columns) {}

  Result<> FoldNode(Node& node) {
    const auto& column = columns_[node.split.feature];
    if (column.is_category()) return FoldCategory(column, node), Result<>();
    return FoldOrder(column, node.split);
  }

  std::vector<std::vector<uint32_t>> sets;

 private:
  /// What `Split` says of a derived column's value.
  bool GoesLeft(const Split& split, double value) const {
    if (of_.input == Precision::kFloat) value = static_cast<double>(static_cast<float>(value));
    if (std::isnan(value)) {
      if (split.nan != Missing::kNever) return split.nan == Missing::kLeft;
      value = 0;
    }
    if (split.categories >= 0) {
      if (value < of_.least_category || value >= 4294967296.0) return false;
      const auto& set = of_.category_sets[static_cast<size_t>(split.categories)];
      return std::ranges::find(set, static_cast<uint32_t>(std::max(value, 0.0))) != set.end();
    }
    if (split.zero != Missing::kNever && std::fabs(value) <= of_.zero_band) return split.zero == Missing::kLeft;
    return value <= split.threshold;
  }

  Result<> FoldOrder(const DerivedColumn& column, Split& split) {
    bool special = split.categories >= 0 || split.zero != Missing::kNever;
    if (special && !(column.is_plain() && of_.input == Precision::kDouble))
      return Fail(ErrorKind::kUnsupported, "categories or zeros that are missing, behind steps that change numbers");
    if (special) {
      if (split.categories >= 0) split.categories = IndexOf(of_.category_sets[static_cast<size_t>(split.categories)]);
    } else {
      auto nan = GoesLeft(split, ValueOf(column, std::numeric_limits<double>::quiet_NaN()));
      auto key = std::pair(&column, split.threshold);
      auto known = thresholds_.find(key);
      if (known == thresholds_.end())
        known =
            thresholds_.emplace(key, LastThat([&](double input) { return GoesLeft(split, ValueOf(column, input)); }))
                .first;
      split.threshold = known->second;
      split.nan = nan ? Missing::kLeft : Missing::kRight;
    }
    split.feature = column.input;
    return {};
  }

  /// Where values that have no code go left, the set is of those that go right.
  void FoldCategory(const DerivedColumn& column, Node& node) {
    auto codes = column.values.size() - 2;
    bool swap = GoesLeft(node.split, column.values[codes]), missing = GoesLeft(node.split, column.values[codes + 1]);
    std::vector<uint32_t> set;
    for (uint32_t code = 0; code < codes; ++code)
      if (GoesLeft(node.split, column.values[code]) != swap) set.push_back(code);
    if (swap) std::swap(node.left, node.right);
    node.split = {column.input, 0, missing != swap ? Missing::kLeft : Missing::kRight, Missing::kNever, IndexOf(set)};
  }

  int32_t IndexOf(const std::vector<uint32_t>& set) {
    auto [at, added] = indices_.emplace(set, static_cast<int32_t>(sets.size()));
    if (added) sets.push_back(set);
    return at->second;
  }

  const Ensemble& of_;
  const std::vector<DerivedColumn>& columns_;
  std::map<std::pair<const DerivedColumn*, double>, double> thresholds_;
  std::map<std::vector<uint32_t>, int32_t> indices_;
};

/// What of the inputs the trees refuse.
void Refuse(const DerivedColumn& column, Precision precision, bool refuses_nan, bool refuses_infinity,
            Accepts& accepts) {
  if (column.is_category()) {
    auto codes = column.values.size() - 2;
    if (refuses_nan && std::isnan(column.values[codes])) accepts.unknown = false;
    if (refuses_nan && std::isnan(column.values[codes + 1])) accepts.missing = false;
    return;
  }
  if (refuses_nan && std::isnan(ValueOf(column, std::numeric_limits<double>::quiet_NaN()))) accepts.missing = false;
  if (!refuses_infinity) return;
  auto rounded = [&](double input) {
    auto value = ValueOf(column, input);
    return precision == Precision::kFloat ? static_cast<double>(static_cast<float>(value)) : value;
  };
  accepts.largest = std::min(accepts.largest, LastThat([&](double input) { return rounded(input) < kInfinity; }));
  auto below = LastThat([&](double input) { return rounded(input) == -kInfinity; });
  accepts.smallest = std::max(accepts.smallest, std::nextafter(below, kInfinity));
}

}  // namespace

Result<Ensemble> Fold(Ensemble ensemble, const std::vector<DerivedColumn>& columns, bool refuses_nan,
                      bool refuses_infinity, Inputs& inputs) {
  if (ensemble.features != columns.size())
    return Fail(ErrorKind::kCorrupt, "trees over {} columns, of which {} are known", ensemble.features, columns.size());
  for (const auto& column : columns)
    Refuse(column, ensemble.input, refuses_nan, refuses_infinity, inputs.accepts[column.input]);
  Folder folder(ensemble, columns);
  auto trees = ensemble.trees;
  for (auto& tree : trees) {
    for (auto& node : tree.nodes) TRY(folder.FoldNode(node));
    for (auto& leaf : tree.linear) {
      for (auto& feature : leaf.features) {
        if (!columns[feature].is_plain())
          return Fail(ErrorKind::kUnsupported, "linear leaves over columns that other steps computed");
        feature = columns[feature].input;
      }
    }
  }
  ensemble.trees = std::move(trees);
  ensemble.category_sets = std::move(folder.sets);
  ensemble.features = static_cast<uint32_t>(inputs.size());
  ensemble.input = Precision::kDouble;
  TRY(Check(ensemble));
  return ensemble;
}

}  // namespace slipway::model
