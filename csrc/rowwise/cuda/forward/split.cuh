#pragma once

#include <cmath>
#include <cstdint>

#include "rowwise/cuda/forward/block_candidates.cuh"
#include "rowwise/cuda/forward/blocks.cuh"
#include "rowwise/cuda/forward/passes.cuh"
#include "rowwise/cuda/forward/split_workspace.h"
#include "rowwise/cuda/passes/block.cuh"
#include "rowwise/cuda/passes/candidates.cuh"
#include "rowwise/cuda/passes/operands.cuh"
#include "rowwise/cuda/passes/row.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/row_geometry.h"

// Few long rows: several blocks read one, each a part of it, and hand their candidates on. The last
// one to do so writes the weights that are not zero.
namespace zeta::rowwise::cuda {

namespace detail {

// Reserves places for the candidates that this thread hands on and fills them.
template <class Scalar, class BlockCandidates>
__device__ void hand_on(BlockCandidates const& candidates, SplitRow<Scalar> const& row) {
  int own_count = 0;
  candidates.for_each_above_floor([&](int, Scalar) { ++own_count; });
  Lanes const warp(kWarpThreads);
  int const last = warp.running_sum(own_count);
  int const total = warp.last(last);
  int place = warp.rank() == 0 && total > 0 ? atomicAdd(&row.header->count, total) : 0;
  place = warp.first(place) + last - own_count;
  candidates.for_each_above_floor([&](int column, Scalar entry) {
    if (place < row.capacity) {
      row.entries[place] = entry;
      row.columns[place] = column;
    }
    ++place;
  });
}

// Whether this block is the last of its row, which then sees what the others have written.
__device__ inline bool is_last_part(Block<kThreadsPerBlock> const& block, SplitHeader* header,
                                    int parts) {
  ZETA_SHARED_ARRAY(int, finished_before, 1);
  __threadfence();
  __syncthreads();
  if (block.rank() == 0) finished_before[0] = atomicAdd(&header->finished_parts, 1);
  __syncthreads();
  __threadfence();
  return finished_before[0] == parts - 1;
}

}  // namespace detail

// Block (x, y) reads part x of row y.
template <template <class> class MappingOf, class Scalar>
__global__ void __launch_bounds__(kThreadsPerBlock, kBlocksOfThreads)
    forward_split_kernel(__grid_constant__ RowGeometry<3> const geometry,
                         ForwardOperands<Scalar> operands, void* workspace,
                         typename MappingOf<widened_t<Scalar>>::Fixed fixed) {
  using Mapping = MappingOf<widened_t<Scalar>>;
  Block<kThreadsPerBlock> const block;
  auto const parts = static_cast<int>(gridDim.x);
  auto const part = static_cast<int>(blockIdx.x);
  int64_t const k = operands.k;
  auto const row = operands.row(geometry, blockIdx.y);
  auto const logits = row.logits();
  auto const shared_row = split_row<Scalar>(workspace, geometry.rows, parts, blockIdx.y);

  // In whole pieces.
  auto const column_of_part = [&](int number) {
    int64_t const pieces = logits.pieces();
    int const column = logits.first_column(static_cast<int>(pieces * number / parts));
    return column < 0 ? 0 : column > logits.length ? logits.length : column;
  };
  int const first = column_of_part(part);
  int const last = part + 1 == parts ? logits.length : column_of_part(part + 1);

  BlockCandidates<Mapping, Scalar> candidates(block, fixed, k);
  if (candidates.read(logits.part(first, last), row.weights().part(first, last), first)) {
    detail::hand_on(candidates, shared_row);
  } else if (block.rank() == 0) {
    atomicAdd(&shared_row.header->count, shared_row.capacity + 1);
  }
  auto range = block.reduce(candidates.range());
  if (block.rank() == 0) shared_row.ranges[part] = range;
  if (!detail::is_last_part(block, shared_row.header, parts)) return;

  range = KeyRange<Scalar>::empty();
  for (int i = block.rank(); i < parts; i += block.threads()) range.add(shared_row.ranges[i]);
  range = block.reduce(range);
  int const count = shared_row.header->count;
  if (!range.is_ordinary()) {
    write_nan(block, row);
  } else if (count <= shared_row.capacity &&
             candidates.take(
                 Candidates<Scalar, int>{shared_row.entries, shared_row.columns, count, 1})) {
    write_support<Mapping>(block, fixed, candidates.list(), range, row, k);
  } else {
    forward_by_passes<Mapping>(block, fixed, logits, row.weights(), row.support, k);
  }
}

}  // namespace zeta::rowwise::cuda
