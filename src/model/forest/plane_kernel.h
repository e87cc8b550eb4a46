#pragma once

#include <cstddef>
#include <cstdint>

#include "model/forest/gate.h"

/// Numbers become planes of bits, gates run over planes, and planes become numbers again. Buffers as vectors.h says.
namespace slipway::model {

/// A plane is one bit of each of kPlaneRows rows. Its rows are used in steps of kRowStep, the first ones first; where a
/// row stands in its step is the business of SlicePlanes and JoinPlanes, and differs between kinds of vectors: row i *
/// V + k of 8 * V rows is bit i of byte k, V the bytes of a vector.
constexpr size_t kPlaneRows = 1024, kPlaneBytes = kPlaneRows / 8, kRowStep = 512;

/// The lowest `bits` bits of the rows' numbers, each as a plane.
void SlicePlanes(const uint16_t* numbers, size_t bits, size_t rows, uint8_t* planes);

void RunGates(const Gate* gates, size_t count, size_t rows, uint8_t* planes);

/// The numbers whose bits, at most 8, stand in planes.
void JoinPlanes(const uint8_t* planes, const uint32_t* bits, size_t count, size_t rows, uint8_t* numbers);

}  // namespace slipway::model
