#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/SymInt.h>

#include <cstdint>
#include <tuple>

// Allocates results that have another shape than the input. `dim` is not negative.
namespace zeta::ops {

// See ops/support.h.
at::Tensor empty_support(at::Tensor const& z, c10::SymInt const& k, int64_t dim);

// For k entries of each row, or all of a row that has fewer.
at::Tensor empty_largest(at::Tensor const& z, c10::SymInt const& k, int64_t dim,
                         at::ScalarType dtype);

// The values, of this dtype, and indices of the compact form.
std::tuple<at::Tensor, at::Tensor> empty_compact(at::Tensor const& z, c10::SymInt const& k,
                                                 int64_t dim, at::ScalarType dtype);

}  // namespace zeta::ops
