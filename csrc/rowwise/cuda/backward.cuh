#pragma once

#include <cmath>
#include <cstdint>

#include "mappings/weighted_mean.h"
#include "rowwise/cuda/group.cuh"
#include "rowwise/cuda/row.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/float16.h"
#include "rowwise/row_geometry.h"

namespace zeta::rowwise::cuda {

template <template <class> class MappingOf, class Group, class Scalar>
__device__ void backward_row(Group const& group, Row<Scalar const> grad_weights,
                             Row<Scalar const> weights, Row<Scalar> grad_logits, int64_t length) {
  using Real = widened_t<Scalar>;
  auto for_each_in_support = [&](auto const& visit) {
    for_each_column(group, length, [&](int64_t column) {
      double const slope = MappingOf<Real>::slope(widen(weights[column]));
      if (slope != 0) visit(column, slope, static_cast<double>(widen(grad_weights[column])));
    });
  };

  mappings::ProductScale scale;
  for_each_in_support([&](int64_t, double slope, double grad) { scale.add(slope, slope * grad); });
  scale = group.reduce(scale);
  if (scale.nan_slope) {
    fill(group, grad_logits, length, narrow<Scalar>(NAN));
    return;
  }

  mappings::WeightedMean<Real> const weighted_mean(scale, length);
  typename mappings::WeightedMean<Real>::Sum sum;
  for_each_in_support([&](int64_t, double slope, double grad) {
    sum.add(weighted_mean.term(slope, slope * grad));
  });
  auto const mean = weighted_mean.mean(group.reduce(sum));

  for_each_column(group, length, [&](int64_t column) {
    double const slope = MappingOf<Real>::slope(widen(weights[column]));
    double const grad = static_cast<double>(widen(grad_weights[column]));
    grad_logits[column] = narrow<Scalar>(slope == 0 ? 0 : slope * mean.subtracted_from(grad));
  });
}

// Operands of the geometry: grad_logits, grad_weights, weights. Rows fall to groups as in
// forward_kernel.
template <template <class> class MappingOf, class Group, class Scalar>
__global__ void __launch_bounds__(Group::kThreads* groups_per_block(Group::kThreads))
    backward_kernel(__grid_constant__ RowGeometry<3> const geometry, Scalar* grad_logits,
                    Scalar const* grad_weights, Scalar const* weights) {
  Group const group;
  int64_t const groups = static_cast<int64_t>(gridDim.x) * blockDim.y;
  int64_t const first = static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  for (int64_t row = first; row < geometry.rows; row += groups) {
    int64_t offsets[3];
    geometry.offsets(row, offsets);
    backward_row<MappingOf>(group, Row<Scalar const>{grad_weights + offsets[1], geometry.stride[1]},
                            Row<Scalar const>{weights + offsets[2], geometry.stride[2]},
                            Row<Scalar>{grad_logits + offsets[0], geometry.stride[0]},
                            geometry.length);
  }
}

}  // namespace zeta::rowwise::cuda
