#pragma once

#include <cstddef>
#include <string_view>

/// The kernels run in the widest vectors that the machine has (Highway, chosen at run time). Their buffers of bytes and
/// sums are aligned to the widest vector, with room for whole vectors behind the last row.
namespace slipway::model {

constexpr size_t kVectorRows = 64;  ///< bytes of the widest vector

/// For measurements: only vectors of this kind and narrower ones ("AVX3_DL", "AVX3", "AVX2", "SSE4", "SSSE3",
/// "SCALAR"). False: this machine has no such.
bool LimitVectors(std::string_view target);

}  // namespace slipway::model
