#include <torch/csrc/autograd/autograd_not_implemented_fallback.h>
#include <torch/library.h>

#include "ops/second_copy.h"

namespace zeta::ops::largest {

// The result holds integers, which have no gradient.
TORCH_LIBRARY_IMPL(zeta, Autograd, library) {
  if (is_second_copy()) return;
  library.impl("_largest", torch::autograd::autogradNotImplementedFallback());
}

}  // namespace zeta::ops::largest
