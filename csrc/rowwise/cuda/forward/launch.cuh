#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <type_traits>

#include "mappings/root_search.h"
#include "mappings/searched_member.h"
#include "rowwise/cuda/forward/columns.cuh"
#include "rowwise/cuda/forward/few.cuh"
#include "rowwise/cuda/forward/held.cuh"
#include "rowwise/cuda/forward/many.cuh"
#include "rowwise/cuda/forward/merge_all.cuh"
#include "rowwise/cuda/forward/merge_few.cuh"
#include "rowwise/cuda/forward/merge_first.cuh"
#include "rowwise/cuda/forward/passes.cuh"
#include "rowwise/cuda/forward/plan.h"
#include "rowwise/cuda/forward/plan_stages.h"
#include "rowwise/cuda/forward/segment_lists.h"
#include "rowwise/cuda/forward/segments.cuh"
#include "rowwise/cuda/forward/segments_of_blocks.cuh"
#include "rowwise/cuda/forward/segments_workspace.cuh"
#include "rowwise/cuda/launch_kernel.cuh"
#include "rowwise/cuda/tuning.h"

// Launches the kernels of a plan.
namespace zeta::rowwise::cuda {

namespace detail {

// Launches a kernel that may use more dynamic shared memory than the default limit.
template <class... Parameters, class... Arguments>
cudaError_t launch_with_limit(Plan const& plan, int shared_bytes, void (*kernel)(Parameters...),
                              int threads, cudaStream_t stream, Arguments const&... arguments) {
  auto const error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                          plan.most_shared_bytes);
  if (error != cudaSuccess) return error;
  return launch_with({.shared_bytes = shared_bytes}, kernel, static_cast<unsigned>(plan.blocks),
                     threads, stream, arguments...);
}

// Launches a kernel whose warps have stages of their own.
template <class... Parameters, class... Arguments>
cudaError_t launch_pipes(void (*kernel)(Parameters...), Plan const& plan, int warps,
                         int stage_bytes, cudaStream_t stream, Arguments const&... arguments) {
  return launch_with_limit(plan, barrier_bytes(warps) + warps * plan.stages_per_warp * stage_bytes,
                           kernel, warps * kWarpThreads, stream, arguments...);
}

inline StagedRows staged_rows(RowGeometry<3> const& geometry, int element_bytes, Plan const& plan) {
  int64_t const bytes = geometry.length * element_bytes;
  return {.rows = geometry.rows,
          .length = static_cast<int>(geometry.length),
          .chunks_per_row = static_cast<int>((bytes - 1) / kChunkBytes + 1),
          .rows_per_stage = plan.rows_per_stage,
          .lanes_per_row = plan.lanes_per_row,
          .stages = plan.stages_per_warp,
          .is_loose = plan.is_loose};
}

inline RowsOfParts rows_of_parts(RowGeometry<3> const& geometry, int element_bytes,
                                 Plan const& plan) {
  return {.rows = geometry.rows,
          .chunks_per_row = static_cast<int>(geometry.length * element_bytes / kChunkBytes),
          .chunks_per_part = plan.chunks_per_part,
          .stages = plan.stages_per_warp};
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
  auto const launch_of_blocks = [&]<int K>() {
    return launch_pipes(few_of_block_kernel<MappingOf, Scalar, K>, plan, plan.warps_per_row,
                        kStageBytes, stream, rows_of_parts(geometry, sizeof(Scalar), plan),
                        operands.weights, operands.logits, support, support.capacity, fixed);
  };
  auto const with_chunks = [&]<int K>() {
    // Blocks are for mappings by sums: each thread would search.
    if constexpr (!mappings::kHasSearch<MappingOf<float>>) {
      if (plan.warps_per_row > 1) return launch_of_blocks.template operator()<K>();
    }
    constexpr bool kMayBeOneChunk = kChunkBytes / sizeof(Scalar) >= K;
    if constexpr (kMayBeOneChunk) {
      if (plan.chunks_per_lane == 1) return launch.template operator()<1, K>();
    }
    if (plan.chunks_per_lane == 2) return launch.template operator()<2, K>();
    if (plan.chunks_per_lane == 4) return launch.template operator()<4, K>();
    return launch.template operator()<kChunksPerLane, K>();
  };
  static_assert(std::size(kFewSizes) == 3);
  if constexpr (!mappings::kHasSearch<MappingOf<float>>) {
    if (plan.list_size == kFewSizes[0]) return with_chunks.template operator()<kFewSizes[0]>();
    if (plan.list_size == kFewSizes[1]) return with_chunks.template operator()<kFewSizes[1]>();
  }
  return with_chunks.template operator()<kFewSizes[2]>();
}

// Returns where an operand ends that begins at `begin` and has contiguous rows.
template <int Operands, class Entry>
Entry* end_of(RowGeometry<Operands> const& geometry, int operand, Entry* begin) {
  int64_t last_row[Operands];
  geometry.offsets(geometry.rows - 1, last_row);
  return begin + last_row[operand] + geometry.length;
}

template <int Operands, class Scalar>
HeldStages<Scalar> held_stages(RowGeometry<Operands> const& geometry,
                               ForwardOperands<Scalar> const& operands, Plan const& plan) {
  return {plan.stages_per_warp, plan.chunks_per_stage, end_of(geometry, 1, operands.logits)};
}

template <template <class> class MappingOf, class Scalar, class Fixed>
cudaError_t launch_many(RowGeometry<3> const& geometry, ForwardOperands<Scalar> const& operands,
                        Plan const& plan, Fixed const& fixed, cudaStream_t stream) {
  StagedSupport const support = staged_support(geometry, operands);
  auto const launch = [&]<int Chunks>() {
    return launch_pipes(many_kernel<MappingOf, Scalar, Chunks>, plan, kWarpsPerBlock, kStageBytes,
                        stream, staged_rows(geometry, sizeof(Scalar), plan), operands.weights,
                        operands.logits, support, support.capacity, fixed);
  };
  if (plan.warps_per_row > 1) {
    return launch_pipes(many_of_block_kernel<MappingOf, Scalar>, plan, plan.warps_per_row,
                        kStageBytes, stream, rows_of_parts(geometry, sizeof(Scalar), plan),
                        operands.weights, operands.logits, support, support.capacity, fixed);
  }
  constexpr int kFewest = fewest_chunks_of_many(sizeof(Scalar));
  static_assert(kFewest == 2 || kFewest == 4);
  if (plan.chunks_per_lane == kFewest) return launch.template operator()<kFewest>();
  if (plan.chunks_per_lane == 4) return launch.template operator()<4>();
  return launch.template operator()<kChunksPerLane>();
}

template <template <class> class MappingOf, class Scalar, class Fixed>
cudaError_t launch_held(RowGeometry<3> const& geometry, ForwardOperands<Scalar> const& operands,
                        Plan const& plan, Fixed const& fixed, cudaStream_t stream) {
  auto const stages = held_stages(geometry, operands, plan);
  auto const launch = [&]<bool HasSmallK>(std::bool_constant<HasSmallK>, auto const& limited) {
    return launch_pipes(held_kernel<MappingOf, Scalar, HasSmallK>, plan, 1,
                        plan.chunks_per_stage * kChunkBytes, stream, geometry, limited, stages,
                        fixed);
  };
  auto limited = operands;
  if constexpr (mappings::kHasSearch<MappingOf<float>>) {
    limited.k = std::min(operands.k, geometry.length);
  }
  return limited.k <= kWarpThreads ? launch(std::true_type(), limited)
                                   : launch(std::false_type(), limited);
}

template <template <class> class MappingOf, class Scalar, class Fixed>
cudaError_t launch_merge_first(RowGeometry<3> const& geometry,
                               ForwardOperands<Scalar> const& operands, Plan const& plan,
                               SegmentLists<candidate_key_t<Scalar>> const& lists,
                               Fixed const& fixed, cudaStream_t stream) {
  auto const launch = [&](auto* kernel, int warps, int parts) {
    return launch_with({.is_second = true}, kernel, static_cast<unsigned>(plan.merging_blocks),
                       warps * kWarpThreads, stream, geometry, operands, parts, lists, fixed);
  };
  if (plan.merging_warps > 0) {
    return launch(merge_few_kernel<MappingOf, Scalar>, plan.merging_warps,
                  plan.parts_per_row * lists.capacity);
  }
  return launch(merge_first_kernel<MappingOf, Scalar>, kThreadsPerBlock / kWarpThreads,
                plan.parts_per_row);
}

template <template <class> class MappingOf, class Scalar, class Fixed>
cudaError_t launch_merge_all(RowGeometry<3> const& geometry,
                             ForwardOperands<Scalar> const& operands, Plan const& plan,
                             SegmentLists<candidate_key_t<Scalar>> const& lists,
                             TeamMemory const& teams, bool has_teams, Fixed const& fixed,
                             cudaStream_t stream) {
  auto* const kernel = merge_all_kernel<MappingOf, Scalar>;
  if (plan.buffer_bytes > 0) {
    auto const error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                            plan.buffer_bytes);
    if (error != cudaSuccess) return error;
  }
  return launch_with(
      {.shared_bytes = plan.buffer_bytes, .is_cooperative = has_teams, .is_second = !has_teams},
      kernel, static_cast<unsigned>(plan.merging_blocks), kThreadsPerBlock, stream, geometry,
      operands, plan.parts_per_row, lists, teams, plan.blocks_of_team, plan.buffer_bytes > 0,
      fixed);
}

// Launches the first kernel of long rows by list(kernel, warps of a block, bytes of a stage,
// further arguments...).
template <template <class> class MappingOf, class Scalar, class List>
cudaError_t launch_listing(int64_t k, Plan const& plan, unsigned* arrivals, int teams,
                           List const& list) {
  if constexpr (std::is_same_v<Scalar, double>) {
    auto const launch = [&](auto* kernel) {
      return list(kernel, 1, plan.chunks_per_stage * kChunkBytes, arrivals, teams);
    };
    if constexpr (!mappings::kHasSearch<MappingOf<Scalar>>) {
      if (k > kWarpThreads) return launch(segments_kernel<MappingOf, Scalar, false>);
    }
    return launch(segments_kernel<MappingOf, Scalar, true>);
  } else {
    auto const list_few = [&]<int K>() {
      return list(segments_few_kernel<MappingOf, Scalar, K>, plan.warps_per_row, kStageBytes);
    };
    static_assert(std::size(kFewSizes) == 3);
    if (plan.list_size == kFewSizes[0]) return list_few.template operator()<kFewSizes[0]>();
    if (plan.list_size == kFewSizes[1]) return list_few.template operator()<kFewSizes[1]>();
    if (plan.list_size == kFewSizes[2]) return list_few.template operator()<kFewSizes[2]>();
    return list(segments_many_kernel<MappingOf, Scalar>, plan.warps_per_row, kStageBytes, arrivals,
                teams);
  }
}

template <template <class> class MappingOf, class Scalar, class Fixed>
cudaError_t launch_segments(RowGeometry<3> const& geometry, ForwardOperands<Scalar> const& operands,
                            Plan const& plan, void* workspace, Fixed const& fixed,
                            cudaStream_t stream) {
  constexpr bool kHasSearch = mappings::kHasSearch<MappingOf<float>>;
  if (kHasSearch && operands.k > kWarpThreads) return cudaErrorInvalidValue;
  SegmentsWorkspace<Scalar> const shared(geometry.rows, operands.k, plan);
  auto const lists = shared.lists(workspace);
  TeamMemory const teams = shared.memory_of_teams(workspace);
  Segments const segments = {plan.parts_per_row, plan.part_length};
  auto const list = [&](auto* kernel, int warps, int stage_bytes, auto const&... others) {
    return launch_pipes(kernel, plan, warps, stage_bytes, stream, geometry, operands, segments,
                        held_stages(geometry, operands, plan), lists, others..., fixed);
  };
  auto const error =
      launch_listing<MappingOf, Scalar>(operands.k, plan, teams.arrivals, shared.teams, list);
  if (error != cudaSuccess) return error;
  if constexpr (!kHasSearch) {
    if (operands.k > kWarpThreads) {
      return launch_merge_all<MappingOf>(geometry, operands, plan, lists, teams, shared.teams > 0,
                                         fixed, stream);
    }
  }
  return launch_merge_first<MappingOf>(geometry, operands, plan, lists, fixed, stream);
}

template <template <class> class MappingOf, class Scalar, class Fixed>
cudaError_t launch_columns(RowGeometry<3> const& geometry, ForwardOperands<Scalar> const& operands,
                           Plan const& plan, Fixed const& fixed, cudaStream_t stream) {
  ColumnTiles const tiles = {plan.threads_per_part, plan.parts_per_row, plan.list_capacity,
                             plan.is_paired};
  int const threads = plan.threads_per_part * plan.parts_per_row;
  int const shared_bytes =
      threads / kWarpThreads * column_warp_bytes(sizeof(Scalar), plan.list_capacity);
  auto const launch = [&](auto* kernel) {
    return launch_with_limit(plan, shared_bytes, kernel, threads, stream, geometry, operands, tiles,
                             fixed);
  };
  if constexpr (!std::is_same_v<Scalar, double>) {
    if (plan.list_size == kMostFewColumns)
      return launch(columns_few_kernel<MappingOf, Scalar, kMostFewColumns>);
  }
  if (std::min(operands.k, geometry.length) <= kMostListedNonZeros)
    return launch(columns_kernel<MappingOf, Scalar, true>);
  if constexpr (mappings::kHasSearch<MappingOf<float>>) {
    return cudaErrorInvalidValue;
  } else {
    return launch(columns_kernel<MappingOf, Scalar, false>);
  }
}

// Launches the kernels of a regime other than passes.
template <template <class> class MappingOf, class Scalar>
cudaError_t launch_by_regime(double alpha, RowGeometry<3> const& geometry,
                             ForwardOperands<Scalar> const& operands, Plan const& plan,
                             void* workspace, cudaStream_t stream) {
  using Mapping = MappingOf<widened_t<Scalar>>;
  auto const fixed = Mapping::fixed(geometry.full_length, alpha);
  if constexpr (!std::is_same_v<Scalar, double>) {
    if (plan.regime == Regime::kFew) {
      return launch_few<MappingOf>(geometry, operands, plan, fixed, stream);
    }
    if constexpr (!mappings::kHasSearch<Mapping>) {
      if (plan.regime == Regime::kMany) {
        return launch_many<MappingOf>(geometry, operands, plan, fixed, stream);
      }
    }
  }
  switch (plan.regime) {
    case Regime::kHeld:
      return launch_held<MappingOf>(geometry, operands, plan, fixed, stream);
    case Regime::kSegments:
      return launch_segments<MappingOf>(geometry, operands, plan, workspace, fixed, stream);
    case Regime::kColumns:
      return launch_columns<MappingOf>(geometry, operands, plan, fixed, stream);
    default:
      return cudaErrorInvalidValue;
  }
}

}  // namespace detail

// Returns the bytes of device memory that a launch by this plan needs as workspace.
template <class Scalar>
int64_t workspace_bytes(RowGeometry<3> const& geometry, int64_t k, Plan const& plan) {
  if (plan.regime != Regime::kSegments) return 0;
  return SegmentsWorkspace<Scalar>(geometry.rows, k, plan).bytes();
}

template <template <class> class MappingOf, class Scalar>
cudaError_t launch_forward(double alpha, RowGeometry<3> const& geometry,
                           ForwardOperands<Scalar> const& operands, Plan const& plan,
                           void* workspace, cudaStream_t stream) {
  using Mapping = MappingOf<widened_t<Scalar>>;
  if (plan.regime == Regime::kPasses) {
    return detail::launch(forward_passes_kernel<MappingOf, Scalar>,
                          detail::blocks_for(geometry.rows, 1), kThreadsPerBlock, stream, geometry,
                          operands, Mapping::fixed(geometry.full_length, alpha));
  }
  // Of the kernels below, those that search are compiled once for all members that do.
  if constexpr (mappings::kHasSearch<Mapping>) {
    return detail::launch_by_regime<mappings::SearchedMember>(alpha, geometry, operands, plan,
                                                              workspace, stream);
  } else {
    return detail::launch_by_regime<MappingOf>(alpha, geometry, operands, plan, workspace, stream);
  }
}

}  // namespace zeta::rowwise::cuda
