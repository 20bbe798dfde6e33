#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include "ops/cuda/check_launch.h"
#include "ops/driver.h"
#include "ops/largest.h"
#include "ops/second_copy.h"
#include "rowwise/cuda/largest.h"

namespace zeta::ops::largest {
namespace {

constexpr auto kForward = [](auto const& geometry, int64_t* columns, auto const* entries,
                             int64_t count) {
  check_launch(kName, rowwise::cuda::largest(geometry, columns, entries, count,
                                             c10::cuda::getCurrentCUDAStream()));
};

at::Tensor forward_cuda(at::Tensor const& z, int64_t k, int64_t dim) {
  return run_largest(kName, z, k, dim, kForward);
}

}  // namespace

TORCH_LIBRARY_IMPL(zeta, CUDA, library) {
  if (is_second_copy()) return;
  library.impl("_largest", &forward_cuda);
}

}  // namespace zeta::ops::largest
