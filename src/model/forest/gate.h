#pragma once

#include <cstdint>

namespace slipway::model {

/// Planes by number: the ones that all trees may use from 0 on, of which 0 is all zeros and 1 all ones; those of one
/// tree from kOwn on.
using Plane = uint32_t;
inline constexpr Plane kZeros = 0, kOnes = 1, kOwn = 1u << 31;

/// out = select ? one : zero, bit by bit, of planes by number.
template <typename Number>
struct GateOf {
  Number select = 0, zero = 0, one = 0, out = 0;
};
using WideGate = GateOf<Plane>;
using Gate = GateOf<uint16_t>;  ///< as RunGates reads them, where kOwn has become a number behind the common planes

}  // namespace slipway::model
