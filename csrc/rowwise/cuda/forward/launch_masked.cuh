#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

#include "mappings/family.h"
#include "mappings/root_search.h"
#include "mappings/searched_member.h"
#include "rowwise/cuda/forward/held_masked.cuh"
#include "rowwise/cuda/forward/launch.cuh"
#include "rowwise/cuda/forward/masked.cuh"
#include "rowwise/cuda/forward/plan.h"
#include "rowwise/cuda/passes/operands.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/row_geometry.h"

// Launches the kernels of a plan for rows of which a mask leaves entries out.
namespace zeta::rowwise::cuda {

namespace detail {

template <template <class> class MappingOf, class Scalar>
cudaError_t launch_held_masked(RowGeometry<4> const& geometry, MaskedOperands<Scalar> const& masked,
                               Plan const& plan, cudaStream_t stream) {
  ForwardOperands<Scalar> const operands = {masked.weights, masked.logits, masked.support,
                                            std::min(masked.k, geometry.length)};
  HeldMasks const masks = {masked.mask, end_of(geometry, 3, masked.mask), plan.first_chunk_of_mask};
  auto const launch = [&](auto* kernel) {
    return launch_pipes(kernel, plan, 1, plan.chunks_per_stage * kChunkBytes, stream, geometry,
                        operands, held_stages(geometry, operands, plan), masks,
                        MappingOf<widened_t<Scalar>>::fixed(geometry.full_length, masked.alpha));
  };
  return operands.k <= kWarpThreads ? launch(held_masked_kernel<MappingOf, Scalar, true>)
                                    : launch(held_masked_kernel<MappingOf, Scalar, false>);
}

}  // namespace detail

// The operands have no alphas.
template <class Scalar>
cudaError_t launch_forward_masked(RowGeometry<4> const& geometry,
                                  MaskedOperands<Scalar> const& operands, Plan const& plan,
                                  cudaStream_t stream) {
  if (plan.regime == Regime::kPasses) return launch_masked_by_passes(geometry, operands, stream);
  if (plan.regime != Regime::kHeld) return cudaErrorInvalidValue;
  return mappings::with_mapping(operands.alpha, [&]<template <class> class MappingOf>() {
    if constexpr (mappings::kHasSearch<MappingOf<float>>) {
      return detail::launch_held_masked<mappings::SearchedMember>(geometry, operands, plan, stream);
    } else {
      return detail::launch_held_masked<MappingOf>(geometry, operands, plan, stream);
    }
  });
}

}  // namespace zeta::rowwise::cuda
