#pragma once

#include <ATen/core/Tensor.h>

#include "ops/member_operator.h"

namespace zeta::ops {

// The compact form: for each row its non-zero weights, largest first, equal ones by lowest index,
// and their indices; behind them weights of 0 and indices of -1. A row that is NaN has the indices
// of its k largest entries as torch.topk orders them.
//
// Computes it with the operators for candidates, so nothing of the size of z is written. `dim` is
// not negative.
Compact compact_of_largest(at::Tensor const& z, double alpha, c10::SymInt const& k, int64_t dim);

}  // namespace zeta::ops
