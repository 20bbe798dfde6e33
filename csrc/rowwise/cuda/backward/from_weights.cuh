#pragma once

#include <cmath>
#include <cstdint>

#include "mappings/weighted_mean.h"
#include "rowwise/cuda/backward/gradient_row.cuh"
#include "rowwise/cuda/backward/groups_of_rows.cuh"
#include "rowwise/cuda/passes/row.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/float16.h"
#include "rowwise/row_geometry.h"

// The backward that reads the weights.
namespace zeta::rowwise::cuda {

// The gradient of one row, of entries that offer for_each(group, visit(column, slope, grad)), with
// slope and grad in double.
template <class Real>
class RowGradient {
 public:
  using WeightedMean = mappings::WeightedMean<Real>;

  template <class Group, class Entries>
  __device__ RowGradient(Group const& group, typename WeightedMean::Integers const& integers,
                         Entries const& entries) {
    mappings::ProductScale scale;
    entries.for_each(group,
                     [&](int64_t, double slope, double grad) { scale.add(slope, slope * grad); });
    scale = group.reduce(scale);
    is_nan_ = scale.nan_slope;
    WeightedMean const weighted_mean(scale, integers);
    typename WeightedMean::Sum sum;
    entries.for_each(group, [&](int64_t, double slope, double grad) {
      sum.add(weighted_mean.term(slope, slope * grad));
    });
    mean_ = weighted_mean.mean(group.reduce(sum));
  }

  __device__ bool is_nan() const { return is_nan_; }

  // At an entry of the support.
  __device__ double operator()(double slope, double grad) const {
    return slope * mean_.subtracted_from(grad);
  }

 private:
  bool is_nan_;
  mappings::Mean<Real> mean_;
};

namespace detail {

template <class Mapping, class GradientRow>
struct SlopesAndGrads {
  GradientRow const& row;

  template <class Group, class Visit>
  __device__ void for_each(Group const& group, Visit const& visit) const {
    row.for_each(group, [&](int64_t column, auto weight, auto grad) {
      visit(column, Mapping::slope(widen(weight)), static_cast<double>(widen(grad)));
    });
  }
};

}  // namespace detail

template <class Mapping, class Scalar, class Group, class GradientRow>
__device__ void backward_row(
    Group const& group,
    typename mappings::WeightedMean<widened_t<Scalar>>::Integers const& integers,
    GradientRow const& row) {
  RowGradient<widened_t<Scalar>> const gradient(group, integers,
                                                detail::SlopesAndGrads<Mapping, GradientRow>{row});
  if (gradient.is_nan()) {
    row.result.fill(group, narrow<Scalar>(NAN));
    return;
  }
  row.map(group, [&](Scalar weight, Scalar grad) {
    return narrow<Scalar>(
        gradient(Mapping::slope(widen(weight)), static_cast<double>(widen(grad))));
  });
}

// Operands of the geometry: grad_logits, grad_weights, weights.
template <template <class> class MappingOf, class Scalar, class Rows, bool IsContiguous>
__global__ void __launch_bounds__(kMostThreads)
    backward_kernel(__grid_constant__ RowGeometry<3> const geometry, Rows rows, Scalar* grad_logits,
                    Scalar const* grad_weights, Scalar const* weights,
                    typename mappings::WeightedMean<widened_t<Scalar>>::Integers integers) {
  using Mapping = MappingOf<widened_t<Scalar>>;
  rows.for_each_row(geometry.rows, [&](auto const& group, int64_t number, Part) {
    bool const exists = number < geometry.rows;
    int64_t offsets[3] = {0, 0, 0};
    if (exists) geometry.offsets(number, offsets);
    int64_t const length = exists ? geometry.length : 0;
    if constexpr (IsContiguous) {
      backward_row<Mapping, Scalar>(
          group, integers,
          ContiguousGradientRow<Scalar>{{weights + offsets[2], static_cast<int>(length)},
                                        {grad_weights + offsets[1], static_cast<int>(length)},
                                        {grad_logits + offsets[0], static_cast<int>(length)}});
    } else {
      backward_row<Mapping, Scalar>(
          group, integers,
          StridedGradientRow<Scalar>{{weights + offsets[2], geometry.stride[2], length},
                                     {grad_weights + offsets[1], geometry.stride[1], length},
                                     {grad_logits + offsets[0], geometry.stride[0], length}});
    }
  });
}

}  // namespace zeta::rowwise::cuda
