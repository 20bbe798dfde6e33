#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <type_traits>

#include "rowwise/cuda/forward/blocks.cuh"
#include "rowwise/cuda/forward/columns.cuh"
#include "rowwise/cuda/forward/few.cuh"
#include "rowwise/cuda/forward/held.cuh"
#include "rowwise/cuda/forward/lanes.cuh"
#include "rowwise/cuda/forward/passes.cuh"
#include "rowwise/cuda/forward/plan.h"
#include "rowwise/cuda/forward/split.cuh"
#include "rowwise/cuda/forward/split_workspace.h"
#include "rowwise/cuda/launch_kernel.cuh"
#include "rowwise/cuda/tuning.h"

// From a plan to a launch.
namespace zeta::rowwise::cuda {

namespace detail {

// A kernel of warps with stages of their own.
template <class... Parameters, class... Arguments>
cudaError_t launch_pipes(void (*kernel)(Parameters...), Plan const& plan, int warps,
                         int stage_bytes, cudaStream_t stream, Arguments const&... arguments) {
  int const shared_bytes = kBarrierBytes + warps * plan.stages_per_warp * stage_bytes;
  constexpr int kWithoutAsking = 48 << 10;
  if (shared_bytes > kWithoutAsking) {
    auto const error =
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes);
    if (error != cudaSuccess) return error;
  }
  return launch_with(shared_bytes, kernel, static_cast<unsigned>(plan.blocks), warps * kWarpThreads,
                     stream, arguments...);
}

inline StagedRows staged_rows(RowGeometry<3> const& geometry, int element_bytes, Plan const& plan) {
  int64_t const bytes = geometry.length * element_bytes;
  return {.rows = geometry.rows,
          .length = static_cast<int>(geometry.length),
          .chunks_per_row = static_cast<int>((bytes - 1) / kChunkBytes + 1),
          .rows_per_stage = plan.rows_per_warp,
          .lanes_per_row = plan.lanes_per_row,
          .stages = plan.stages_per_warp,
          .is_loose = plan.is_loose};
}

template <class Scalar>
StagedSupport staged_support(RowGeometry<3> const& geometry,
                             ForwardOperands<Scalar> const& operands) {
  int64_t const stride = geometry.batch_dimensions == 0 ? 0 : geometry.batch_strides[0][2];
  return {operands.support, stride, static_cast<int>(std::min(operands.k, geometry.length))};
}

template <template <class> class MappingOf, class Scalar, class Fixed>
cudaError_t launch_few(RowGeometry<3> const& geometry, ForwardOperands<Scalar> const& operands,
                       Plan const& plan, Fixed const& fixed, cudaStream_t stream) {
  StagedSupport const support = staged_support(geometry, operands);
  auto const launch = [&]<int Chunks, int K>() {
    return launch_pipes(few_kernel<MappingOf, Scalar, Chunks, K>, plan, kWarpsPerBlock, kStageBytes,
                        stream, staged_rows(geometry, sizeof(Scalar), plan), operands.weights,
                        operands.logits, support, support.capacity, fixed);
  };
  auto const with_chunks = [&]<int K>() {
    constexpr bool kMayBeOneChunk = kChunkBytes / sizeof(Scalar) >= K;
    if constexpr (kMayBeOneChunk) {
      if (plan.pieces_per_lane == 1) return launch.template operator()<1, K>();
    }
    if (plan.pieces_per_lane == 2) return launch.template operator()<2, K>();
    if (plan.pieces_per_lane == 4) return launch.template operator()<4, K>();
    return launch.template operator()<kChunksPerLane, K>();
  };
  static_assert(std::size(kFewSizes) == 3);
  if (plan.list_size == kFewSizes[0]) return with_chunks.template operator()<kFewSizes[0]>();
  if (plan.list_size == kFewSizes[1]) return with_chunks.template operator()<kFewSizes[1]>();
  return with_chunks.template operator()<kFewSizes[2]>();
}

template <template <class> class MappingOf, class Scalar, class Fixed>
cudaError_t launch_held(RowGeometry<3> const& geometry, ForwardOperands<Scalar> const& operands,
                        Plan const& plan, Fixed const& fixed, cudaStream_t stream) {
  StagedSupport const support = staged_support(geometry, operands);
  StagedRows const rows = {.rows = geometry.rows,
                           .length = static_cast<int>(geometry.length),
                           .chunks_per_row = plan.chunks_per_stage,
                           .rows_per_stage = 1,
                           .lanes_per_row = kWarpThreads,
                           .stages = plan.stages_per_warp,
                           .is_loose = plan.is_loose};
  return launch_pipes(held_kernel<MappingOf, Scalar>, plan, 1, plan.chunks_per_stage * kChunkBytes,
                      stream, rows, operands.weights, operands.logits, support, support.capacity,
                      fixed);
}

template <template <class> class MappingOf, class Scalar, class Fixed>
cudaError_t launch_lanes(RowGeometry<3> const& geometry, ForwardOperands<Scalar> const& operands,
                         Plan const& plan, Fixed const& fixed, cudaStream_t stream) {
  dim3 const grid = blocks_for(geometry.rows, int64_t{plan.rows_per_warp} * kWarpsPerBlock);
  WarpShape const shape = {plan.lanes_per_row, plan.rows_per_warp};
  auto const with_pieces = [&]<int Pieces>(std::integral_constant<int, Pieces>) {
    return launch(forward_lanes_kernel<MappingOf, Scalar, Pieces>, grid, block_of_warps(), stream,
                  geometry, operands, shape, fixed);
  };
  constexpr int kMost = most_pieces_per_lane(sizeof(Scalar));
  static_assert(kMost == 8 || kMost == 16);
  if (plan.pieces_per_lane == 1) return with_pieces(std::integral_constant<int, 1>());
  if (plan.pieces_per_lane == 2) return with_pieces(std::integral_constant<int, 2>());
  if (plan.pieces_per_lane == 4) return with_pieces(std::integral_constant<int, 4>());
  if (plan.pieces_per_lane == 8) return with_pieces(std::integral_constant<int, 8>());
  return with_pieces(std::integral_constant<int, kMost>());
}

template <template <class> class MappingOf, class Scalar, class Fixed>
cudaError_t launch_blocks(RowGeometry<3> const& geometry, ForwardOperands<Scalar> const& operands,
                          Plan const& plan, Fixed const& fixed, cudaStream_t stream) {
  auto* const kernel = forward_block_kernel<MappingOf, Scalar>;
  if (plan.buffer_bytes > 0) {
    auto const error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                            plan.buffer_bytes);
    if (error != cudaSuccess) return error;
  }
  return launch_with(plan.buffer_bytes, kernel, blocks_for(geometry.rows, 1), kThreadsPerBlock,
                     stream, geometry, operands, plan.buffer_bytes > 0, fixed);
}

}  // namespace detail

// Bytes of device memory that a launch by this plan is to be given.
template <class Scalar>
int64_t workspace_bytes(RowGeometry<3> const& geometry, Plan const& plan) {
  if (plan.regime != Regime::kSplit) return 0;
  return split_workspace_bytes<Scalar>(geometry.rows, plan.parts_per_row);
}

template <template <class> class MappingOf, class Scalar>
cudaError_t launch_forward(RowGeometry<3> const& geometry, ForwardOperands<Scalar> const& operands,
                           Plan const& plan, void* workspace, cudaStream_t stream) {
  typename MappingOf<widened_t<Scalar>>::Fixed const fixed(geometry.full_length);
  switch (plan.regime) {
    case Regime::kFew:
      if constexpr (std::is_same_v<Scalar, double>)
        return cudaErrorInvalidValue;
      else
        return detail::launch_few<MappingOf>(geometry, operands, plan, fixed, stream);
    case Regime::kHeld:
      if constexpr (std::is_same_v<Scalar, double>)
        return cudaErrorInvalidValue;
      else
        return detail::launch_held<MappingOf>(geometry, operands, plan, fixed, stream);
    case Regime::kLanes:
      return detail::launch_lanes<MappingOf>(geometry, operands, plan, fixed, stream);
    case Regime::kBlock:
      return detail::launch_blocks<MappingOf>(geometry, operands, plan, fixed, stream);
    case Regime::kSplit: {
      auto const error = cudaMemsetAsync(workspace, 0, split_headers_bytes(geometry.rows), stream);
      if (error != cudaSuccess) return error;
      return detail::launch(forward_split_kernel<MappingOf, Scalar>,
                            detail::grid_of_parts(geometry.rows, plan.parts_per_row),
                            kThreadsPerBlock, stream, geometry, operands, workspace, fixed);
    }
    case Regime::kColumns:
      return detail::launch(forward_columns_kernel<MappingOf, Scalar>,
                            detail::blocks_for(geometry.rows, kColumnRows),
                            detail::block_of_columns(), stream, geometry, operands, fixed);
    default:
      return detail::launch(forward_passes_kernel<MappingOf, Scalar>,
                            detail::blocks_for(geometry.rows, 1), kThreadsPerBlock, stream,
                            geometry, operands, fixed);
  }
}

}  // namespace zeta::rowwise::cuda
