#include "model/forest/forest.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "model/forest/grove.h"
#include "model/forest/program.h"
#include "model/forest/walk.h"

namespace slipway::model {
namespace {

constexpr size_t kMostBlock = 4096, kRankBytes = size_t{1} << 19;  // ranks of a block stay in the second-level cache
constexpr size_t kFewRows = 64;                                    // that are walked faster than a vector of them is evaluated
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

}  // namespace

struct Forest::Parts {
  explicit Parts(Ensemble given) : ensemble(std::move(given)), ranks(ensemble), bytes(ranks), words(ranks) {}

  /// A tree of few leaves is evaluated whole, a larger one in parts; any can be walked. A tree's leaves stand output by output, each
  /// padded to 64. Those of a grove stand a second time, in its order.
  struct Compiled {
    std::vector<Step> steps;
    Grove grove;
    Walk walk;
    size_t leaves = 0, first_value = 0, padded = 0;
    size_t first_of_grove = 0;
  };
  size_t BlockRows() const {
    size_t row_bytes = std::max<size_t>(1, bytes.size() + (walks ? 2 * words.size() : 0)), rows = kMostBlock;
    while (rows > 2 * kVectorRows && rows * row_bytes > kRankBytes) rows /= 2;
    return rows;
  }
  template <typename T>
  void AddTrees(const std::vector<Values>& features, size_t rows, Scratch& scratch, T* sums) const;
  template <typename T>
  const T* ValuesOf() const;

  Ensemble ensemble;  ///< without its nodes and leaves, once compiled
  Ranks ranks;
  Columns<uint8_t> bytes;
  Columns<uint16_t> words;
  std::vector<uint8_t> tables;
  std::vector<Compiled> trees;
  Buffer<double> doubles;
  Buffer<float> floats;
  bool walks = false;     ///< some tree is too large to be evaluated whole
  size_t most_parts = 0;  ///< of a grove
  size_t block = 0;
  Shape shape;
};

class Forest::Scratch {
 public:
  Buffer<uint8_t> bytes, slots, results;
  Buffer<uint16_t> words;
  Buffer<uint32_t> ranks, leaves;
  Buffer<double> doubles;
  Buffer<float> floats;
  size_t bytes_held = 0, slots_held = 0, results_held = 0, words_held = 0, ranks_held = 0, leaves_held = 0, doubles_held = 0,
         floats_held = 0;
};

void Forest::ScratchDeleter::operator()(Scratch* scratch) const { delete scratch; }

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
    Parts::Compiled compiled{{}, {}, Walk(tree, parts->ranks, parts->words, parts->tables), tree.leaves.size() / tree.width, values.size(),
                             0,  0};
    parts->shape.leaves += compiled.leaves;
    parts->shape.most_leaves = std::max(parts->shape.most_leaves, compiled.leaves);
    if (compiled.leaves > 1 && compiled.leaves <= kMostProgramLeaves)
      compiled.steps = ProgramOf(tree, parts->ranks, parts->bytes, parts->tables);
    else if (compiled.leaves > 1 && tree.linear.empty())
      compiled.grove = Grove::Of(tree, parts->ranks, parts->bytes, parts->tables);
    parts->walks |= compiled.leaves > 1 && compiled.steps.empty() && compiled.grove.empty();
    parts->most_parts = std::max(parts->most_parts, compiled.grove.parts());
    compiled.padded = RoundUp(compiled.leaves);
    for (size_t w = 0; w < tree.width; ++w) {
      for (size_t leaf = 0; leaf < compiled.leaves; ++leaf) values.push_back(tree.leaves[leaf * tree.width + w]);
      values.resize(compiled.first_value + (w + 1) * compiled.padded);
    }
    compiled.first_of_grove = values.size();
    size_t places = compiled.grove.parts() * Grove::kPartLeaves;
    values.resize(values.size() + places * tree.width);
    for (size_t leaf = 0; places > 0 && leaf < compiled.leaves; ++leaf)
      for (size_t w = 0; w < tree.width; ++w)
        values[compiled.first_of_grove + w * places + compiled.grove.place_of_leaf()[leaf]] = tree.leaves[leaf * tree.width + w];
    parts->trees.push_back(std::move(compiled));
    tree.nodes = {};
    tree.leaves = {};
  }
  if (values.empty()) values.resize(kVectorRows);  // no trees: sums are the base
  if (parts->ensemble.sum == Precision::kDouble) {
    parts->doubles = hwy::AllocateAligned<double>(values.size());
    std::ranges::copy(values, parts->doubles.get());
  } else {
    parts->floats = hwy::AllocateAligned<float>(values.size());
    std::ranges::transform(values, parts->floats.get(), [](double value) { return static_cast<float>(value); });
  }
  parts->block = parts->BlockRows();
  parts->shape.trees = parts->trees.size();
  parts->shape.columns = parts->bytes.size();
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

namespace {

/// What each row's linear leaf is worth; the leaf's own value where the row lacks one of its features.
template <typename Leaf, typename T>
void AddLinear(const Ensemble& ensemble, const std::vector<LinearLeaf>& linear, const T* fallback, const Leaf* leaves,
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
  const size_t room = std::min(block, RoundUp(rows));
  const bool few = rows <= kFewRows || VectorRows() == 1;
  Reserve(scratch.ranks, scratch.ranks_held, room);
  Reserve(scratch.leaves, scratch.leaves_held, room);
  if (!few) {
    Reserve(scratch.bytes, scratch.bytes_held, bytes.size() * room);
    Reserve(scratch.slots, scratch.slots_held, kSlots * room);
    Reserve(scratch.results, scratch.results_held, most_parts * room);
    bytes.Write(features, rows, scratch.ranks.get(), scratch.bytes.get(), room, 1);
  }
  if (few || walks) {
    Reserve(scratch.words, scratch.words_held, words.size() * room);
    words.Write(features, rows, scratch.ranks.get(), scratch.words.get(), 1, words.size());
  }
  const StepMemory memory{scratch.bytes.get(), tables.data(), scratch.slots.get(), room};
  for (size_t t = 0; t < trees.size(); ++t) {
    const auto& tree = trees[t];
    const auto& shape = ensemble.trees[t];
    const T* values = ValuesOf<T>() + tree.first_value;
    T* out = sums + shape.output * room;
    auto add_each = [&](const T* from, size_t apart, const uint32_t* leaves) {
      for (size_t w = 0; w < shape.width; ++w)
        for (size_t row = 0; row < rows; ++row) out[w * room + row] += from[w * apart + leaves[row]];
    };
    auto* leaves = scratch.leaves.get();
    if (!few && !tree.steps.empty()) {
      const auto* numbers = RunSteps(tree.steps.data(), tree.steps.size(), memory, room);
      if (!shape.linear.empty()) {
        AddLinear(ensemble, shape.linear, values, numbers, features, rows, out);
        continue;
      }
      for (size_t w = 0; w < shape.width; ++w) AddGathered(values + w * tree.padded, tree.leaves, numbers, room, out + w * room);
    } else if (!few && !tree.grove.empty()) {
      tree.grove.Places(memory, room, scratch.results.get(), leaves);
      add_each(ValuesOf<T>() + tree.first_of_grove, tree.grove.parts() * Grove::kPartLeaves, leaves);
    } else {
      if (tree.leaves == 1)
        std::fill_n(leaves, rows, 0u);
      else
        tree.walk.Leaves(scratch.words.get(), words.size(), rows, tables.data(), leaves);
      if (shape.linear.empty())
        add_each(values, tree.padded, leaves);
      else
        AddLinear(ensemble, shape.linear, values, leaves, features, rows, out);
    }
  }
}

std::unique_ptr<Forest::Scratch, Forest::ScratchDeleter> Forest::NewScratch() const {
  return std::unique_ptr<Scratch, ScratchDeleter>(new Scratch);
}

size_t Forest::block() const { return parts_->block; }
const Ensemble& Forest::ensemble() const { return parts_->ensemble; }
std::vector<double> Forest::DecidesBy(uint32_t feature) const { return parts_->ranks.DecidesBy(feature); }
const Forest::Shape& Forest::shape() const { return parts_->shape; }

void Forest::Sum(const std::vector<Values>& features, size_t rows, Scratch& scratch, double* sums, size_t stride) const {
  const auto& ensemble = parts_->ensemble;
  const size_t room = std::min(parts_->block, RoundUp(rows));
  auto sum = [&](auto& buffer, size_t& held) {
    using T = std::remove_reference_t<decltype(buffer[0])>;
    Reserve(buffer, held, ensemble.outputs * room);
    for (size_t k = 0; k < ensemble.outputs; ++k) std::fill_n(buffer.get() + k * room, room, static_cast<T>(ensemble.base[k]));
    parts_->AddTrees(features, rows, scratch, buffer.get());
    for (size_t k = 0; k < ensemble.outputs; ++k) std::copy_n(buffer.get() + k * room, rows, sums + k * stride);
  };
  if (ensemble.sum == Precision::kDouble)
    sum(scratch.doubles, scratch.doubles_held);
  else
    sum(scratch.floats, scratch.floats_held);
}

}  // namespace slipway::model
