#include <torch/library.h>

#include "ops/largest.h"
#include "ops/row_arguments.h"
#include "ops/second_copy.h"

namespace zeta::ops::largest {
namespace {

at::Tensor forward_meta(at::Tensor const& z, c10::SymInt k, int64_t dim) {
  return empty_columns(z, k, check_largest(kName, z, k, dim));
}

}  // namespace

TORCH_LIBRARY_IMPL(zeta, Meta, library) {
  if (is_second_copy()) return;
  library.impl("_largest", &forward_meta);
}

}  // namespace zeta::ops::largest
