#pragma once

#include <cstdint>

// The support of a row as the forward hands it to the backward: the count of its non-zero weights,
// then their columns in increasing order, then kNoColumn up to the capacity, the most that any row
// can have. Taken after the weights were rounded.
namespace zeta::rowwise {

inline constexpr int32_t kNoColumn = -1;
inline constexpr int32_t kNaNRow = -1;  // in place of the count

}  // namespace zeta::rowwise
