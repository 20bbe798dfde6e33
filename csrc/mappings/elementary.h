#pragma once

#include <cstdint>
#include <type_traits>

#include "mappings/fixed_point.h"
#include "mappings/host_device.h"
#include "mappings/lanes.h"

// What the exponential and the logarithm share. Both take a double, or a vector of doubles, lane by
// lane. Libraries differ in the last bits of such functions. These consist of operations of IEEE
// 754 and of integers, in one order, so the bits are the same for any vector, instruction set or
// device.
namespace zeta::mappings::detail {

// Their sum is ln(2). The product of the first with an integer of 11 bits is exact.
inline constexpr double kLogarithmOfTwoHigh = 0x1.62e42fefa3800p-1;
inline constexpr double kLogarithmOfTwoLow = 0x1.ef35793c76730p-45;

inline constexpr double kLeastNormal = 0x1p-1022;

// The bits of each lane are unsigned: below AVX-512 no instruction shifts signed integers of 64
// bits to the right, and unsigned ones may wrap around.
template <class Doubles>
using Bits = mappings::LanesLike<uint64_t, Doubles>;

template <class Doubles>
ZETA_HOST_DEVICE Bits<Doubles> bits_of_lanes(Doubles const& x) {
  if constexpr (std::is_same_v<Doubles, double>) {
    return bits_of(x);
  } else {
    return reinterpret_cast<Bits<Doubles>>(x);
  }
}

template <class Doubles>
ZETA_HOST_DEVICE Doubles lanes_of_bits(Bits<Doubles> const& bits) {
  if constexpr (std::is_same_v<Doubles, double>) {
    return double_of_bits(bits);
  } else {
    return reinterpret_cast<Doubles>(bits);
  }
}

}  // namespace zeta::mappings::detail
