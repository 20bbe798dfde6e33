#pragma once

#include <ATen/core/Tensor.h>

#include "ops/member_operator.h"

namespace zeta::ops {

// Computes the compact form with the operators for candidates and those of torch, so nothing of the
// size of z is written. `dim` is not negative.
Compact compact_of_largest(at::Tensor const& z, double alpha, c10::SymInt const& k, int64_t dim);

}  // namespace zeta::ops
