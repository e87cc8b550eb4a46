#include "model/forest/plane_kernel.h"

#include <gtest/gtest.h>
#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <bit>
#include <random>
#include <vector>

#include "model/forest/each_target.h"
#include "model/forest/vectors.h"

namespace slipway::model {
namespace {

template <typename T>
hwy::AlignedFreeUniquePtr<T[]> Room(size_t count) {
  auto room = hwy::AllocateAligned<T>(count + kVectorRows);
  std::fill_n(room.get(), count + kVectorRows, T{});
  return room;
}

/// Where a row stands in its plane is the kernels' own business; but it is one bit of it, and comes back to its row.
TEST(Planes, NumbersBecomePlanesAndComeBack) {
  std::mt19937 random(2);
  for (size_t rows : {kRowStep, kPlaneRows}) {
    auto numbers = Room<uint16_t>(kPlaneRows);
    std::generate_n(numbers.get(), rows, [&] { return static_cast<uint16_t>(random()); });
    WithEachTarget([&] {
      auto planes = Room<uint8_t>(16 * kPlaneBytes);
      SlicePlanes(numbers.get(), 16, rows, planes.get());
      for (size_t bit = 0; bit < 16; ++bit) {
        long ones = 0;
        for (size_t i = 0; i < rows / 8; ++i) ones += std::popcount(planes[bit * kPlaneBytes + i]);
        ASSERT_EQ(ones, std::count_if(numbers.get(), numbers.get() + rows, [&](auto n) { return n >> bit & 1; }));
      }
      std::vector<uint32_t> bits{3, 15, 0, 7, 8, 1, 12, 5};
      for (size_t count = 1; count <= bits.size(); ++count) {
        auto joined = Room<uint8_t>(kPlaneRows);
        JoinPlanes(planes.get(), bits.data(), count, rows, joined.get());
        for (size_t row = 0; row < rows; ++row) {
          unsigned expected = 0;
          for (size_t i = 0; i < count; ++i) expected |= (numbers[row] >> bits[i] & 1u) << i;
          ASSERT_EQ(joined[row], expected) << "row " << row << " of " << rows << ", " << count << " bits";
        }
      }
    });
  }
}

TEST(RunGates, EachIsAMultiplexerAndMayWriteWhereItReads) {
  constexpr size_t kPlanes = 20;
  std::mt19937 random(3);
  std::vector<Gate> gates(200);
  for (auto& gate : gates)
    for (auto* plane : {&gate.select, &gate.zero, &gate.one, &gate.out})
      *plane = static_cast<uint16_t>(random() % kPlanes);
  auto start = Room<uint8_t>(kPlanes * kPlaneBytes);
  std::generate_n(start.get(), kPlanes * kPlaneBytes, [&] { return static_cast<uint8_t>(random()); });
  for (size_t rows : {kRowStep, kPlaneRows}) {
    std::vector<uint8_t> expected(start.get(), start.get() + kPlanes * kPlaneBytes);
    for (const auto& gate : gates)
      for (size_t i = 0; i < rows / 8; ++i) {
        auto at = [&](size_t plane) -> uint8_t& { return expected[plane * kPlaneBytes + i]; };
        at(gate.out) = static_cast<uint8_t>((at(gate.select) & at(gate.one)) | (~at(gate.select) & at(gate.zero)));
      }
    WithEachTarget([&] {
      auto planes = Room<uint8_t>(kPlanes * kPlaneBytes);
      std::copy_n(start.get(), kPlanes * kPlaneBytes, planes.get());
      RunGates(gates.data(), gates.size(), rows, planes.get());
      ASSERT_TRUE(std::equal(expected.begin(), expected.end(), planes.get())) << rows;
    });
  }
}

}  // namespace
}  // namespace slipway::model
