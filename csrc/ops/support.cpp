#include "ops/support.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_strided.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <limits>
#include <vector>

namespace zeta::ops {

at::Tensor empty_support(at::Tensor const& z, c10::SymInt const& k, int64_t dim) {
  auto sizes = z.sym_sizes().vec();
  sizes[dim] = k.min(sizes[dim]) + 1;
  std::vector<c10::SymInt> strides(sizes.size(), 1);
  c10::SymInt stride = sizes[dim];
  for (auto i = static_cast<int64_t>(sizes.size()) - 1; i >= 0; --i) {
    if (i == dim) continue;
    strides[i] = stride;
    stride = stride * sizes[i].max(1);
  }
  return at::empty_strided_symint(sizes, strides, z.options().dtype(at::kInt));
}

at::Tensor indicator_of_support(at::Tensor const& support, int64_t dim, at::Tensor const& like) {
  at::Tensor const count = support.narrow(dim, 0, 1);
  at::Tensor const columns = support.narrow_symint(dim, 1, support.sym_size(dim) - 1);
  at::Tensor const is_column = columns >= 0;
  at::Tensor const zeros = at::zeros_like(like);
  at::Tensor const indicator =
      zeros.scatter_add(dim, columns.clamp_min(0).to(at::kLong), is_column.to(zeros.scalar_type()));
  return at::where(count < 0, std::numeric_limits<double>::quiet_NaN(), indicator);
}

}  // namespace zeta::ops
