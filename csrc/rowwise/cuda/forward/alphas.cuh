#pragma once

#include <cmath>
#include <cstdint>

#include "mappings/family.h"
#include "rowwise/cuda/find_row.cuh"
#include "rowwise/cuda/forward/passes.cuh"
#include "rowwise/cuda/launch_kernel.cuh"
#include "rowwise/cuda/passes/block.cuh"
#include "rowwise/cuda/passes/row.cuh"
#include "rowwise/cuda/passes/support_row.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/float16.h"
#include "rowwise/row_geometry.h"

namespace zeta::rowwise::cuda {

// Computes the weights of a row by passes over it. The mappings are not inlined into one function,
// which would keep more in registers than there are.
template <class Mapping, class Scalar>
__device__ __noinline__ void forward_of_alpha(double alpha, StridedRow<Scalar const> logits,
                                              StridedRow<Scalar> weights, int64_t full_length,
                                              int64_t k) {
  Block<kThreadsPerBlock> const block;
  SupportRow const no_support = {nullptr, 0, true};
  forward_by_passes<Mapping>(block, Mapping::fixed(full_length, alpha), logits, weights, no_support,
                             k);
}

// Computes the weights of rows that each have an alpha. The mapping follows from a number in device
// memory, so the host need not wait for it. Nor can it refuse numbers outside of the family: the
// weights of their rows are NaN.
//
// The geometry's operands are weights, logits and alphas. Block b takes rows b, b + gridDim.x and
// so on.
template <class Scalar>
__global__ void __launch_bounds__(kThreadsPerBlock, kBlocksOfThreads)
    forward_of_alphas_kernel(__grid_constant__ RowGeometry<3> const geometry, Scalar* weights,
                             Scalar const* logits, double const* alphas, int64_t k) {
  for (int64_t number = blockIdx.x; number < geometry.rows; number += gridDim.x) {
    int64_t offsets[3];
    find_row(geometry, number, offsets);
    StridedRow<Scalar> const result = {weights + offsets[0], geometry.stride[0], geometry.length};
    StridedRow<Scalar const> const row = {logits + offsets[1], geometry.stride[1], geometry.length};
    double const alpha = alphas[offsets[2]];
    if (!mappings::is_in_family(alpha)) {
      result.fill(Block<kThreadsPerBlock>(), narrow<Scalar>(NAN));
      continue;
    }
    mappings::with_mapping(alpha, [&]<template <class> class MappingOf>() {
      forward_of_alpha<MappingOf<widened_t<Scalar>>>(alpha, row, result, geometry.full_length, k);
    });
  }
}

template <class Scalar>
cudaError_t launch_forward_of_alphas(RowGeometry<3> const& geometry, Scalar* weights,
                                     Scalar const* logits, double const* alphas, int64_t k,
                                     cudaStream_t stream) {
  return detail::launch(forward_of_alphas_kernel<Scalar>, detail::blocks_for(geometry.rows, 1),
                        kThreadsPerBlock, stream, geometry, weights, logits, alphas, k);
}

}  // namespace zeta::rowwise::cuda
