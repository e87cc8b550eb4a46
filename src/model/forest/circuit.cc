#include "model/forest/circuit.h"

#include <algorithm>
#include <array>
#include <bit>
#include <set>
#include <utility>

namespace slipway::model {
namespace {

constexpr size_t kMostKeptThresholds = 8192;
constexpr size_t kSorted = 128;  // gates at a time: with more, too many planes would be open at once
constexpr size_t kMostGates = size_t{1} << 24, kMostCodeBytes = size_t{1} << 27;
constexpr uint32_t kTableBits = 3;  // functions of so many bits of a category's rank are kept

uint32_t Low(uint32_t number, uint32_t bits) { return number & ((1u << bits) - 1); }

/// The leaves below each node.
std::vector<uint32_t> CountLeaves(const Tree& tree) {
  auto counts = SumsBelow(tree, std::vector<double>(tree.leaves.size() / tree.width, 1.0));
  return {counts.begin(), counts.end()};
}

}  // namespace

/// In which order a node's children get their numbers: the one that takes fewer gates. A bit takes one unless it is the
/// same on both sides, or 0 on the left and 1 on the right. Numbers are looked at modulo kWindow, and larger subtrees
/// are left alone: their larger child comes first.
class Circuit::Order {
 public:
  Order(const Tree& tree, const std::vector<uint32_t>& leaves)
      : tree_(tree), leaves_(leaves), best_(tree.nodes.size() * kWindow) {}

  bool LeftFirst(int32_t at, uint32_t first) {
    if (Leaves(at) > kWindow) return Leaves(NodeAt(at).left) >= Leaves(NodeAt(at).right);
    return Cost(at, first % kWindow) % 2 == 0;
  }

 private:
  static constexpr uint32_t kWindow = 64;
  static constexpr auto kOnesIn = [] {  // a popcount without the instruction, which not all of x86-64 has, is a call
    std::array<uint8_t, 2 * kWindow> ones{};
    for (uint32_t i = 1; i < ones.size(); ++i) ones[i] = static_cast<uint8_t>(ones[i / 2] + i % 2);
    return ones;
  }();

  const Node& NodeAt(int32_t at) const { return tree_.nodes[static_cast<size_t>(at)]; }
  uint32_t Leaves(int32_t at) const { return at < 0 ? 1 : leaves_[static_cast<size_t>(at)]; }

  /// Twice the gates of a subtree whose numbers start at `first`; odd: its right child comes first.
  uint32_t Cost(int32_t at, uint32_t first) {
    if (at < 0) return 0;
    auto& best = best_[static_cast<size_t>(at) * kWindow + first];
    if (best != 0) return best - 1;
    auto left = NodeAt(at).left, right = NodeAt(at).right;
    auto cost = [&](uint32_t of_left, uint32_t of_right) {
      auto varies = [](uint32_t from, uint32_t count) { return (1u << std::bit_width(from ^ (from + count - 1))) - 1; };
      auto bits = varies(of_left, Leaves(left)) | varies(of_right, Leaves(right)) | (of_left & ~of_right);
      return Cost(left, of_left % kWindow) / 2 + Cost(right, of_right % kWindow) / 2 +
             kOnesIn[bits & (2 * kWindow - 1)];
    };
    auto left_first = cost(first, first + Leaves(left)), right_first = cost(first + Leaves(right), first);
    best = 1 + 2 * std::min(left_first, right_first) + (right_first < left_first ? 1 : 0);
    return best - 1;
  }

  const Tree& tree_;
  const std::vector<uint32_t>& leaves_;
  std::vector<uint32_t> best_;  ///< 1 + Cost, where it is known
};

Circuit::Circuit(const Ensemble& ensemble, const Ranks& ranks, Columns& columns) : ranks_(ranks), columns_(columns) {
  std::set<std::tuple<uint32_t, double, Missing, Missing>> thresholds;
  for (const auto& tree : ensemble.trees)
    for (const auto& [split, left, right] : tree.nodes)
      if (split.categories < 0 && thresholds.size() <= kMostKeptThresholds)
        thresholds.emplace(split.feature, split.threshold, split.nan, split.zero);
  keep_thresholds_ = thresholds.size() <= kMostKeptThresholds;
  if (MachineCode::IsPossible()) code_ = std::make_unique<MachineCode>();
}

/// `one` where `select` is set, else `zero`.
Plane Circuit::Mux(Plane select, Plane zero, Plane one, bool keep) {
  if (zero == one) return zero;
  if (select == kZeros || select == kOnes) return select == kOnes ? one : zero;
  if (zero == kZeros && one == kOnes) return select;
  WideGate gate{select, zero, one, keep ? kept_++ : kOwn + temporary_++};
  (keep ? wide_common_ : wide_own_).push_back(gate);
  return gate.out;
}

Plane Circuit::BitOf(uint32_t column, uint32_t bit) {
  auto [found, is_new] = input_of_column_.try_emplace(column, inputs_.size());
  if (is_new) {
    auto bits = static_cast<uint32_t>(std::bit_width(columns_.Most(column)));
    inputs_.push_back({column, bits, kept_});
    kept_ += bits;
  }
  return inputs_[found->second].first + bit;
}

/// The plane of this function of a column's bits, which is made when it is first asked for.
template <typename Make>
Plane Circuit::Once(const Function& function, Make&& make) {
  if (auto found = known_.find(function); found != known_.end()) return found->second;
  const auto plane = make();
  known_.emplace(function, plane);
  return plane;
}

/// Whether bits [from, from + bits) of a column's numbers, as a number, are above another.
Plane Circuit::Greater(uint32_t column, uint32_t from, uint32_t bits, uint32_t than) {
  if (Low(~than, bits) == 0) return kZeros;
  return Once({Function::kGreater, column, from, bits, than}, [&] {
    auto top = BitOf(column, from + bits - 1);
    auto rest = Greater(column, from, bits - 1, Low(than, bits - 1));
    return than >> (bits - 1) != 0 ? Mux(top, kZeros, rest, true) : Mux(top, rest, kOnes, true);
  });
}

Plane Circuit::Equal(uint32_t column, uint32_t from, uint32_t bits, uint32_t to) {
  if (bits == 0) return kOnes;
  return Once({Function::kEqual, column, from, bits, to}, [&] {
    auto top = BitOf(column, from + bits - 1);
    auto rest = Equal(column, from, bits - 1, Low(to, bits - 1));
    return to >> (bits - 1) != 0 ? Mux(top, kZeros, rest, true) : Mux(top, rest, kZeros, true);
  });
}

/// Where a column's number is above the threshold: its upper half is, or that is equal and the lower half is.
Plane Circuit::Above(const Columns::Place& place) {
  auto bits = static_cast<uint32_t>(std::bit_width(columns_.Most(place.column)));
  auto low = bits / 2, high = bits - low, threshold = uint32_t{place.threshold};
  auto make = [&](bool keep) {
    return Mux(Equal(place.column, low, high, threshold >> low), Greater(place.column, low, high, threshold >> low),
               Greater(place.column, 0, low, Low(threshold, low)), keep);
  };
  if (!keep_thresholds_) return make(false);
  return Once({Function::kAboveThreshold, place.column, 0, 0, threshold}, [&] { return make(true); });
}

/// table[number] of a column's lowest bits, by halves.
Plane Circuit::OfTable(uint32_t column, uint32_t bits, const uint8_t* table) {
  if (bits == 0) return *table != 0 ? kOnes : kZeros;
  const auto* half = table + (size_t{1} << (bits - 1));
  if (bits > kTableBits) {
    auto zero = OfTable(column, bits - 1, table), one = OfTable(column, bits - 1, half);
    return Mux(BitOf(column, bits - 1), zero, one, false);
  }
  uint32_t pattern = 0;
  for (uint32_t i = 0; i < 1u << bits; ++i) pattern |= uint32_t{table[i]} << i;
  return Once({Function::kTable, column, 0, bits, pattern}, [&] {
    auto zero = OfTable(column, bits - 1, table), one = OfTable(column, bits - 1, half);
    return Mux(BitOf(column, bits - 1), zero, one, true);
  });
}

Plane Circuit::GoesRight(const Split& split) {
  if (split.categories < 0) return Above(columns_.OfOrder(split));
  auto column = columns_.OfCategories(split.feature);
  auto bits = static_cast<uint32_t>(std::bit_width(columns_.Most(column)));
  std::vector<uint8_t> right(size_t{1} << bits, 1);
  for (auto rank : ranks_.OfCategories(split)) right[rank] = 0;
  return OfTable(column, bits, right.data());
}

/// The number of the leaf below `at` that each row reaches; those leaves get the numbers from `first` on.
Circuit::Number Circuit::Build(const Tree& tree, const std::vector<uint32_t>& leaves, Order& order, int32_t at,
                               uint32_t first, Part& part) {
  Number number{};
  if (at < 0) {
    part.leaf_of_number[first] = static_cast<uint16_t>(~at);
    for (uint32_t bit = 0; bit < bits_; ++bit) number.bits[bit] = (first >> bit & 1) != 0 ? kOnes : kZeros;
    return number;
  }
  const auto& node = tree.nodes[static_cast<size_t>(at)];
  auto count = [&](int32_t child) { return child < 0 ? 1 : leaves[static_cast<size_t>(child)]; };
  Number left, right;
  if (order.LeftFirst(at, first)) {
    left = Build(tree, leaves, order, node.left, first, part);
    right = Build(tree, leaves, order, node.right, first + count(node.left), part);
  } else {
    right = Build(tree, leaves, order, node.right, first, part);
    left = Build(tree, leaves, order, node.left, first + count(node.right), part);
  }
  auto select = GoesRight(node.split);
  for (uint32_t bit = 0; bit < bits_; ++bit) {
    auto zero = left.bits[bit], one = right.bits[bit];
    uint32_t same = 0;  // the first bit whose children are the same
    while (left.bits[same] != zero || right.bits[same] != one) ++same;
    number.bits[bit] = same < bit ? number.bits[same] : Mux(select, zero, one, false);
  }
  return number;
}

/// Orders a tree's gates so that neighbours do not wait for each other, and lets their planes be used again once
/// nothing needs them.
void Circuit::Schedule(std::span<WideGate> gates, Number& number) {
  std::vector<uint32_t> level(temporary_), last_use(temporary_);
  auto each_input = [](WideGate& gate, auto&& act) {
    for (auto* plane : {&gate.select, &gate.zero, &gate.one})
      if (*plane >= kOwn) act(*plane);
  };
  for (auto& gate : gates) {
    auto& own = level[gate.out - kOwn];
    each_input(gate, [&](Plane& in) { own = std::max(own, level[in - kOwn] + 1); });
  }
  auto rank = [&](const WideGate& gate) {
    return std::pair(level[gate.out - kOwn], gate.out);
  };  // outputs are numbered as gates were made
  for (size_t first = 0; first < gates.size(); first += kSorted)
    std::ranges::sort(gates.subspan(first, std::min(kSorted, gates.size() - first)), {}, rank);
  for (uint32_t g = 0; g < gates.size(); ++g) each_input(gates[g], [&](Plane& in) { last_use[in - kOwn] = g; });
  for (uint32_t bit = 0; bit < bits_; ++bit)
    if (number.bits[bit] >= kOwn) last_use[number.bits[bit] - kOwn] = static_cast<uint32_t>(gates.size());
  std::vector<Plane> free, place(temporary_);
  uint32_t used = 0;
  for (uint32_t g = 0; g < gates.size(); ++g) {
    auto& gate = gates[g];
    each_input(gate, [&](Plane& in) {
      auto& last = last_use[in - kOwn];
      in = place[in - kOwn];
      if (last == g) free.push_back(in);  // the gate's own output may take it: inputs are read before
      last = last == g ? kOwn : last;     // an input may stand twice
    });
    auto out = free.empty() ? kOwn + used++ : free.back();
    if (!free.empty()) free.pop_back();
    place[gate.out - kOwn] = out;
    gate.out = out;
  }
  for (uint32_t bit = 0; bit < bits_; ++bit)
    if (number.bits[bit] >= kOwn) number.bits[bit] = place[number.bits[bit] - kOwn];
  most_temporary_ = std::max(most_temporary_, used);
}

bool Circuit::Add(const Tree& tree, Part& part) {
  auto leaves = CountLeaves(tree);
  if (full_ || leaves[0] > kMostLeaves) return false;
  const auto kept = kept_, temporary = most_temporary_;
  const auto common = wide_common_.size(), own = wide_own_.size(), inputs = inputs_.size();
  bits_ = static_cast<uint32_t>(std::bit_width(leaves[0] - 1));
  temporary_ = 0;
  part.leaf_of_number.resize(leaves[0]);
  Order order(tree, leaves);
  auto number = Build(tree, leaves, order, 0, 0, part);
  const auto gates = std::span(wide_own_).subspan(own);
  const std::span results(number.bits, bits_);
  if (code_ != nullptr) {
    part.function = code_->Add(gates, results);
    most_temporary_ = std::max(most_temporary_, static_cast<uint32_t>(part.function.own_planes));
  } else {
    Schedule(gates, number);
  }
  full_ = gates_ + wide_common_.size() + gates.size() > kMostGates ||
          (code_ != nullptr && code_->bytes() > kMostCodeBytes) || planes() > kMostPlanes;
  if (full_) {  // as if the tree had not come
    kept_ = kept;
    wide_common_.resize(common);
    wide_own_.resize(own);
    inputs_.resize(inputs);
    most_temporary_ = temporary;
    return false;
  }
  part.first_gate = own;
  part.gates = gates.size();
  part.bits.assign(number.bits, number.bits + bits_);
  gates_ += gates.size();
  if (code_ != nullptr) wide_own_.clear();
  return true;
}

void Circuit::Finish(const std::vector<Part*>& parts) {
  auto place = [&](Plane plane) { return plane < kOwn ? plane : kept_ + (plane - kOwn); };
  auto narrow = [&](std::vector<WideGate>& wide, std::vector<Gate>& gates) {
    for (const auto& gate : wide)
      gates.push_back({static_cast<uint16_t>(place(gate.select)), static_cast<uint16_t>(place(gate.zero)),
                       static_cast<uint16_t>(place(gate.one)), static_cast<uint16_t>(place(gate.out))});
    wide = {};
  };
  gates_ += wide_common_.size();
  if (code_ != nullptr) {
    common_function_ = code_->Add(wide_common_, {});
    code_->Finish();
    most_temporary_ = std::max(most_temporary_, static_cast<uint32_t>(common_function_.own_planes));
    wide_common_ = {};
  }
  narrow(wide_common_, common_);
  narrow(wide_own_, own_);
  for (auto* part : parts)
    for (auto& plane : part->bits) plane = place(plane);
  known_ = {};
}

void Circuit::Begin(const uint16_t* numbers, size_t rows, uint8_t* planes) const {
  std::fill_n(planes + kZeros * kPlaneBytes, kPlaneBytes, uint8_t{0});
  std::fill_n(planes + kOnes * kPlaneBytes, kPlaneBytes, uint8_t{0xff});
  for (const auto& input : inputs_)
    SlicePlanes(numbers + input.column * kPlaneRows, input.bits, rows, planes + input.first * kPlaneBytes);
  if (code_ != nullptr)
    code_->Run(common_function_, rows, planes, planes + kept_ * kPlaneBytes);
  else
    RunGates(common_.data(), common_.size(), rows, planes);
}

void Circuit::Run(const Part& part, size_t rows, uint8_t* planes) const {
  if (code_ != nullptr)
    code_->Run(part.function, rows, planes, planes + kept_ * kPlaneBytes);
  else
    RunGates(own_.data() + part.first_gate, part.gates, rows, planes);
}

}  // namespace slipway::model
