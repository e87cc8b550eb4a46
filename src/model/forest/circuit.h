#pragma once

#include <boost/container_hash/hash.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "model/forest/columns.h"
#include "model/forest/gate.h"
#include "model/forest/machine_code.h"
#include "model/forest/plane_kernel.h"

namespace slipway::model {

/// Trees as one circuit of multiplexers over planes: a plane is one bit of each of kPlaneRows rows. The bits of the
/// rank columns go in; out come, for each tree, the bits of the number of the leaf that each row reaches. Gates that
/// all trees may use (`x > threshold`) come first and their planes are kept; those of a tree follow, and their planes
/// are used again by the next.
class Circuit {
 public:
  static constexpr size_t kMostLeaves = 4096;  ///< of a tree

  Circuit(const Ensemble& ensemble, const Ranks& ranks, Columns& columns);

  /// A tree's gates and what comes out of them.
  struct Part {
    size_t first_gate = 0, gates = 0;
    MachineCode::Function function;        ///< the same as code, where there is
    std::vector<uint32_t> bits;            ///< planes of the leaf's number, from the lowest bit
    std::vector<uint16_t> leaf_of_number;  ///< numbers are places in this order of the leaves
  };
  /// Of a tree of 2 to kMostLeaves leaves. False: the circuit has grown too large, and the tree is not in it.
  bool Add(const Tree& tree, Part& part);

  /// Call once, after all trees.
  void Finish(const std::vector<Part*>& parts);

  size_t planes() const { return kept_ + most_temporary_; }
  size_t gates() const { return gates_; }
  bool is_code() const { return code_ != nullptr; }
  size_t code_bytes() const { return is_code() ? code_->bytes() : 0; }

  /// Fills the kept planes for the numbers of the rank columns, `[columns, kPlaneRows]`. Rows here come in steps of
  /// kRowStep.
  void Begin(const uint16_t* numbers, size_t rows, uint8_t* planes) const;
  /// Runs a tree's gates, after Begin.
  void Run(const Part& part, size_t rows, uint8_t* planes) const;

 private:
  static constexpr size_t kMostBits = 12;
  static constexpr uint32_t kMostPlanes = 65'536;
  struct Number {
    Plane bits[kMostBits];  ///< of a leaf's number, from the lowest bit
  };

  class Order;
  /// A function of a column's bits, by which its plane is found again.
  struct Function {
    enum Kind : uint8_t { kGreater, kEqual, kAboveThreshold, kTable } kind = kGreater;
    uint32_t column = 0;
    uint32_t from = 0, bits = 0;  ///< which of the column's bits are looked at: none stands for all
    uint32_t number = 0;          ///< what they are compared with; of a table its values, bit by bit
    auto operator<=>(const Function&) const = default;
    friend size_t hash_value(const Function& function) {
      size_t seed = 0;
      boost::hash_combine(seed, static_cast<uint32_t>(function.kind));
      for (auto part : {function.column, function.from, function.bits, function.number})
        boost::hash_combine(seed, part);
      return seed;
    }
  };
  template <typename Make>
  Plane Once(const Function& function, Make&& make);
  Plane Mux(Plane select, Plane zero, Plane one, bool keep);

  Plane BitOf(uint32_t column, uint32_t bit);
  Plane Greater(uint32_t column, uint32_t from, uint32_t bits, uint32_t than);
  Plane Equal(uint32_t column, uint32_t from, uint32_t bits, uint32_t to);
  Plane GoesRight(const Split& split);
  Plane Above(const Columns::Place& place);
  Plane OfTable(uint32_t column, uint32_t bits, const uint8_t* table);
  Number Build(const Tree& tree, const std::vector<uint32_t>& leaves, Order& order, int32_t at, uint32_t first,
               Part& part);
  void Schedule(std::span<WideGate> gates, Number& number);

  const Ranks& ranks_;
  Columns& columns_;
  bool keep_thresholds_ = false;
  bool full_ = false;
  uint32_t kept_ = 2, most_temporary_ = 0;
  uint32_t bits_ = 0, temporary_ = 0;  ///< of the tree at hand
  std::vector<WideGate> wide_common_, wide_own_;
  std::vector<Gate> common_, own_;
  size_t gates_ = 0;
  std::unique_ptr<MachineCode> code_;  ///< null: gates are interpreted
  MachineCode::Function common_function_;
  struct Input {
    uint32_t column = 0, bits = 0;
    Plane first = 0;
  };
  std::vector<Input> inputs_;
  std::map<uint32_t, size_t> input_of_column_;
  boost::unordered_flat_map<Function, Plane, boost::hash<Function>> known_;
};

}  // namespace slipway::model
