#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "model/forest/gate.h"

namespace slipway::model {

/// Gates as machine code of x86-64, made once when a model is loaded (Xbyak). It goes through the gates for 512 rows
/// with AVX-512, 256 with AVX2: what a tree's gates make stays in registers, so most of them are one instruction (or
/// three) that reads one plane; the loops of RunGates read three and write one.
class MachineCode {
 public:
  /// Whether this machine has such instructions and lets a process make code (some policies do not).
  static bool IsPossible();

  MachineCode();
  ~MachineCode();

  struct Function {
    size_t first_byte = 0;
    size_t own_planes = 0;  ///< that it writes to: results first
  };
  /// The gates in this order; `gates[i].out` below kOwn is written to its place, and `results` to the tree's first
  /// planes, unless they stand elsewhere already: each is replaced by where it stands.
  Function Add(std::span<const WideGate> gates, std::span<Plane> results);

  size_t bytes() const;
  /// Call once, after all gates.
  void Finish();

  /// After Finish. `planes`: [.., kPlaneBytes]; `own`: the tree's.
  void Run(const Function& function, size_t rows, uint8_t* planes, uint8_t* own) const;

 private:
  class Writer;
  std::unique_ptr<Writer> writer_;
};

}  // namespace slipway::model
