#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <tuple>
#include <vector>

#include "model/forest/columns.h"
#include "model/forest/kernels.h"

namespace slipway::model {

/// Trees as one circuit of multiplexers over planes: a plane is one bit of each of kPlaneRows rows. The bits of the rank columns go in; out come, for
/// each tree, the bits of the number of the leaf that each row reaches. Gates that all trees may use (`x > threshold`) come first and
/// their planes are kept; those of a tree follow, and their planes are used again by the next.
class Circuit {
 public:
  static constexpr size_t kMostLeaves = 4096;  ///< of a tree

  Circuit(const Ensemble& ensemble, const Ranks& ranks, Columns& columns);

  /// A tree's gates and what comes out of them.
  struct Part {
    size_t first_gate = 0, gates = 0;
    std::vector<uint32_t> bits;            ///< planes of the leaf's number, from the lowest bit
    std::vector<uint16_t> leaf_of_number;  ///< numbers are places in this order of the leaves
  };
  /// Of a tree of 2 to kMostLeaves leaves. False: the circuit has grown too large, and the tree is not in it.
  bool Add(const Tree& tree, Part& part);

  /// Call once, after all trees.
  void Finish(const std::vector<Part*>& parts);

  size_t planes() const { return kept_ + most_temporary_; }
  size_t gates() const { return common_.size() + own_.size(); }

  /// Fills the kept planes for the numbers of the rank columns, `[columns, kPlaneRows]`. Rows here come in steps of kRowStep.
  void Begin(const uint16_t* numbers, size_t rows, uint8_t* planes) const;
  /// Runs a tree's gates, after Begin.
  void Run(const Part& part, size_t rows, uint8_t* planes) const { RunGates(own_.data() + part.first_gate, part.gates, rows, planes); }

 private:
  using Plane = uint32_t;  ///< kept ones by place; others from kTemporary on
  static constexpr Plane kZeros = 0, kOnes = 1, kTemporary = 1u << 31;
  static constexpr size_t kMostBits = 12;
  static constexpr uint32_t kMostPlanes = 65'536;
  struct WideGate {
    Plane select = 0, zero = 0, one = 0, out = 0;
  };
  struct Number {
    Plane bits[kMostBits];  ///< of a leaf's number, from the lowest bit
  };

  class Order;
  Plane Mux(Plane select, Plane zero, Plane one, bool keep);

  Plane BitOf(uint32_t column, uint32_t bit);
  Plane Greater(uint32_t column, uint32_t from, uint32_t bits, uint32_t than);
  Plane Equal(uint32_t column, uint32_t from, uint32_t bits, uint32_t to);
  Plane GoesRight(const Split& split);
  Plane Above(const Columns::Place& place);
  Plane OfTable(uint32_t column, uint32_t bits, const uint8_t* table);
  Number Build(const Tree& tree, const std::vector<uint32_t>& leaves, Order& order, int32_t at, uint32_t first, Part& part);
  void Schedule(std::span<WideGate> gates, Number& number);

  const Ranks& ranks_;
  Columns& columns_;
  bool keep_thresholds_ = false;
  bool full_ = false;
  uint32_t kept_ = 2, most_temporary_ = 0;
  uint32_t bits_ = 0, temporary_ = 0;  ///< of the tree at hand
  std::vector<WideGate> wide_common_, wide_own_;
  std::vector<Gate> common_, own_;
  struct Input {
    uint32_t column = 0, bits = 0;
    Plane first = 0;
  };
  std::vector<Input> inputs_;
  std::map<uint32_t, size_t> input_of_column_;
  std::map<std::tuple<char, uint32_t, uint32_t, uint32_t, uint32_t>, Plane> known_;
};

}  // namespace slipway::model
