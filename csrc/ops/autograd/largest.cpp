#include <torch/csrc/autograd/autograd_not_implemented_fallback.h>
#include <torch/library.h>

namespace zeta::ops::largest {

// Integers have no gradient.
TORCH_LIBRARY_IMPL(zeta, Autograd, library) {
  library.impl("_largest", torch::autograd::autogradNotImplementedFallback());
}

}  // namespace zeta::ops::largest
