#include <torch/library.h>

namespace zeta::ops::largest {

TORCH_LIBRARY_FRAGMENT(zeta, library) {
  library.def("_largest(Tensor z, SymInt k, int dim) -> Tensor",
              {at::Tag::pt2_compliant_tag, at::Tag::flexible_layout});
}

}  // namespace zeta::ops::largest
