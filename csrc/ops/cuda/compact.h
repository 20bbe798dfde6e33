#pragma once

#include <ATen/core/Tensor.h>

#include "ops/member_operator.h"

namespace zeta::ops {

// Computes the compact form with the operators for candidates and those of torch, so nothing of the
// size of z is written. `dim` is not negative. Alpha is a double, or a tensor that has one for each
// row.
template <class Alpha>
Compact compact_of_largest(at::Tensor const& z, Alpha const& alpha, c10::SymInt const& k,
                           int64_t dim);

// Does the same for rows of which a mask leaves entries out, from a copy of z.
template <class Alpha>
Compact compact_of_masked(at::Tensor const& z, at::Tensor const& mask, Alpha const& alpha,
                          c10::SymInt const& k, int64_t dim);

}  // namespace zeta::ops
