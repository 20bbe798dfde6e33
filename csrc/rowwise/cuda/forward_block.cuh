#pragma once

#include <cmath>
#include <cstdint>

#include "rowwise/cuda/block.cuh"
#include "rowwise/cuda/block_candidates.cuh"
#include "rowwise/cuda/forward_passes.cuh"
#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/operands.cuh"
#include "rowwise/cuda/row.cuh"
#include "rowwise/cuda/support.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/row_geometry.h"

// Long rows: a block reads a row once, writes zeros as it goes, and then the weights that are not
// zero. Rows with more candidates than fit into shared memory are taken by passes.
namespace zeta::rowwise::cuda {

// Writes the weights of a row of zeros. `range` is the row's.
template <class Mapping, class Scalar>
__device__ void write_support(Block<kThreadsPerBlock> const& block,
                              typename Mapping::Fixed const& fixed,
                              Candidates<Scalar, int> const& list, KeyRange<Scalar> const& range,
                              ForwardRow<Scalar> const& row, int64_t k) {
  Mapping const mapping(range.maximum(), fixed);
  auto const write_by = [&](auto const& group) {
    auto const weights =
        find_weights<Mapping, Scalar>(group, mapping, list, range.largest, k, row.length);
    list.write(group, row.weights(), weights, row.support);
  };
  if (list.count > kCandidatesOfOneWarp) {
    write_by(block);
  } else if (block.rank() < kWarpThreads) {
    write_by(Lanes(kWarpThreads));
  }
}

template <class Scalar>
__device__ void write_nan(Block<kThreadsPerBlock> const& block, ForwardRow<Scalar> const& row) {
  row.weights().fill(block, narrow<Scalar>(NAN));
  if (row.support.is_wanted()) row.support.close(block, 0, false);
}

template <class Mapping, class Scalar>
__device__ void forward_row(Block<kThreadsPerBlock> const& block,
                            typename Mapping::Fixed const& fixed, ForwardRow<Scalar> const& row,
                            int64_t k) {
  BlockCandidates<Mapping, Scalar> candidates(block, fixed, k);
  if (!candidates.read(row.logits(), row.weights(), 0)) {
    forward_by_passes<Mapping>(block, fixed, row.logits(), row.weights(), row.support, k);
    return;
  }
  auto const range = block.reduce(candidates.range());
  if (range.is_ordinary()) {
    write_support<Mapping>(block, fixed, candidates.list(), range, row, k);
  } else {
    write_nan(block, row);
  }
}

// Each block takes every gridDim.x-th row.
template <template <class> class MappingOf, class Scalar>
__global__ void __launch_bounds__(kThreadsPerBlock, kBlocksOfThreads)
    forward_block_kernel(__grid_constant__ RowGeometry<3> const geometry,
                         ForwardOperands<Scalar> operands,
                         typename MappingOf<widened_t<Scalar>>::Fixed fixed) {
  Block<kThreadsPerBlock> const block;
  for (int64_t number = blockIdx.x; number < geometry.rows; number += gridDim.x) {
    forward_row<MappingOf<widened_t<Scalar>>>(block, fixed, operands.row(geometry, number),
                                              operands.k);
    __syncthreads();  // The next row's list takes the place of this one's.
  }
}

}  // namespace zeta::rowwise::cuda
