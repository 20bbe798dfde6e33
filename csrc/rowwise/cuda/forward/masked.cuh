#pragma once

#include <cmath>
#include <cstdint>

#include "mappings/family.h"
#include "rowwise/cuda/find_row.cuh"
#include "rowwise/cuda/forward/passes.cuh"
#include "rowwise/cuda/launch_kernel.cuh"
#include "rowwise/cuda/passes/block.cuh"
#include "rowwise/cuda/passes/masked_row.cuh"
#include "rowwise/cuda/passes/row.cuh"
#include "rowwise/cuda/passes/support_row.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/float16.h"
#include "rowwise/mask.h"
#include "rowwise/row_geometry.h"

// The forward by passes of rows of which a mask leaves entries out, and of rows that each have an
// alpha.
namespace zeta::rowwise::cuda {

// At most one of support and alphas is given; the others are null.
template <class Scalar>
struct MaskedOperands {
  Scalar* weights;
  Scalar const* logits;
  int32_t* support;
  double const* alphas;
  MaskEntry const* mask;
  double alpha;  // of all rows, if alphas are not given
  int64_t k;
};

// Computes the weights of a row by passes over it. The mappings are not inlined into one function,
// which would keep more in registers than there are.
template <class Mapping, class Scalar>
__device__ __noinline__ void forward_of_alpha(double alpha, MaskedRow<Scalar const> logits,
                                              StridedRow<Scalar> weights, SupportRow support,
                                              int64_t full_length, int64_t k) {
  Block<kThreadsPerBlock> const block;
  forward_by_passes<Mapping>(block, Mapping::fixed(full_length, alpha), logits, weights, support,
                             k);
}

// The mapping follows from a number that may be in device memory, so that the host need not wait
// for it. Nor can it refuse numbers outside of the family then: the weights of their rows are NaN.
//
// The geometry's operands are weights, logits, support or alphas, and mask. Block b takes rows b,
// b + gridDim.x and so on.
template <class Scalar>
__global__ void __launch_bounds__(kThreadsPerBlock, kBlocksOfThreads)
    forward_masked_kernel(__grid_constant__ RowGeometry<4> const geometry,
                          MaskedOperands<Scalar> operands) {
  int64_t const length = geometry.length;
  int64_t const k = operands.k;
  for (int64_t number = blockIdx.x; number < geometry.rows; number += gridDim.x) {
    int64_t offsets[4];
    find_row(geometry, number, offsets);
    StridedRow<Scalar> const weights = {operands.weights + offsets[0], geometry.stride[0], length};
    StridedRow<Scalar const> const row = {operands.logits + offsets[1], geometry.stride[1], length};
    auto const* const mask = operands.mask == nullptr ? nullptr : operands.mask + offsets[3];
    MaskedRow<Scalar const> const logits = {row, mask, geometry.stride[3], length};
    auto* const list = operands.support == nullptr ? nullptr : operands.support + offsets[2];
    SupportRow const support = {list, k < length ? k : length, /*exists=*/true};
    double const alpha = operands.alphas == nullptr ? operands.alpha : operands.alphas[offsets[2]];
    if (!mappings::is_in_family(alpha)) {
      weights.fill(Block<kThreadsPerBlock>(), narrow<Scalar>(NAN));
      continue;
    }
    mappings::with_mapping(alpha, [&]<template <class> class MappingOf>() {
      forward_of_alpha<MappingOf<widened_t<Scalar>>>(alpha, logits, weights, support,
                                                     geometry.full_length, k);
    });
  }
}

template <class Scalar>
cudaError_t launch_masked_by_passes(RowGeometry<4> const& geometry,
                                    MaskedOperands<Scalar> const& operands, cudaStream_t stream) {
  return detail::launch(forward_masked_kernel<Scalar>, detail::blocks_for(geometry.rows, 1),
                        kThreadsPerBlock, stream, geometry, operands);
}

}  // namespace zeta::rowwise::cuda
