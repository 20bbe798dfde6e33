#include "ops/cuda/compact.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/where.h>

#include <limits>

#include "ops/family.h"
#include "ops/members.h"

namespace zeta::ops {

namespace {

// Tells of each row whether the mask leaves it out as a whole. The dim is negative, since a mask
// may have fewer dimensions.
at::Tensor leaves_out_all(at::Tensor const& mask, int64_t dim) {
  bool const is_one_for_all = -dim > mask.dim();
  return (is_one_for_all ? mask : mask.any(dim, /*keepdim=*/true)).logical_not();
}

}  // namespace

template <class Alpha>
Compact compact_of_largest(at::Tensor const& z, Alpha const& alpha, c10::SymInt const& k,
                           int64_t dim, at::Tensor const& mask) {
  if (z.dim() == 0) {
    auto const [values, indices] = compact_of_largest(z.unsqueeze(0), alpha, k, 0, mask);
    return {values.squeeze(0), indices.squeeze(0)};
  }
  at::Tensor const columns = family::largest(z, k, dim, optional_of(mask));
  at::Tensor candidates = z.gather(dim, columns);
  if (columns.sym_numel() == 0) return {candidates, columns};
  if (mask.defined()) {
    at::Tensor const takes_part = mask.expand_symint(z.sym_sizes()).gather(dim, columns);
    candidates.masked_fill_(takes_part.logical_not(), -std::numeric_limits<double>::infinity());
  }
  at::Tensor weights = family::of_candidates(candidates, alpha, k, dim, z.sym_size(dim));
  if (mask.defined()) weights.masked_fill_(leaves_out_all(mask, dim - z.dim()), 0);
  // Equal weights stay in the order of their indices. Those of a row that is NaN have no order, so
  // its entries have it.
  at::Tensor const keys = at::where(weights.isnan(), candidates, weights);
  at::Tensor const order = std::get<1>(at::sort(keys, /*stable=*/true, dim, /*descending=*/true));
  at::Tensor const values = weights.gather(dim, order);
  return {values, columns.gather(dim, order).masked_fill_(values == 0, -1)};
}

#define ZETA_INSTANTIATE(Alpha)                                                            \
  template Compact compact_of_largest(at::Tensor const&, Alpha const&, c10::SymInt const&, \
                                      int64_t, at::Tensor const&)

ZETA_INSTANTIATE(double);
ZETA_INSTANTIATE(at::Tensor);

}  // namespace zeta::ops
