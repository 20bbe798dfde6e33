#pragma once

#include <cstdint>

// Vectors for the tests of the maths that is written for lanes.
namespace zeta::mappings {

using Doubles = double __attribute__((vector_size(16)));
using Integers = int64_t __attribute__((vector_size(16)));
inline constexpr int kLanes = 2;

}  // namespace zeta::mappings
