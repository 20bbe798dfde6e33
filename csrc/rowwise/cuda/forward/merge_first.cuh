#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "rowwise/cuda/dependent_launch.cuh"
#include "rowwise/cuda/forward/candidates.cuh"
#include "rowwise/cuda/forward/held_row.cuh"
#include "rowwise/cuda/forward/merged_lists.cuh"
#include "rowwise/cuda/forward/segment_lists.h"
#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/passes/block.cuh"
#include "rowwise/cuda/passes/operands.cuh"
#include "rowwise/cuda/shared_memory.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/ordered_key.h"
#include "rowwise/row_geometry.h"

// The second kernel of long rows, for k <= 32. Each warp of a block finds the first candidates of
// neighbouring segments, and then one warp finds the first of those.
namespace zeta::rowwise::cuda {

// The segments of a row that fall to a warp, as the first kernel left them.
template <class Scalar>
class WarpSegments {
 public:
  using One = Candidate<Scalar>;
  using Key = typename One::Key;

  __device__ WarpSegments(SegmentLists<Key> const& lists, int segments, int64_t number, int warp,
                          int warps)
      : keys_(lists.keys + number * segments * lists.capacity),
        columns_(lists.columns + number * segments * lists.capacity),
        capacity_(lists.capacity),
        lane_(static_cast<int>(threadIdx.x) % kWarpThreads) {
    int const share = (segments - 1) / warps + 1;
    first_ = warp * share;
    last_ = first_ + share < segments ? first_ + share : segments;
  }

  // Returns the largest key of this lane's segments.
  __device__ Key largest() {
    Key result = kLeast<Key>;
#pragma unroll 1
    for (int first = first_; first < last_; first += kHeld) {
      load_heads(first);
#pragma unroll
      for (int i = 0; i < kHeldPerLane; ++i) result = heads_[i] > result ? heads_[i] : result;
    }
    return result;
  }

  // Lists the first candidates of the warp's segments. largest() must have been called before.
  // `live` is shared memory of the warp.
  __device__ void list_into(WarpCandidates<Scalar>& list, int k, int* live) {
#pragma unroll 1
    for (int first = first_; first < last_; first += kHeld) {
      if (last_ - first_ > kHeld) load_heads(first);
      unsigned groups = 0;
#pragma unroll
      for (int i = 0; i < kHeldPerLane; ++i) {
        if (__any_sync(kAllLanes, may_be_in(list, heads_[i]))) groups |= 1U << i;
      }
#pragma unroll 1
      for (; groups != 0; groups &= groups - 1) {
        int const group = __ffs(static_cast<int>(groups)) - 1;
        list_live(first + group * kWarpThreads + lane_, list, k, live);
      }
    }
  }

 private:
  static constexpr int kHeldPerLane = kSegmentsPerLane;
  static constexpr int kHeld = kHeldPerLane * kWarpThreads;
  static constexpr int kSteps = (kCandidatesPerWarp - kWarpThreads) / kWarpThreads;

  // Returns the key of a segment's first candidate, which is its largest entry.
  __device__ Key head(int segment) const {
    return segment < last_ ? keys_[segment * int64_t{capacity_}] : kLeast<Key>;
  }
  __device__ void load_heads(int first) {
#pragma unroll
    for (int i = 0; i < kHeldPerLane; ++i) heads_[i] = head(first + i * kWarpThreads + lane_);
  }

  // Whether the first candidate of a segment may be included. Those listed before it have lower
  // indices.
  __device__ static bool may_be_in(WarpCandidates<Scalar> const& list, Key head) {
    return list.includes({head, INT32_MAX - 1});
  }

  // Lists the candidates of segments, one of each lane. They lie behind those listed before, so a
  // candidate that equals the last of k of these is not needed.
  __device__ void list_live(int segment, WarpCandidates<Scalar>& list, int k, int* live) const {
    int const most = kSteps * kWarpThreads / capacity_;
    Key const largest = head(segment);
    bool is_left = true;
#pragma unroll 1
    while (true) {
      bool const is_live = is_left && may_be_in(list, largest);
      unsigned const lanes = __ballot_sync(kAllLanes, is_live);
      if (lanes == 0) return;
      int const rank = __popc(lanes & ((1U << lane_) - 1));
      if (is_live && rank < most) live[rank] = segment;
      is_left = is_live && rank >= most;
      __syncwarp();
      int const taken = __popc(lanes) < most ? __popc(lanes) : most;
      list_candidates(live, taken * capacity_, list);
      if (list.count() >= k) list.keep_first();
      __syncwarp();
    }
  }

  // Lists the candidates of the segments in `live`. The list has room for them besides the first k.
  __device__ void list_candidates(int const* live, int count, WarpCandidates<Scalar>& list) const {
    One own[kSteps];
#pragma unroll
    for (int i = 0; i < kSteps; ++i) {
      int const place = i * kWarpThreads + lane_;
      if (place >= count) continue;
      int64_t const at = live[place / capacity_] * int64_t{capacity_} + place % capacity_;
      own[i] = {keys_[at], columns_[at]};
    }
#pragma unroll
    for (int i = 0; i < kSteps; ++i) {
      if (i * kWarpThreads < count) list.append(list.includes(own[i]), own[i]);
    }
  }

  Key const* keys_;
  int const* columns_;
  int capacity_;
  int lane_;
  int first_;
  int last_;
  Key heads_[kHeldPerLane];
};

// Block b takes rows b, b + gridDim.x and so on.
template <template <class> class MappingOf, class Scalar>
__global__ void __launch_bounds__(kThreadsPerBlock, kBlocksOfThreads)
    merge_first_kernel(__grid_constant__ RowGeometry<3> const geometry,
                       ForwardOperands<Scalar> operands, int segments,
                       SegmentLists<candidate_key_t<Scalar>> lists,
                       typename MappingOf<widened_t<Scalar>>::Fixed fixed) {
  using Mapping = MappingOf<widened_t<Scalar>>;
  using Key = candidate_key_t<Scalar>;
  constexpr int kWarps = kThreadsPerBlock / kWarpThreads;
  using Merged = CandidateArray<Scalar, kThreadsPerBlock>;
  static_assert(kThreadsPerBlock <= kMostMergedCandidates);
  ZETA_SHARED_ARRAY(Key, maxima, kThreadsPerBlock);
  ZETA_SHARED_ARRAY(CandidateArray<Scalar>, of_warps, kWarps);
  ZETA_SHARED_ARRAY(int, live, kThreadsPerBlock);
  ZETA_SHARED_ARRAY(Merged, of_block, 1);
  ZETA_SHARED_ARRAY(MergingArrays<Scalar>, arrays, 1);
  Block<kThreadsPerBlock> const block;
  int const warp = block.rank() / kWarpThreads;
  int const lane = block.rank() % kWarpThreads;
  auto const k = static_cast<int>(operands.k);
#pragma unroll 1
  for (int64_t number = blockIdx.x; number < geometry.rows; number += gridDim.x) {
    auto const row = operands.row(geometry, number);
    WarpSegments<Scalar> own(lists, segments, number, warp, kWarps);
    // So far, this kernel has read nothing but its parameters.
    wait_for_first_kernel();
    maxima[block.rank()] = own.largest();
    block.synchronize();
    Key of_lane = maxima[lane];
#pragma unroll
    for (int other = 1; other < kWarps; ++other) {
      Key const key = maxima[other * kWarpThreads + lane];
      of_lane = key > of_lane ? key : of_lane;
    }
    Key const largest = largest_of_lanes(of_lane);
    if (!is_of_ordinary_row<Scalar>(largest)) {
      write_nan(block, row);
      block.synchronize();
      continue;
    }
    auto const entry = scalar_of<Scalar>(static_cast<key_t<Scalar>>(largest));
    Mapping const mapping(widen(entry), fixed);
    Key const lower_bound = selection_key(narrow<Scalar>(least_of_support<Scalar>(mapping)));
    Key const kth = kth_of_lanes(of_lane, k);
    Key const bound = kth > lower_bound ? kth : lower_bound;

    WarpCandidates<Scalar> list(of_warps[warp], k, bound);
    own.list_into(list, k, live + warp * kWarpThreads);
    auto const first = list.keep_first();
    if (lane < k) of_block[0].set(warp * k + lane, first);
    block.synchronize();
    if (warp == 0) {
      MergedLists<Scalar> const merged(kWarps * k, [&](int i) { return of_block[0][lane + i]; });
      write_first(merged.first(bound, k, arrays[0]), mapping, row);
    }
    // This needs no barrier. The next row's maxima are written after the last barrier, behind which
    // nobody reads this row's. Its candidates are written after a barrier that this warp has yet to
    // reach.
  }
}

}  // namespace zeta::rowwise::cuda
