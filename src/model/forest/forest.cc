#include "model/forest/forest.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <mutex>

#include "base/format.h"
#include "model/forest/circuit.h"
#include "model/forest/walk.h"

namespace slipway::model {
namespace {

constexpr size_t kFewRows = 16, kFewInterpreted = 40;  // that are walked faster than a circuit runs
constexpr uint32_t kMostCategories = 65'534;

template <typename T>
using Buffer = hwy::AlignedFreeUniquePtr<T[]>;

template <typename T>
void Reserve(Buffer<T>& buffer, size_t& held, size_t count) {
  if (held >= count) return;
  buffer = hwy::AllocateAligned<T>(count + kVectorRows);
  std::fill_n(buffer.get(), count + kVectorRows, T{});
  held = count;
}

size_t RoundUp(size_t rows) { return (rows + kVectorRows - 1) / kVectorRows * kVectorRows; }

/// Byte by byte, the values of tables of `count`.
template <typename T>
void SliceBytes(const T* values, size_t count, uint8_t* bytes) {
  for (size_t i = 0; i < count; ++i) {
    auto whole = std::bit_cast<std::array<uint8_t, sizeof(T)>>(values[i]);
    for (size_t byte = 0; byte < sizeof(T); ++byte) bytes[byte * count + i] = whole[byte];
  }
}

/// A tree's leaves in another order.
void Reorder(Tree& tree, const std::vector<uint16_t>& leaf_of_number) {
  std::vector<double> leaves;
  std::vector<LinearLeaf> linear;
  for (auto leaf : leaf_of_number) {
    auto first = tree.leaves.begin() + static_cast<std::ptrdiff_t>(leaf * tree.width);
    leaves.insert(leaves.end(), first, first + static_cast<std::ptrdiff_t>(tree.width));
    if (!tree.linear.empty()) linear.push_back(std::move(tree.linear[leaf]));
  }
  tree.leaves = std::move(leaves);
  tree.linear = std::move(linear);
}

}  // namespace

class Forest::Scratch {
 public:
  Buffer<uint8_t> planes, numbers;
  Buffer<uint16_t> columns, rows;          ///< of ranks
  Buffer<uint32_t> ranks, leaves, of_few;  ///< of_few: the leaves of all trees for few rows, `[trees, rows]`
  Buffer<double> doubles;
  Buffer<float> floats;
  size_t numbers_held = 0, columns_held = 0, rows_held = 0, ranks_held = 0, leaves_held = 0, of_few_held = 0, doubles_held = 0,
         floats_held = 0;
};

struct Forest::Parts {
  explicit Parts(Ensemble given) : ensemble(std::move(given)), ranks(ensemble), columns(ranks), circuit(ensemble, ranks, columns) {}

  /// Any tree can be walked; most are in the circuit too. A tree's leaves stand output by output, each padded to 64, in the order in which
  /// the circuit numbers them.
  struct Compiled {
    Circuit::Part part;
    size_t leaves = 0, first_value = 0, padded = 0;
    bool in_circuit() const { return !part.bits.empty(); }
  };
  template <typename T>
  void AddTrees(const std::vector<Values>& features, size_t rows, Scratch& scratch, T* sums) const;
  template <typename T>
  const T* ValuesOf() const;
  template <typename T>
  void Keep(Buffer<T>& kept, const std::vector<double>& values);
  bool has_bytes(const Compiled& tree) const { return tree.in_circuit() && tree.leaves <= kMostByteValues; }

  Ensemble ensemble;  ///< without its nodes and leaves, once compiled
  Ranks ranks;
  Columns columns;
  Circuit circuit;
  Walks walks;
  std::vector<Compiled> trees;
  Buffer<double> doubles;
  Buffer<float> floats;
  Buffer<uint8_t> bytes;   ///< the values once more, as Table wants them
  bool some_walk = false;  ///< some tree is not in the circuit
  Shape shape;
  std::mutex idle_mutex;
  std::vector<std::unique_ptr<Scratch>> idle;  ///< of which each caller takes one
};

std::unique_ptr<Forest::Scratch, Forest::GiveBack> Forest::TakeScratch() const {
  const std::scoped_lock lock(parts_->idle_mutex);
  auto& idle = parts_->idle;
  auto scratch = idle.empty() ? std::make_unique<Scratch>() : std::move(idle.back());
  if (!idle.empty()) idle.pop_back();
  return {scratch.release(), GiveBack{parts_.get()}};
}

void Forest::GiveBack::operator()(Scratch* scratch) const {
  const std::scoped_lock lock(parts->idle_mutex);
  parts->idle.emplace_back(scratch);
}

Forest::Forest(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Forest::Forest(Forest&&) noexcept = default;
Forest& Forest::operator=(Forest&&) noexcept = default;
Forest::~Forest() = default;

Result<Forest> Forest::Compile(Ensemble ensemble) {
  auto parts = std::make_unique<Parts>(std::move(ensemble));
  for (uint32_t f = 0; f < parts->ensemble.features; ++f)
    if (parts->ranks.IsCategorical(f) && parts->ranks.Count(f) > kMostCategories)
      return Fail(ErrorKind::kUnsupported, "feature {} has more than {} categories", f, kMostCategories);
  std::vector<double> values;
  for (auto& tree : parts->ensemble.trees) {
    Parts::Compiled compiled{{}, tree.leaves.size() / tree.width, values.size(), 0};
    parts->walks.Add(tree, parts->ranks, parts->columns);
    parts->shape.leaves += compiled.leaves;
    parts->shape.most_leaves = std::max(parts->shape.most_leaves, compiled.leaves);
    if (compiled.leaves > 1 && parts->circuit.Add(tree, compiled.part)) {
      parts->walks.Renumber(compiled.part.leaf_of_number);
      Reorder(tree, compiled.part.leaf_of_number);
    }
    parts->some_walk |= compiled.leaves > 1 && !compiled.in_circuit();
    compiled.padded = parts->has_bytes(compiled) ? std::max(kVectorRows, std::bit_ceil(compiled.leaves)) : RoundUp(compiled.leaves);
    for (size_t w = 0; w < tree.width; ++w) {
      for (size_t leaf = 0; leaf < compiled.leaves; ++leaf) values.push_back(tree.leaves[leaf * tree.width + w]);
      values.resize(compiled.first_value + (w + 1) * compiled.padded);
    }
    parts->trees.push_back(std::move(compiled));
    tree.nodes = {};
    tree.leaves = {};
  }
  std::vector<Circuit::Part*> in_circuit;
  for (auto& tree : parts->trees) in_circuit.push_back(&tree.part);
  parts->circuit.Finish(in_circuit);
  if (values.empty()) values.resize(kVectorRows);  // no trees: sums are the base
  if (parts->ensemble.sum == Precision::kDouble)
    parts->Keep(parts->doubles, values);
  else
    parts->Keep(parts->floats, values);
  parts->shape.trees = parts->trees.size();
  parts->shape.columns = parts->columns.size();
  parts->shape.gates = parts->circuit.gates();
  parts->shape.code_bytes = parts->circuit.code_bytes();
  parts->shape.planes = parts->circuit.planes();
  for (uint32_t f = 0; f < parts->ensemble.features; ++f) parts->shape.thresholds += parts->ranks.Count(f);
  return Forest(std::move(parts));
}

template <>
const double* Forest::Parts::ValuesOf<double>() const {
  return doubles.get();
}
template <>
const float* Forest::Parts::ValuesOf<float>() const {
  return floats.get();
}

template <typename T>
void Forest::Parts::Keep(Buffer<T>& kept, const std::vector<double>& values) {
  kept = hwy::AllocateAligned<T>(values.size());
  std::ranges::transform(values, kept.get(), [](double value) { return static_cast<T>(value); });
  bytes = hwy::AllocateAligned<uint8_t>(values.size() * sizeof(T));
  for (size_t t = 0; t < trees.size(); ++t)
    for (size_t w = 0; w < ensemble.trees[t].width && has_bytes(trees[t]); ++w) {
      auto first = trees[t].first_value + w * trees[t].padded;
      SliceBytes(kept.get() + first, trees[t].padded, bytes.get() + first * sizeof(T));
    }
}

namespace {

/// What each row's linear leaf is worth; the leaf's own value where the row lacks one of its features.
template <typename T>
void AddLinear(const Ensemble& ensemble, const std::vector<LinearLeaf>& linear, const T* fallback, const uint32_t* leaves,
               const std::vector<Values>& features, size_t rows, T* sums) {
  auto value_of = [&](uint32_t feature, size_t row) {
    const auto& values = features[feature];
    double value = values.floats != nullptr ? static_cast<double>(values.floats[row]) : values.doubles[row];
    return std::fabs(value) <= ensemble.zero_band ? 0.0 : value;
  };
  for (size_t row = 0; row < rows; ++row) {
    const auto& leaf = linear[leaves[row]];
    double worth = leaf.constant;
    bool complete = true;
    for (size_t i = 0; i < leaf.features.size() && complete; ++i) {
      double value = value_of(leaf.features[i], row);
      complete = !std::isnan(value);
      worth += leaf.coefficients[i] * value;
    }
    sums[row] += complete ? static_cast<T>(worth) : fallback[leaves[row]];
  }
}

}  // namespace

template <typename T>
void Forest::Parts::AddTrees(const std::vector<Values>& features, size_t rows, Scratch& scratch, T* sums) const {
  const bool few = rows <= (circuit.is_code() ? kFewRows : kFewInterpreted);
  const size_t room = (rows + kRowStep - 1) / kRowStep * kRowStep;
  Reserve(scratch.ranks, scratch.ranks_held, kPlaneRows);
  Reserve(scratch.leaves, scratch.leaves_held, kPlaneRows);
  if (!few) {
    if (scratch.planes == nullptr) scratch.planes = hwy::AllocateAligned<uint8_t>(circuit.planes() * kPlaneBytes);
    Reserve(scratch.numbers, scratch.numbers_held, 2 * kPlaneRows);
    Reserve(scratch.columns, scratch.columns_held, columns.size() * kPlaneRows);
    columns.Write(features, rows, scratch.ranks.get(), scratch.columns.get(), kPlaneRows, 1);
    circuit.Begin(scratch.columns.get(), room, scratch.planes.get());
  }
  if (few || some_walk) {
    Reserve(scratch.rows, scratch.rows_held, columns.size() * kPlaneRows);
    columns.Write(features, rows, scratch.ranks.get(), scratch.rows.get(), 1, columns.size());
  }
  if (few) {
    Reserve(scratch.of_few, scratch.of_few_held, trees.size() * kFewInterpreted);
    for (size_t row = 0; row < rows; ++row) walks.LeavesOfAll(scratch.rows.get() + row * columns.size(), scratch.of_few.get() + row, rows);
  }
  auto *low = scratch.numbers.get(), *high = low + kPlaneRows;
  for (size_t t = 0; t < trees.size(); ++t) {
    const auto& tree = trees[t];
    const auto& shape = ensemble.trees[t];
    const T* values = ValuesOf<T>() + tree.first_value;
    T* out = sums + shape.output * kPlaneRows;
    auto* leaves = few ? scratch.of_few.get() + t * rows : scratch.leaves.get();
    if (!few && tree.in_circuit()) {
      const auto& bits = tree.part.bits;
      const bool wide = bits.size() > 8;
      circuit.Run(tree.part, room, scratch.planes.get());
      JoinPlanes(scratch.planes.get(), bits.data(), std::min<size_t>(8, bits.size()), room, low);
      if (wide) JoinPlanes(scratch.planes.get(), bits.data() + 8, bits.size() - 8, room, high);
      if (shape.linear.empty()) {
        for (size_t w = 0; w < shape.width; ++w) {
          const auto first = tree.first_value + w * tree.padded;
          AddGathered({ValuesOf<T>() + first, bytes.get() + first * sizeof(T), tree.leaves}, low, wide ? high : nullptr, room,
                      out + w * kPlaneRows);
        }
        continue;
      }
      for (size_t row = 0; row < rows; ++row) leaves[row] = low[row] | (wide ? uint32_t{high[row]} << 8 : 0u);
    } else if (tree.leaves == 1) {
      std::fill_n(leaves, rows, 0u);
    } else if (!few) {
      walks.Leaves(t, scratch.rows.get(), columns.size(), rows, leaves);
    }
    if (!shape.linear.empty()) {
      AddLinear(ensemble, shape.linear, values, leaves, features, rows, out);
      continue;
    }
    for (size_t w = 0; w < shape.width; ++w)
      for (size_t row = 0; row < rows; ++row) out[w * kPlaneRows + row] += values[w * tree.padded + leaves[row]];
  }
}

size_t Forest::block() const { return kPlaneRows; }
const Ensemble& Forest::ensemble() const { return parts_->ensemble; }
std::vector<double> Forest::DecidesBy(uint32_t feature) const { return parts_->ranks.DecidesBy(feature); }
const Forest::Shape& Forest::shape() const { return parts_->shape; }

void Forest::Sum(const std::vector<Values>& features, size_t rows, Scratch& scratch, double* sums, size_t stride) const {
  const auto& ensemble = parts_->ensemble;
  auto sum = [&](auto& buffer, size_t& held) {
    using T = std::remove_reference_t<decltype(buffer[0])>;
    Reserve(buffer, held, ensemble.outputs * kPlaneRows);
    for (size_t k = 0; k < ensemble.outputs; ++k) std::fill_n(buffer.get() + k * kPlaneRows, kPlaneRows, static_cast<T>(ensemble.base[k]));
    parts_->AddTrees(features, rows, scratch, buffer.get());
    for (size_t k = 0; k < ensemble.outputs; ++k) std::copy_n(buffer.get() + k * kPlaneRows, rows, sums + k * stride);
  };
  if (ensemble.sum == Precision::kDouble)
    sum(scratch.doubles, scratch.doubles_held);
  else
    sum(scratch.floats, scratch.floats_held);
}

}  // namespace slipway::model
