#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/SymInt.h>

#include <cstdint>

// An operator of no mapping: the columns of the k largest entries of each row, in increasing order,
// as int64. Of equal entries the ones of lower columns count as larger, and NaN as larger than all
// numbers, so a row with a NaN has one among its k largest.
namespace zeta::ops::largest {

inline constexpr char const* kName = "_largest";

// Memory for the result, given a `dim` that is not negative.
at::Tensor empty_columns(at::Tensor const& z, c10::SymInt const& k, int64_t dim);

}  // namespace zeta::ops::largest
