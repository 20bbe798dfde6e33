#include "ops/largest.h"

#include <ATen/ops/empty.h>
#include <torch/library.h>

#include "ops/second_copy.h"

namespace zeta::ops::largest {

at::Tensor empty_columns(at::Tensor const& z, c10::SymInt const& k, int64_t dim) {
  auto sizes = z.sym_sizes().vec();
  sizes[dim] = k.min(sizes[dim]);
  return at::empty_symint(sizes, z.options().dtype(at::kLong));
}

TORCH_LIBRARY_FRAGMENT(zeta, library) {
  if (is_second_copy()) return;
  library.def("_largest(Tensor z, SymInt k, int dim) -> Tensor",
              {at::Tag::pt2_compliant_tag, at::Tag::flexible_layout});
}

}  // namespace zeta::ops::largest
