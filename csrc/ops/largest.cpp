#include <torch/library.h>

#include "ops/second_copy.h"

namespace zeta::ops::largest {

TORCH_LIBRARY_FRAGMENT(zeta, library) {
  if (is_second_copy()) return;
  library.def("_largest(Tensor z, SymInt k, int dim) -> Tensor",
              {at::Tag::pt2_compliant_tag, at::Tag::flexible_layout});
}

}  // namespace zeta::ops::largest
