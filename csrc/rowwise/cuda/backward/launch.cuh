#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

#include "mappings/weighted_mean.h"
#include "rowwise/cuda/backward/from_support.cuh"
#include "rowwise/cuda/backward/from_weights.cuh"
#include "rowwise/cuda/backward/groups_of_rows.cuh"
#include "rowwise/cuda/backward/listed.cuh"
#include "rowwise/cuda/backward/operands.cuh"
#include "rowwise/cuda/backward/passes.cuh"
#include "rowwise/cuda/backward/plan.h"
#include "rowwise/cuda/by_sums.h"
#include "rowwise/cuda/launch_kernel.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/row_geometry.h"

// Launches the kernels of a backward's plan.
namespace zeta::rowwise::cuda {

namespace detail {

inline constexpr int kThreadsOfWarps = kWarpsPerBlock * kWarpThreads;

// Whether each row of the support, count included, is one chunk that begins at a multiple of 16
// bytes.
inline bool is_one_chunk(RowGeometry<3> const& geometry, int32_t const* support, int capacity) {
  constexpr int kEntries = kChunkBytes / static_cast<int>(sizeof(int32_t));
  bool is_aligned = reinterpret_cast<uintptr_t>(support) % kChunkBytes == 0;
  for (int dimension = 0; dimension < geometry.batch_dimensions; ++dimension) {
    is_aligned = is_aligned && geometry.batch_strides[dimension][2] % kEntries == 0;
  }
  return is_aligned && capacity == kColumnsOfChunk;
}

template <template <class> class MappingOf, class Scalar, class Integers>
cudaError_t launch_stages(RowGeometry<3> const& geometry, SupportOperands<Scalar> const& operands,
                          int64_t capacity, BackwardPlan const& plan, Integers const& integers,
                          cudaStream_t stream) {
  SupportTurns const turns = {
      .count = quotient_above(geometry.rows, plan.rows_per_turn) * plan.turns_per_row,
      .capacity = static_cast<int>(std::min(capacity, geometry.length)),
      .grads_stride = static_cast<int>(geometry.stride[1]),
      .lanes_per_row = plan.lanes_per_row,
      .rows_per_turn = plan.rows_per_turn,
      .columns_per_turn = plan.columns_per_turn,
      .turns_per_row = plan.turns_per_row};
  auto const launch_way = [&]<class Way>(Way) {
    return launch(support_backward_kernel<MappingOf, Scalar, Way>,
                  static_cast<unsigned>(plan.blocks), kThreadsOfWarps, stream, geometry, turns,
                  operands, integers);
  };
  if (turns.capacity > kWarpThreads * kPlacesPerLane) return launch_way(OverZerosWide());
  if (is_one_chunk(geometry, operands.source, turns.capacity)) {
    return plan.is_staged ? launch_way(AmongZerosOfChunks()) : launch_way(OverZerosOfChunks());
  }
  return plan.is_staged ? launch_way(AmongZeros()) : launch_way(OverZeros());
}

template <template <class> class MappingOf, class Scalar, class Integers>
cudaError_t launch_lanes(RowGeometry<3> const& geometry, WeightsOperands<Scalar> const& operands,
                         BackwardPlan const& plan, Integers const& integers, cudaStream_t stream) {
  auto const launch_with_chunks = [&]<int Chunks>() {
    return launch(weights_backward_kernel<MappingOf, Scalar, Chunks>,
                  static_cast<unsigned>(plan.blocks), kThreadsOfWarps, stream, geometry,
                  plan.lanes_per_row, plan.is_chunked, operands, integers);
  };
  if (plan.chunks_per_lane == 1) return launch_with_chunks.template operator()<1>();
  return launch_with_chunks.template operator()<most_held_chunks(sizeof(Scalar))>();
}

template <template <class> class MappingOf, class Scalar, class Slope, class Integers>
cudaError_t launch_listed(RowGeometry<3> const& geometry, WeightsOperands<Scalar> const& operands,
                          BackwardPlan const& plan, Slope const& slope, Integers const& integers,
                          cudaStream_t stream) {
  auto const blocks = static_cast<unsigned>(plan.blocks);
  return plan.is_block_per_row
             ? launch(listed_backward_kernel<MappingOf, Scalar, WholeBlock>, blocks,
                      kThreadsPerBlock, stream, geometry, operands, slope, integers)
             : launch(listed_backward_kernel<MappingOf, Scalar, WarpOfBlock>, blocks,
                      kThreadsOfWarps, stream, geometry, operands, slope, integers);
}

// Calls function.operator()<Rows>(block), where Rows assigns rows to groups of threads for passes.
template <class Function>
cudaError_t with_rows(BackwardPlan const& plan, Function const& function) {
  if (plan.regime == BackwardRegime::kColumns) {
    return function.template operator()<RowsOfColumns>(block_of_columns());
  }
  return function.template operator()<RowsOfBlocks>(kThreadsPerBlock);
}

}  // namespace detail

template <template <class> class MappingOf, class Scalar>
cudaError_t launch_backward(double alpha, RowGeometry<3> const& geometry, Scalar* grad_logits,
                            Scalar const* grad_weights, Scalar const* weights,
                            BackwardPlan const& plan, cudaStream_t stream) {
  using Mapping = MappingOf<widened_t<Scalar>>;
  typename Mapping::Slope const slope(alpha);
  typename mappings::WeightedMean<widened_t<Scalar>>::Integers const integers(geometry.full_length);
  WeightsOperands<Scalar> const operands = {grad_logits, grad_weights, weights};
  if constexpr (kIsBySums<Mapping>) {
    if (plan.regime == BackwardRegime::kLanes) {
      return detail::launch_lanes<MappingOf>(geometry, operands, plan, integers, stream);
    }
    if (plan.regime == BackwardRegime::kListed) {
      return detail::launch_listed<MappingOf>(geometry, operands, plan, slope, integers, stream);
    }
  }
  return detail::with_rows(plan, [&]<class Rows>(dim3 block) {
    return detail::launch(weights_backward_passes_kernel<MappingOf, Scalar, Rows>,
                          static_cast<unsigned>(plan.blocks), block, stream, geometry, operands,
                          slope, integers);
  });
}

template <template <class> class MappingOf, class Scalar>
cudaError_t launch_support_backward(RowGeometry<3> const& geometry, Scalar* grad_logits,
                                    Scalar const* grad_weights, int32_t const* support,
                                    int64_t capacity, BackwardPlan const& plan,
                                    cudaStream_t stream) {
  // A slope that varies on the support depends on weights, which the support does not tell.
  if constexpr (!MappingOf<widened_t<Scalar>>::Slope::kIsConstant) {
    return cudaErrorInvalidValue;
  } else {
    typename mappings::WeightedMean<widened_t<Scalar>>::Integers const integers(
        geometry.full_length);
    SupportOperands<Scalar> const operands = {grad_logits, grad_weights, support};
    if (plan.regime == BackwardRegime::kStages) {
      return detail::launch_stages<MappingOf>(geometry, operands, capacity, plan, integers, stream);
    }
    return detail::with_rows(plan, [&]<class Rows>(dim3 block) {
      return detail::launch(support_backward_passes_kernel<MappingOf, Scalar, Rows>,
                            static_cast<unsigned>(plan.blocks), block, stream, geometry, operands,
                            capacity, integers);
    });
  }
}

}  // namespace zeta::rowwise::cuda
