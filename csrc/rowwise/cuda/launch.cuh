#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

#include "rowwise/cuda/backward.cuh"
#include "rowwise/cuda/forward.cuh"
#include "rowwise/cuda/tuning.h"

// Short rows go to a warp each, long rows to a block each.
namespace zeta::rowwise::cuda {

// Queues a kernel whose rows fall to groups. It is no <<<>>>, which a host compiler cannot parse.
template <class Group, int Operands, class... Parameters>
cudaError_t launch_rows(void (*kernel)(RowGeometry<Operands>, Parameters...), cudaStream_t stream,
                        RowGeometry<Operands> const& geometry,
                        std::type_identity_t<Parameters>... arguments) {
  constexpr int kGroups = groups_per_block(Group::kThreads);
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(grid_size(geometry.rows, kGroups));
  config.blockDim = dim3(Group::kThreads, kGroups);
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, geometry, arguments...);
}

template <template <class> class MappingOf, class Scalar>
cudaError_t launch_forward(RowGeometry<2> const& geometry, Scalar* weights, Scalar const* logits,
                           int64_t k, cudaStream_t stream) {
  auto launch = [&]<class Group>() {
    return launch_rows<Group>(forward_kernel<MappingOf, Group, Scalar>, stream, geometry, weights,
                              logits, k);
  };
  if (geometry.length <= kLongestRowOfWarp) return launch.template operator()<Warp>();
  return launch.template operator()<Block<kThreadsPerLongRow>>();
}

template <template <class> class MappingOf, class Scalar>
cudaError_t launch_backward(RowGeometry<3> const& geometry, Scalar* grad_logits,
                            Scalar const* grad_weights, Scalar const* weights,
                            cudaStream_t stream) {
  auto launch = [&]<class Group>() {
    return launch_rows<Group>(backward_kernel<MappingOf, Group, Scalar>, stream, geometry,
                              grad_logits, grad_weights, weights);
  };
  if (geometry.length <= kLongestRowOfWarp) return launch.template operator()<Warp>();
  return launch.template operator()<Block<kThreadsPerLongRow>>();
}

}  // namespace zeta::rowwise::cuda
