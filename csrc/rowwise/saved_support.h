#pragma once

#include <cstdint>

// The support of a row as the forward hands it to the backward: the count of non-zero weights, then
// their indices in the row in increasing order, then kNoColumn up to the capacity, which is the
// most that any row can have. A weight that was rounded to 0 is not in it.
namespace zeta::rowwise {

inline constexpr int32_t kNoColumn = -1;
inline constexpr int32_t kNaNRow = -1;  // in place of the count

}  // namespace zeta::rowwise
