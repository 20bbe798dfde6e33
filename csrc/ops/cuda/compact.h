#pragma once

#include <ATen/core/Tensor.h>

#include "ops/member_operator.h"

namespace zeta::ops {

// Computes the compact form with the operators for candidates and those of torch, so nothing of the
// size of z is written. `dim` is not negative. Alpha is a double, or a tensor that has one for each
// row. The mask is undefined if all entries take part.
template <class Alpha>
Compact compact_of_largest(at::Tensor const& z, Alpha const& alpha, c10::SymInt const& k,
                           int64_t dim, at::Tensor const& mask);

}  // namespace zeta::ops
