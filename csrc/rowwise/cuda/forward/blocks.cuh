#pragma once

#include <cmath>
#include <cstdint>

#include "rowwise/cuda/forward/block_candidates.cuh"
#include "rowwise/cuda/forward/passes.cuh"
#include "rowwise/cuda/passes/block.cuh"
#include "rowwise/cuda/passes/operands.cuh"
#include "rowwise/cuda/passes/row.cuh"
#include "rowwise/cuda/passes/support.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/row_geometry.h"

// Long rows: a block reads a row once, writes zeros as it goes, and then the weights that are not
// zero. A row with more candidates than fit into shared memory is passed over again.
namespace zeta::rowwise::cuda {

// Writes the weights of a row of zeros. `range` is the row's.
template <class Mapping, class Scalar>
__device__ void write_support(Block<kThreadsPerBlock> const& block,
                              typename Mapping::Fixed const& fixed,
                              Candidates<Scalar, int> const& list, KeyRange<Scalar> const& range,
                              ForwardRow<Scalar> const& row, int64_t k) {
  Mapping const mapping(range.maximum(), fixed);
  auto const weights =
      find_weights(block, mapping, list, scalar_of<Scalar>(range.largest), k, row.length);
  list.write(block, row.weights(), weights, row.support);
}

template <class Scalar>
__device__ void write_nan(Block<kThreadsPerBlock> const& block, ForwardRow<Scalar> const& row) {
  row.weights().fill(block, narrow<Scalar>(NAN));
  if (row.support.is_wanted()) row.support.close(block, 0, false);
}

// A row whose candidates are too many for the list. `buffer` is shared memory for all of it, or
// null.
template <class Mapping, class Scalar>
__device__ void forward_crowded_row(Block<kThreadsPerBlock> const& block,
                                    typename Mapping::Fixed const& fixed,
                                    ForwardRow<Scalar> const& row, Scalar* buffer, int64_t k) {
  auto logits = row.logits();
  if (buffer != nullptr) {
    ContiguousRow<Scalar> const copy = {buffer + logits.shift(), logits.length};
    logits.map(block, copy, [](int64_t, Scalar entry) { return entry; });
    __syncthreads();
    logits.begin = copy.begin;
  }
  forward_by_passes<Mapping>(block, fixed, logits, row.weights(), row.support, k);
}

template <class Mapping, class Scalar>
__device__ void forward_row(Block<kThreadsPerBlock> const& block,
                            typename Mapping::Fixed const& fixed, ForwardRow<Scalar> const& row,
                            Scalar* buffer, int64_t k) {
  BlockCandidates<Mapping, Scalar> candidates(block, fixed, k);
  if (!candidates.read(row.logits(), row.weights(), 0)) {
    forward_crowded_row<Mapping>(block, fixed, row, buffer, k);
    return;
  }
  auto const range = block.reduce(candidates.range());
  if (range.is_ordinary()) {
    write_support<Mapping>(block, fixed, candidates.list(), range, row, k);
  } else {
    write_nan(block, row);
  }
}

// Each block takes every gridDim.x-th row. The launch may give it shared memory for all of a row's
// pieces.
template <template <class> class MappingOf, class Scalar>
__global__ void __launch_bounds__(kThreadsPerBlock, kBlocksOfThreads)
    forward_block_kernel(__grid_constant__ RowGeometry<3> const geometry,
                         ForwardOperands<Scalar> operands, bool has_buffer,
                         typename MappingOf<widened_t<Scalar>>::Fixed fixed) {
  ZETA_DYNAMIC_SHARED_ARRAY(Scalar, buffer);
  Block<kThreadsPerBlock> const block;
  for (int64_t number = blockIdx.x; number < geometry.rows; number += gridDim.x) {
    forward_row<MappingOf<widened_t<Scalar>>>(block, fixed, operands.row(geometry, number),
                                              has_buffer ? buffer : nullptr, operands.k);
  }
}

}  // namespace zeta::rowwise::cuda
