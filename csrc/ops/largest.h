#pragma once

// An operator of no mapping: the columns of the k largest entries of each row, in increasing order,
// as int64. Of equal entries the ones of lower columns count as larger, and NaN as larger than all
// numbers, so a row with a NaN has one among its k largest.
namespace zeta::ops::largest {

inline constexpr char const* kName = "_largest";

}  // namespace zeta::ops::largest
