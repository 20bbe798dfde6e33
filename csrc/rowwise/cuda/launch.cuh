#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "rowwise/cuda/backward.cuh"
#include "rowwise/cuda/forward.cuh"
#include "rowwise/cuda/tuning.h"

// Short rows go to a warp each, long rows to a block each.
namespace zeta::rowwise::cuda {

template <class Group>
dim3 block_shape() {
  return {Group::kThreads, groups_per_block(Group::kThreads)};
}

template <class Group, int Operands>
dim3 grid_shape(RowGeometry<Operands> const& geometry) {
  return {grid_size(geometry.rows, groups_per_block(Group::kThreads))};
}

template <template <class> class MappingOf, class Scalar>
cudaError_t launch_forward(RowGeometry<2> const& geometry, Scalar* weights, Scalar const* logits,
                           int64_t k, cudaStream_t stream) {
  auto launch = [&]<class Group>() {
    forward_kernel<MappingOf, Group>
        <<<grid_shape<Group>(geometry), block_shape<Group>(), 0, stream>>>(geometry, weights,
                                                                           logits, k);
    return cudaGetLastError();
  };
  if (geometry.length <= kLongestRowOfWarp) return launch.template operator()<Warp>();
  return launch.template operator()<Block<kThreadsPerLongRow>>();
}

template <template <class> class MappingOf, class Scalar>
cudaError_t launch_backward(RowGeometry<3> const& geometry, Scalar* grad_logits,
                            Scalar const* grad_weights, Scalar const* weights,
                            cudaStream_t stream) {
  auto launch = [&]<class Group>() {
    backward_kernel<MappingOf, Group>
        <<<grid_shape<Group>(geometry), block_shape<Group>(), 0, stream>>>(geometry, grad_logits,
                                                                           grad_weights, weights);
    return cudaGetLastError();
  };
  if (geometry.length <= kLongestRowOfWarp) return launch.template operator()<Warp>();
  return launch.template operator()<Block<kThreadsPerLongRow>>();
}

}  // namespace zeta::rowwise::cuda
