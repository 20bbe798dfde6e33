#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>

#include "rowwise/cuda/dependent_launch.cuh"
#include "rowwise/cuda/forward/candidates.cuh"
#include "rowwise/cuda/forward/held.cuh"
#include "rowwise/cuda/forward/held_row.cuh"
#include "rowwise/cuda/forward/segment_lists.h"
#include "rowwise/cuda/passes/operands.cuh"
#include "rowwise/cuda/shared_memory.cuh"
#include "rowwise/cuda/stages/loose_copies.cuh"
#include "rowwise/cuda/stages/loose_rows.cuh"
#include "rowwise/cuda/stages/warp_pipe.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/ordered_key.h"
#include "rowwise/row_geometry.h"

// Long rows of float64. A warp holds one segment after another, lists its candidates for the
// support and writes zeros in its place. A second kernel (merge_few.cuh, merge_first.cuh,
// merge_all.cuh) turns the candidates of a row into weights.
namespace zeta::rowwise::cuda {

namespace detail {

// A segment in both operands.
template <class Scalar>
struct SegmentOfRow {
  LooseRows<Scalar const> logits;
  LooseRows<Scalar> weights;
  int first_column;

  __device__ SegmentOfRow(RowGeometry<3> const& geometry, ForwardOperands<Scalar> const& operands,
                          Segments const& segments, int64_t number) {
    int64_t const row_number = number / segments.per_row;
    auto const row = operands.row(geometry, row_number);
    auto const segment = static_cast<int>(number - row_number * segments.per_row);
    first_column = segment * segments.length;
    auto const rest = static_cast<int>(geometry.length) - first_column;
    logits.begin = row.logits_begin + first_column;
    weights.begin = row.weights_begin + first_column;
    logits.entries = weights.entries = rest < segments.length ? rest : segments.length;
  }
};

}  // namespace detail

// Returns the largest key of a segment, or the greatest key of all if an entry is NaN.
template <class Scalar>
__device__ inline candidate_key_t<Scalar> largest_key(widened_t<Scalar> maximum) {
  return maximum == maximum ? selection_key(narrow<Scalar>(maximum)) : kGreatest<key_t<Scalar>>;
}

// Lists the first candidates of a segment, for k <= 32. `array` is for those of the warp.
template <class Mapping, class Scalar>
__device__ inline void list_first(HeldRow<Scalar> const& logits,
                                  typename Mapping::Fixed const& fixed, int k,
                                  CandidateArray<Scalar>& array, int64_t number,
                                  SegmentLists<candidate_key_t<Scalar>> const& lists) {
  int const lane = static_cast<int>(threadIdx.x) % kWarpThreads;
  auto const lane_maximum = logits.lane_maximum();
  widened_t<Scalar> maximum = NAN;
  Candidate<Scalar> own;
  if (find_maximum(lane_maximum, maximum)) {
    Mapping const mapping(maximum, fixed);
    auto const bound = bound_by_kth<Scalar>(mapping, lane_maximum, k);
    WarpCandidates<Scalar> list(array, k, selection_key(narrow<Scalar>(bound)));
    logits.list_into(list, lane_maximum, bound);
    own = list.keep_first();
  } else if (lane == 0) {
    own.key = largest_key<Scalar>(maximum);
  }
  if (lane < lists.capacity) {
    int64_t const place = number * lists.capacity + lane;
    lists.keys[place] = own.key;
    lists.columns[place] = own.column;
  }
  __syncwarp();
}

// Lists the candidates of a segment for larger k, in no order, if all of them have room.
template <class Mapping, class Scalar>
__device__ inline void list_all(HeldRow<Scalar> const& logits, typename Mapping::Fixed const& fixed,
                                int64_t k, CandidateArray<Scalar>& array, int64_t number,
                                SegmentLists<candidate_key_t<Scalar>> const& lists) {
  using Key = candidate_key_t<Scalar>;
  int const lane = static_cast<int>(threadIdx.x) % kWarpThreads;
  auto const lane_maximum = logits.lane_maximum();
  widened_t<Scalar> maximum = NAN;
  bool const has_finite_maximum = find_maximum(lane_maximum, maximum);
  SegmentHeader<Key> header = {largest_key<Scalar>(maximum), kLeast<Key>, 0};
  if (has_finite_maximum) {
    Mapping const mapping(maximum, fixed);
    auto const bound = bound_by_threshold(mapping, lane_maximum);
    header.bound = selection_key(narrow<Scalar>(bound));
    WarpCandidates<Scalar> list(array, k, header.bound);
    bool const has_all = logits.list_into(list, lane_maximum, bound);
    header.count = has_all ? list.count() : SegmentHeader<Key>::kTooMany;
    __syncwarp();
    for (int place = lane; place < header.count; place += kWarpThreads) {
      lists.keys[number * lists.capacity + place] = array.keys[place];
      lists.columns[number * lists.capacity + place] = array.columns[place];
    }
  }
  if (lane == 0) lists.headers[number] = header;
  __syncwarp();
}

// A block is a warp. HasSmallK says that k <= 32.
template <template <class> class MappingOf, class Scalar, bool HasSmallK>
__global__ void __launch_bounds__(kWarpThreads, kMostBlocksOfMultiprocessor)
    segments_kernel(__grid_constant__ RowGeometry<3> const geometry,
                    ForwardOperands<Scalar> operands, Segments segments, HeldStages<Scalar> stages,
                    SegmentLists<candidate_key_t<Scalar>> lists, unsigned* arrivals, int teams,
                    typename MappingOf<widened_t<Scalar>>::Fixed fixed) {
  using Mapping = MappingOf<widened_t<Scalar>>;
  ZETA_SHARED_ARRAY(CandidateArray<Scalar>, array, 1);
  int64_t const count = geometry.rows * segments.per_row;
  // The second kernel needs these counters to be 0.
  for (int team = static_cast<int>(threadIdx.x); blockIdx.x == 0 && team < teams;
       team += kWarpThreads) {
    arrivals[team] = 0;
  }
  WarpPipe pipe(stages.count, stages.chunks);
  pipe.for_each(
      count,
      [&](int64_t number, int stage) {
        if (number + gridDim.x >= count) let_second_kernel_start();  // at this block's last load
        detail::SegmentOfRow<Scalar> const segment(geometry, operands, segments, number);
        load_cover(pipe, stage, segment.logits, stages.end);
      },
      [&](int64_t number, int stage) {
        detail::SegmentOfRow<Scalar> const segment(geometry, operands, segments, number);
        HeldRow<Scalar> const logits(pipe.stage(stage), segment.logits.shift(),
                                     segment.logits.entries, segment.first_column);
        logits.mask_others();
        if constexpr (HasSmallK) {
          list_first<Mapping>(logits, fixed, static_cast<int>(operands.k), array[0], number, lists);
        } else {
          list_all<Mapping>(logits, fixed, operands.k, array[0], number, lists);
        }
        logits.fill(narrow<Scalar>(0), segment.weights.shift());
        store_rows(pipe, stage, segment.weights);
      });
}

}  // namespace zeta::rowwise::cuda
