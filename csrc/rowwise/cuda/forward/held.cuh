#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>

#include "mappings/root_search.h"
#include "rowwise/cuda/forward/candidates.cuh"
#include "rowwise/cuda/forward/first_weights.cuh"
#include "rowwise/cuda/forward/held_row.cuh"
#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/passes/operands.cuh"
#include "rowwise/cuda/passes/support.cuh"
#include "rowwise/cuda/shared_memory.cuh"
#include "rowwise/cuda/stages/loose_copies.cuh"
#include "rowwise/cuda/stages/loose_rows.cuh"
#include "rowwise/cuda/stages/warp_pipe.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/row_geometry.h"

// A warp holds a whole row in a stage. The lanes' maxima give a lower bound of the support, so only
// lanes whose maximum reaches it have entries of the support. Their chunks are looked at again,
// which leaves a short list. An entry costs one maximum and its share of one store; the rest of the
// work does not grow with the row.
namespace zeta::rowwise::cuda {

// A row in a stage, where its weights replace it. These lie behind `shift` other entries.
template <class Scalar>
struct HeldWeights {
  HeldRow<Scalar> const& logits;
  Scalar* begin;
  int shift;
  SupportRow const& support;

  __device__ void fill(double value) const { logits.fill(narrow<Scalar>(value), shift); }
  __device__ ContiguousRow<Scalar> row() const { return {begin, logits.length()}; }
};

// Weighs a row for k <= 32, with a candidate in each lane.
template <class Mapping, class Scalar>
__device__ inline void weigh_first(HeldWeights<Scalar> const& weights, Mapping const& mapping,
                                   widened_t<Scalar> lane_maximum, int k,
                                   CandidateArray<Scalar>& array) {
  auto const bound = bound_by_kth<Scalar>(mapping, lane_maximum, k);
  WarpCandidates<Scalar> list(array, k, selection_key(narrow<Scalar>(bound)));
  weights.logits.list_into(list, lane_maximum, bound);
  auto const candidate = list.keep_first();
  Scalar const weight = weight_of(candidate, mapping);
  weights.fill(0);
  bool const is_in = widen(weight) != 0;
  if (is_in) weights.begin[candidate.column] = weight;
  write_support(weights.support, true, is_in, candidate.column);
}

// Weighs a row for larger k, for mappings by sums. Returns false, and changes nothing, if the
// candidates have no room.
template <class Mapping, class Scalar>
__device__ inline bool weigh_listed(HeldWeights<Scalar> const& weights, Mapping const& mapping,
                                    widened_t<Scalar> lane_maximum, int64_t k,
                                    CandidateArray<Scalar>& array) {
  Lanes const warp(kWarpThreads);
  auto const bound = bound_by_threshold(mapping, lane_maximum);
  WarpCandidates<Scalar> list(array, k, selection_key(narrow<Scalar>(bound)));
  if (!weights.logits.list_into(list, lane_maximum, bound)) return false;
  __syncwarp();
  int const length = weights.logits.length();
  auto const largest = narrow<Scalar>(mapping.maximum());
  auto const weigh = find_weights(warp, mapping, list, largest, k, length);
  weights.fill(0);
  list.for_each(warp,
                [&](int column, Scalar entry) { weights.begin[column] = weigh(column, entry); });
  if (weights.support.is_wanted()) {
    weights.support.list_nonzero(warp, weights.row(), length, true);
  }
  return true;
}

// Weighs a row of many candidates by passes over the stage, and writes the weights to global
// memory.
template <class Mapping, class Scalar>
__device__ inline void weigh_crowded(HeldRow<Scalar> const& logits, Mapping const& mapping,
                                     ContiguousRow<Scalar> const& weights,
                                     SupportRow const& support, int64_t k) {
  Lanes const warp(kWarpThreads);
  auto const largest = narrow<Scalar>(mapping.maximum());
  auto const row = logits.row();
  auto const weigh = find_weights<true>(warp, mapping, row, largest, k, row.length);
  row.map(warp, weights, weigh);
  if (support.is_wanted()) support.list_nonzero(warp, weights, row.length, true);
}

// Weighs a row in a stage and begins to store the weights, which are 0 if no entry takes part.
template <bool HasSmallK, class Mapping, class Scalar>
__device__ inline void weigh_held(WarpPipe& pipe, int stage, HeldRow<Scalar> const& logits,
                                  bool any_takes_part, ForwardRow<Scalar> const& row, int64_t k,
                                  typename Mapping::Fixed const& fixed,
                                  CandidateArray<Scalar>& array) {
  LooseRows<Scalar> const to = {row.weights_begin, logits.length()};
  HeldWeights<Scalar> const weights = {
      logits, reinterpret_cast<Scalar*>(pipe.stage(stage)) + to.shift(), to.shift(), row.support};
  auto const lane_maximum = logits.lane_maximum();
  widened_t<Scalar> maximum = NAN;
  if (!find_maximum(lane_maximum, maximum)) {
    weights.fill(any_takes_part ? NAN : 0);
    if (row.support.is_wanted()) row.support.close(Lanes(kWarpThreads), 0, !any_takes_part);
    store_rows(pipe, stage, to);
    return;
  }
  Mapping const mapping(maximum, fixed);
  if constexpr (HasSmallK) {
    weigh_first(weights, mapping, lane_maximum, static_cast<int>(k), array);
  } else {
    bool is_listed = false;
    if constexpr (!mappings::kHasSearch<Mapping>) {
      is_listed = weigh_listed(weights, mapping, lane_maximum, k, array);
    }
    if (!is_listed) {
      weigh_crowded(logits, mapping, row.weights(), row.support, k);
      pipe.store(stage, 0, nullptr, 0);
      return;
    }
  }
  __syncwarp();
  store_rows(pipe, stage, to);
}

// The stages of each warp, through which the rows of a tensor, or parts of them, pass.
template <class Scalar>
struct HeldStages {
  int count;
  int chunks;         // of each stage
  Scalar const* end;  // of the tensor
};

// A block is a warp. HasSmallK says that k <= 32.
template <template <class> class MappingOf, class Scalar, bool HasSmallK>
__global__ void __launch_bounds__(kWarpThreads, kMostBlocksOfMultiprocessor)
    held_kernel(__grid_constant__ RowGeometry<3> const geometry, ForwardOperands<Scalar> operands,
                HeldStages<Scalar> stages, typename MappingOf<widened_t<Scalar>>::Fixed fixed) {
  using Mapping = MappingOf<widened_t<Scalar>>;
  ZETA_SHARED_ARRAY(CandidateArray<Scalar>, array, 1);
  auto const length = static_cast<int>(geometry.length);
  WarpPipe pipe(stages.count, stages.chunks);
  pipe.for_each(
      geometry.rows,
      [&](int64_t number, int stage) {
        LooseRows<Scalar const> const from = {operands.row(geometry, number).logits_begin, length};
        load_cover(pipe, stage, from, stages.end);
      },
      [&](int64_t number, int stage) {
        auto const row = operands.row(geometry, number);
        HeldRow<Scalar> const logits(
            pipe.stage(stage), LooseRows<Scalar const>{row.logits_begin, length}.shift(), length);
        logits.mask_others();
        weigh_held<HasSmallK, Mapping>(pipe, stage, logits, /*any_takes_part=*/true, row,
                                       operands.k, fixed, array[0]);
      });
}

}  // namespace zeta::rowwise::cuda
