#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

#include "mappings/weighted_mean.h"
#include "rowwise/cuda/backward/from_support.cuh"
#include "rowwise/cuda/backward/from_weights.cuh"
#include "rowwise/cuda/forward/plan.h"
#include "rowwise/cuda/launch_kernel.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/row_geometry.h"

// From a plan to a launch of a backward.
namespace zeta::rowwise::cuda {

namespace detail {

// Calls function(grid, block, rows, is_contiguous) with how the plan's rows fall to groups, none of
// which has a part of a row.
template <class Function>
cudaError_t with_rows(int64_t rows, Plan const& plan, Function const& function) {
  switch (plan.regime) {
    case Regime::kLanes: {
      int const per_block = kWarpsPerBlock * kWarpThreads / plan.lanes_per_row;
      return function(blocks_for(rows, per_block), block_of_warps(),
                      RowsOfLanes{plan.lanes_per_row}, std::true_type());
    }
    case Regime::kBlock:
    case Regime::kSplit:
      return function(blocks_for(rows, 1), kThreadsPerBlock, RowsOfBlocks(), std::true_type());
    case Regime::kColumns:
      return function(blocks_for(rows, kColumnRows), block_of_columns(), RowsOfColumns(),
                      std::false_type());
    default:
      return function(blocks_for(rows, 1), kThreadsPerBlock, RowsOfBlocks(), std::false_type());
  }
}

}  // namespace detail

template <template <class> class MappingOf, class Scalar>
cudaError_t launch_backward(RowGeometry<3> const& geometry, Scalar* grad_logits,
                            Scalar const* grad_weights, Scalar const* weights, Plan const& plan,
                            cudaStream_t stream) {
  typename mappings::WeightedMean<widened_t<Scalar>>::Integers const integers(geometry.full_length);
  return detail::with_rows(
      geometry.rows, plan,
      [&]<class Rows, bool IsContiguous>(dim3 grid, dim3 block, Rows rows,
                                         std::bool_constant<IsContiguous>) {
        return detail::launch(backward_kernel<MappingOf, Scalar, Rows, IsContiguous>, grid, block,
                              stream, geometry, rows, grad_logits, grad_weights, weights, integers);
      });
}

template <template <class> class MappingOf, class Scalar>
cudaError_t launch_support_backward(RowGeometry<3> const& geometry, Scalar* grad_logits,
                                    Scalar const* grad_weights, int32_t const* support,
                                    int64_t capacity, Plan const& plan, cudaStream_t stream) {
  typename mappings::WeightedMean<widened_t<Scalar>>::Integers const integers(geometry.full_length);
  auto const launch = [&]<class Rows, bool IsContiguous>(dim3 grid, dim3 block, Rows rows,
                                                         std::bool_constant<IsContiguous>) {
    return detail::launch(support_backward_kernel<MappingOf, Scalar, Rows, IsContiguous>, grid,
                          block, stream, geometry, rows, grad_logits, grad_weights, support,
                          capacity, integers);
  };
  if (plan.regime == Regime::kSplit) {
    return launch(detail::grid_of_parts(geometry.rows, plan.parts_per_row), kThreadsPerBlock,
                  PartsOfRows(), std::true_type());
  }
  return detail::with_rows(geometry.rows, plan, launch);
}

}  // namespace zeta::rowwise::cuda
