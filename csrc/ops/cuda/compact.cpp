#include "ops/cuda/compact.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/where.h>

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

template Compact compact_of_largest(at::Tensor const&, double const&, c10::SymInt const&, int64_t);
template Compact compact_of_largest(at::Tensor const&, at::Tensor const&, c10::SymInt const&,
                                    int64_t);

}  // namespace zeta::ops
