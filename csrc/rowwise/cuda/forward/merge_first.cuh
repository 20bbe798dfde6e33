#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "rowwise/cuda/forward/candidates.cuh"
#include "rowwise/cuda/forward/merged_row.cuh"
#include "rowwise/cuda/forward/segment_lists.h"
#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/passes/block.cuh"
#include "rowwise/cuda/passes/operands.cuh"
#include "rowwise/cuda/shared_memory.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/row_geometry.h"

// Long rows, second kernel, k up to the lanes of a warp: each segment has left its first candidates
// in their order, so a warp merges the lists of one segment after another, a candidate to a lane.
namespace zeta::rowwise::cuda {

namespace detail {

template <class Scalar>
__device__ inline Candidate<Scalar> of_lane(Candidate<Scalar> one, int lane) {
  return shuffle_words(one, [&](int word) { return __shfl_sync(kAllLanes, word, lane); });
}

// The first of two ordered lists: those of both that come before the others rise and then fall,
// which Batcher's network puts in order ("Sorting networks and their applications", AFIPS 1968).
template <class Scalar>
__device__ inline Candidate<Scalar> first_of_both(Candidate<Scalar> own, Candidate<Scalar> other) {
  int const lane = static_cast<int>(threadIdx.x) % kWarpThreads;
  other = of_lane(other, kWarpThreads - 1 - lane);
  if (other.comes_before(own)) own = other;
#pragma unroll
  for (int distance = kWarpThreads / 2; distance >= 1; distance /= 2) {
    other = of_lane(own, lane ^ distance);
    bool const takes_first = (lane & distance) == 0;
    if (takes_first ? other.comes_before(own) : own.comes_before(other)) own = other;
  }
  return own;
}

}  // namespace detail

// The first candidates of a row, one to each lane of the first warp.
template <class Mapping, class Scalar>
__device__ inline Candidate<Scalar> first_candidates(MergedRow<Mapping, Scalar> const& row) {
  constexpr int kWarps = kThreadsPerBlock / kWarpThreads;
  using Lists = CandidateArray<Scalar, kThreadsPerBlock>;
  ZETA_SHARED_ARRAY(Lists, lists, 1);
  auto const thread = static_cast<int>(threadIdx.x);
  int const lane = thread % kWarpThreads;
  Candidate<Scalar> own;
  row.for_live_segments([&](int const* live, int count) {
    for (int i = thread / kWarpThreads; i < count; i += kWarps) {
      own = detail::first_of_both(own, row.candidate(live[i], lane));
    }
  });
  lists[0].set(thread, own);
  __syncthreads();
  if (thread >= kWarpThreads) return own;
  for (int warp = 1; warp < kWarps; ++warp) {
    own = detail::first_of_both(own, lists[0][warp * kWarpThreads + lane]);
  }
  return lane < row.capacity() ? own : Candidate<Scalar>();
}

// A block takes every gridDim.x-th row.
template <template <class> class MappingOf, class Scalar>
__global__ void __launch_bounds__(kThreadsPerBlock, kBlocksOfThreads)
    merge_first_kernel(__grid_constant__ RowGeometry<3> const geometry,
                       ForwardOperands<Scalar> operands, int segments,
                       SegmentLists<candidate_key_t<Scalar>> lists,
                       typename MappingOf<widened_t<Scalar>>::Fixed fixed) {
  using Mapping = MappingOf<widened_t<Scalar>>;
  Block<kThreadsPerBlock> const block;
  for (int64_t number = blockIdx.x; number < geometry.rows; number += gridDim.x) {
    auto const row = operands.row(geometry, number);
    MergedRow<Mapping, Scalar> merged(block, lists, segments, number, operands.k);
    if (!merged.is_ordinary()) {
      write_nan(block, row);
      continue;
    }
    Mapping const mapping(widen(merged.largest()), fixed);
    merged.raise_bound(mapping);
    auto const candidate = first_candidates(merged);
    if (block.rank() < kWarpThreads) {
      Scalar const weight = weight_of(candidate, mapping);
      bool const is_in = widen(weight) != 0;
      if (is_in) row.weights_begin[candidate.column] = weight;
      write_support(row.support, true, is_in, candidate.column);
    }
    block.synchronize();
  }
}

}  // namespace zeta::rowwise::cuda
