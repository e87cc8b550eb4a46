#include "model/forest/forest.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <future>
#include <mutex>

#include "base/format.h"
#include "model/forest/circuit.h"
#include "model/forest/sum_kernel.h"
#include "model/forest/vectors.h"
#include "model/forest/walk.h"

namespace slipway::model {
namespace {

// Calls of at most so many rows are walked faster than the circuit runs: as machine code, and interpreted.
constexpr size_t kMostWalkedRows = 16, kMostWalkedInterpreted = 40;
constexpr uint32_t kMostCategories = 65'534;
constexpr size_t kMostLeavesAtOnce = 4096;  // of a forest that is compiled in place: a thread would not pay

template <typename T>
using Buffer = hwy::AlignedFreeUniquePtr<T[]>;

template <typename T>
void Reserve(Buffer<T>& buffer, size_t& held, size_t count) {
  if (buffer != nullptr && held >= count) return;  // also where nothing is counted: a walk looks before it knows
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
  Buffer<uint16_t> columns, rows;  ///< of ranks
  Buffer<uint32_t> ranks, leaves,
      walked;  ///< walked: the leaves of all trees for the rows of a small call, `[trees, rows]`
  Buffer<double> doubles;
  Buffer<float> floats;
  size_t numbers_held = 0, columns_held = 0, rows_held = 0, ranks_held = 0, leaves_held = 0, walked_held = 0,
         doubles_held = 0, floats_held = 0;
};

struct Forest::Parts {
  explicit Parts(Ensemble given)
      : ensemble(std::move(given)), ranks(ensemble), columns(ranks), circuit(ensemble, ranks, columns) {}

  /// Any tree can be walked; most are in the circuit too. A tree's leaves stand output by output, each padded to 64, in
  /// the order in which the circuit numbers them.
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
  void Compile();
  void CompileTree(Tree& tree, std::vector<double>& values);
  bool has_bytes(const Compiled& tree) const { return tree.in_circuit() && tree.leaves <= kMostByteValues; }

  Ensemble ensemble;  ///< without its nodes and leaves, once compiled; the rest of it does not change
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
  std::shared_future<void> compiled;           ///< last, for its thread must end before the rest goes
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
  size_t leaves = 0;
  for (const auto& tree : parts->ensemble.trees) leaves += tree.leaves.size();
  auto policy = leaves > kMostLeavesAtOnce ? std::launch::async : std::launch::deferred;
  parts->compiled = std::async(policy, [p = parts.get()] { p->Compile(); });
  if (policy == std::launch::deferred) parts->compiled.get();
  return Forest(std::move(parts));
}

void Forest::Parts::Compile() {
  // Each output's sum keeps its order, and trees of one output follow each other.
  if (std::ranges::all_of(ensemble.trees, [](const Tree& tree) { return tree.width == 1; }))
    std::ranges::stable_sort(ensemble.trees, {}, &Tree::output);
  std::vector<double> values;
  for (auto& tree : ensemble.trees) CompileTree(tree, values);
  std::vector<Circuit::Part*> in_circuit;
  for (auto& tree : trees) in_circuit.push_back(&tree.part);
  circuit.Finish(in_circuit);
  if (values.empty()) values.resize(kVectorRows);  // no trees: sums are the base
  if (ensemble.sum == Precision::kDouble)
    Keep(doubles, values);
  else
    Keep(floats, values);
  shape.trees = trees.size();
  shape.columns = columns.size();
  shape.gates = circuit.gates();
  shape.code_bytes = circuit.code_bytes();
  shape.planes = circuit.planes();
  for (uint32_t f = 0; f < ensemble.features; ++f) shape.thresholds += ranks.Count(f);
}

/// Its leaves go to the end of `values`, its nodes away.
void Forest::Parts::CompileTree(Tree& tree, std::vector<double>& values) {
  Compiled made{{}, tree.leaves.size() / tree.width, values.size(), 0};
  walks.Add(tree, ranks, columns);
  shape.leaves += made.leaves;
  shape.most_leaves = std::max(shape.most_leaves, made.leaves);
  if (made.leaves > 1 && circuit.Add(tree, made.part)) {
    walks.Renumber(made.part.leaf_of_number);
    Reorder(tree, made.part.leaf_of_number);
  }
  some_walk |= made.leaves > 1 && !made.in_circuit();
  made.padded = has_bytes(made) ? std::max(kVectorRows, std::bit_ceil(made.leaves)) : RoundUp(made.leaves);
  for (size_t w = 0; w < tree.width; ++w) {
    for (size_t leaf = 0; leaf < made.leaves; ++leaf) values.push_back(tree.leaves[leaf * tree.width + w]);
    values.resize(made.first_value + (w + 1) * made.padded);
  }
  trees.push_back(std::move(made));
  tree.nodes = {};
  tree.leaves = {};
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
void AddLinear(const Ensemble& ensemble, const std::vector<LinearLeaf>& linear, const T* fallback,
               const uint32_t* leaves, const std::vector<Values>& features, size_t rows, T* sums) {
  auto value_of = [&](uint32_t feature, size_t row) {
    const auto& values = features[feature];
    double value = values.floats != nullptr ? static_cast<double>(values.floats[row]) : values.doubles[row];
    return std::fabs(value) <= ensemble.zero_band ? 0.0 : value;
  };
  for (size_t row = 0; row < rows; ++row) {
    const auto& leaf = linear[leaves[row]];
    double sum = leaf.constant;
    bool complete = true;
    for (size_t i = 0; i < leaf.features.size() && complete; ++i) {
      double value = value_of(leaf.features[i], row);
      complete = !std::isnan(value);
      sum += leaf.coefficients[i] * value;
    }
    sums[row] += complete ? static_cast<T>(sum) : fallback[leaves[row]];
  }
}

/// Values that wait to be added, of trees that follow each other: several at once cost less.
template <typename T>
class Waiting {
 public:
  static constexpr size_t kMost = 4;

  /// `numbers`: `[kMost, 2, kPlaneRows]`.
  Waiting(size_t rows, uint8_t* numbers) : rows_(rows), numbers_(numbers) {}

  /// Room for the halves of a tree's numbers, which none of those that wait has.
  uint8_t* NextNumbers() { return numbers_ + next_++ % kMost * 2 * kPlaneRows; }
  void Add(const Table<T>& table, T* sums) {
    if (sums != sums_) AddNow();
    sums_ = sums;
    tables_[count_++] = table;
    if (count_ == kMost) AddNow();
  }
  void AddNow() {
    if (count_ > 0) AddGathered(std::span<const Table<T>>(tables_.data(), count_), rows_, sums_);
    count_ = 0;
  }

 private:
  size_t rows_, count_ = 0, next_ = 0;
  uint8_t* numbers_;
  T* sums_ = nullptr;
  std::array<Table<T>, kMost> tables_;
};

}  // namespace

template <typename T>
void Forest::Parts::AddTrees(const std::vector<Values>& features, size_t rows, Scratch& scratch, T* sums) const {
  const bool only_walks = rows <= (circuit.is_code() ? kMostWalkedRows : kMostWalkedInterpreted);
  const size_t room = (rows + kRowStep - 1) / kRowStep * kRowStep;
  Reserve(scratch.ranks, scratch.ranks_held, kPlaneRows);
  Reserve(scratch.leaves, scratch.leaves_held, kPlaneRows);
  if (!only_walks) {
    if (scratch.planes == nullptr) scratch.planes = hwy::AllocateAligned<uint8_t>(circuit.planes() * kPlaneBytes);
    Reserve(scratch.numbers, scratch.numbers_held, Waiting<T>::kMost * 2 * kPlaneRows);
    Reserve(scratch.columns, scratch.columns_held, columns.size() * kPlaneRows);
    columns.Write(features, rows, scratch.ranks.get(), scratch.columns.get(), kPlaneRows, 1);
    circuit.Begin(scratch.columns.get(), room, scratch.planes.get());
  }
  if (only_walks || some_walk) {
    Reserve(scratch.rows, scratch.rows_held, columns.size() * kPlaneRows);
    columns.Write(features, rows, scratch.ranks.get(), scratch.rows.get(), 1, columns.size());
  }
  if (only_walks) {
    Reserve(scratch.walked, scratch.walked_held, trees.size() * kMostWalkedInterpreted);
    for (size_t row = 0; row < rows; ++row)
      walks.LeavesOfAll(scratch.rows.get() + row * columns.size(), scratch.walked.get() + row, rows);
  }
  Waiting<T> waiting(room, scratch.numbers.get());
  for (size_t t = 0; t < trees.size(); ++t) {
    const auto& tree = trees[t];
    const auto& shape = ensemble.trees[t];
    const T* values = ValuesOf<T>() + tree.first_value;
    T* out = sums + shape.output * kPlaneRows;
    auto* leaves = only_walks ? scratch.walked.get() + t * rows : scratch.leaves.get();
    if (!only_walks && tree.in_circuit()) {
      const auto& bits = tree.part.bits;
      const bool has_high = bits.size() > 8;
      auto *low = waiting.NextNumbers(), *high = low + kPlaneRows;
      circuit.Run(tree.part, room, scratch.planes.get());
      JoinPlanes(scratch.planes.get(), bits.data(), std::min<size_t>(8, bits.size()), room, low);
      if (has_high) JoinPlanes(scratch.planes.get(), bits.data() + 8, bits.size() - 8, room, high);
      if (shape.linear.empty()) {
        for (size_t w = 0; w < shape.width; ++w) {
          const auto first = tree.first_value + w * tree.padded;
          waiting.Add(
              {ValuesOf<T>() + first, bytes.get() + first * sizeof(T), tree.leaves, low, has_high ? high : nullptr},
              out + w * kPlaneRows);
        }
        continue;
      }
      for (size_t row = 0; row < rows; ++row) leaves[row] = low[row] | (has_high ? uint32_t{high[row]} << 8 : 0u);
    } else if (tree.leaves == 1) {
      std::fill_n(leaves, rows, 0u);
    } else if (!only_walks) {
      walks.Leaves(t, scratch.rows.get(), columns.size(), rows, leaves);
    }
    waiting.AddNow();
    if (!shape.linear.empty()) {
      AddLinear(ensemble, shape.linear, values, leaves, features, rows, out);
      continue;
    }
    for (size_t w = 0; w < shape.width; ++w)
      for (size_t row = 0; row < rows; ++row) out[w * kPlaneRows + row] += values[w * tree.padded + leaves[row]];
  }
  waiting.AddNow();
}

size_t Forest::block() const { return kPlaneRows; }
const Ensemble& Forest::ensemble() const { return parts_->ensemble; }
std::vector<double> Forest::DecidesBy(uint32_t feature) const { return parts_->ranks.DecidesBy(feature); }
const Forest::Shape& Forest::shape() const {
  parts_->compiled.get();
  return parts_->shape;
}

void Forest::Sum(const std::vector<Values>& features, size_t rows, Scratch& scratch, double* sums,
                 size_t stride) const {
  parts_->compiled.get();
  const auto& ensemble = parts_->ensemble;
  auto sum = [&](auto& buffer, size_t& held) {
    using T = std::remove_reference_t<decltype(buffer[0])>;
    Reserve(buffer, held, ensemble.outputs * kPlaneRows);
    for (size_t k = 0; k < ensemble.outputs; ++k)
      std::fill_n(buffer.get() + k * kPlaneRows, kPlaneRows, static_cast<T>(ensemble.base[k]));
    parts_->AddTrees(features, rows, scratch, buffer.get());
    for (size_t k = 0; k < ensemble.outputs; ++k) std::copy_n(buffer.get() + k * kPlaneRows, rows, sums + k * stride);
  };
  if (ensemble.sum == Precision::kDouble)
    sum(scratch.doubles, scratch.doubles_held);
  else
    sum(scratch.floats, scratch.floats_held);
}

}  // namespace slipway::model
