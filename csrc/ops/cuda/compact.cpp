#include "ops/cuda/compact.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/where.h>

#include <limits>

#include "ops/family.h"

namespace zeta::ops {

template <class Alpha>
Compact compact_of_largest(at::Tensor const& z, Alpha const& alpha, c10::SymInt const& k,
                           int64_t dim) {
  if (z.dim() == 0) {
    auto const [values, indices] = compact_of_largest(z.unsqueeze(0), alpha, k, 0);
    return {values.squeeze(0), indices.squeeze(0)};
  }
  at::Tensor const columns = family::largest(z, k, dim);
  at::Tensor const candidates = z.gather(dim, columns);
  if (columns.sym_numel() == 0) return {candidates, columns};
  at::Tensor const weights = family::of_candidates(candidates, alpha, k, dim, z.sym_size(dim));
  // Equal weights stay in the order of their indices. Those of a row that is NaN have no order, so
  // its entries have it.
  at::Tensor const keys = at::where(weights.isnan(), candidates, weights);
  at::Tensor const order = std::get<1>(at::sort(keys, /*stable=*/true, dim, /*descending=*/true));
  at::Tensor const values = weights.gather(dim, order);
  return {values, columns.gather(dim, order).masked_fill_(values == 0, -1)};
}

template <class Alpha>
Compact compact_of_masked(at::Tensor const& z, at::Tensor const& mask, Alpha const& alpha,
                          c10::SymInt const& k, int64_t dim) {
  at::Tensor const filled = at::where(mask, z, -std::numeric_limits<double>::infinity());
  auto const [values, indices] = compact_of_largest(filled, alpha, k, dim);
  at::Tensor const is_left_out = mask.expand(z.sizes()).any(dim, /*keepdim=*/true).logical_not_();
  return {values.masked_fill(is_left_out, 0), indices.masked_fill(is_left_out, -1)};
}

#define ZETA_INSTANTIATE(Alpha)                                                            \
  template Compact compact_of_largest(at::Tensor const&, Alpha const&, c10::SymInt const&, \
                                      int64_t);                                            \
  template Compact compact_of_masked(at::Tensor const&, at::Tensor const&, Alpha const&,   \
                                     c10::SymInt const&, int64_t)

ZETA_INSTANTIATE(double);
ZETA_INSTANTIATE(at::Tensor);

}  // namespace zeta::ops
