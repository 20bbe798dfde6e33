#include "ops/results.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>

#include <vector>

#include "ops/members.h"

namespace zeta::ops {
namespace {

// How many entries of a row may be non-zero. Without a limit that is the length itself, not a
// minimum, which traces would keep.
c10::SymInt most_non_zeros(c10::SymInt const& k, c10::SymInt const& length) {
  return k.maybe_as_int() == kNoLimit ? length : k.min(length);
}

}  // namespace

at::Tensor empty_support(at::Tensor const& z, c10::SymInt const& k, int64_t dim) {
  auto sizes = z.sym_sizes().vec();
  sizes[dim] = most_non_zeros(k, sizes[dim]) + 1;
  std::vector<c10::SymInt> strides(sizes.size(), 1);
  c10::SymInt stride = sizes[dim];
  for (auto i = static_cast<int64_t>(sizes.size()) - 1; i >= 0; --i) {
    if (i == dim) continue;
    strides[i] = stride;
    stride = stride * sizes[i].max(1);
  }
  return at::empty_strided_symint(sizes, strides, z.options().dtype(at::kInt));
}

at::Tensor empty_largest(at::Tensor const& z, c10::SymInt const& k, int64_t dim,
                         at::ScalarType dtype) {
  auto sizes = z.sym_sizes().vec();
  if (!sizes.empty()) sizes[dim] = most_non_zeros(k, sizes[dim]);
  return at::empty_symint(sizes, z.options().dtype(dtype));
}

std::tuple<at::Tensor, at::Tensor> empty_compact(at::Tensor const& z, c10::SymInt const& k,
                                                 int64_t dim, at::ScalarType dtype) {
  return {empty_largest(z, k, dim, dtype), empty_largest(z, k, dim, at::kLong)};
}

}  // namespace zeta::ops
