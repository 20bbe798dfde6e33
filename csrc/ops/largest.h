#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/SymInt.h>

#include <cstdint>

// The operator _largest, which belongs to no mapping, returns the indices of the k largest entries
// of each row in increasing order, as int64. Of equal entries the one with the lower index counts
// as larger. NaN counts as larger than all numbers, so the k largest of a row with a NaN include
// one.
namespace zeta::ops::largest {

inline constexpr char const* kName = "_largest";

// Allocates the result, given a `dim` that is not negative.
at::Tensor empty_columns(at::Tensor const& z, c10::SymInt const& k, int64_t dim);

}  // namespace zeta::ops::largest
