#pragma once

#include <cmath>
#include <cstdint>

#include "mappings/weighted_mean.h"
#include "rowwise/cuda/backward/gradient_row.cuh"
#include "rowwise/cuda/backward/groups_of_rows.cuh"
#include "rowwise/cuda/backward/operands.cuh"
#include "rowwise/cuda/passes/row.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/float16.h"
#include "rowwise/row_geometry.h"
#include "rowwise/saved_support.h"

// Both backwards by passes over a row, for any layout and length.
namespace zeta::rowwise::cuda {

// Computes the gradient of one row. Its entries have for_each(group, visit), which calls
// visit(column, slope, grad), with slope and grad in double.
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

  // Returns the gradient at an entry of the support.
  __device__ double operator()(double slope, double grad) const {
    return slope * mean_.subtracted_from(grad);
  }

 private:
  bool is_nan_;
  mappings::Mean<Real> mean_;
};

namespace detail {

template <class Slope, class GradientRow>
struct SlopesAndGrads {
  Slope const& slope;
  GradientRow const& row;

  template <class Group, class Visit>
  __device__ void for_each(Group const& group, Visit const& visit) const {
    row.for_each(group, [&](int64_t column, auto weight, auto grad) {
      visit(column, slope(widen(weight)), static_cast<double>(widen(grad)));
    });
  }
};

}  // namespace detail

template <class Scalar, class Group, class Slope, class GradientRow>
__device__ void backward_row(
    Group const& group, Slope const& slope,
    typename mappings::WeightedMean<widened_t<Scalar>>::Integers const& integers,
    GradientRow const& row) {
  RowGradient<widened_t<Scalar>> const gradient(
      group, integers, detail::SlopesAndGrads<Slope, GradientRow>{slope, row});
  if (gradient.is_nan()) {
    row.result.fill(group, narrow<Scalar>(NAN));
    return;
  }
  row.map(group, [&](Scalar weight, Scalar grad) {
    return narrow<Scalar>(gradient(slope(widen(weight)), static_cast<double>(widen(grad))));
  });
}

template <class Scalar>
struct GatheredEntries {
  int32_t const* columns;
  int64_t count;
  Scalar const* grads;
  int64_t stride;
  int64_t length;

  template <class Group, class Visit>
  __device__ void for_each(Group const& group, Visit const& visit) const {
    for (int64_t i = group.rank(); i < count; i += group.threads()) {
      int64_t const column = columns[i];
      if (column < 0 || column >= length) continue;
      visit(column, 1.0, static_cast<double>(widen(grads[column * stride])));
    }
  }
};

template <class Scalar, class Group>
__device__ void support_backward_row(
    Group const& group,
    typename mappings::WeightedMean<widened_t<Scalar>>::Integers const& integers,
    GatheredEntries<Scalar> const& entries, bool is_nan, StridedRow<Scalar> const& result) {
  result.fill(group, narrow<Scalar>(is_nan ? NAN : 0));
  RowGradient<widened_t<Scalar>> const gradient(group, integers, entries);
  group.synchronize();  // The values are written after the zeros.
  entries.for_each(group, [&](int64_t column, double slope, double grad) {
    result[column] = narrow<Scalar>(gradient(slope, grad));
  });
}

template <template <class> class MappingOf, class Scalar, class Rows>
__global__ void __launch_bounds__(kMostThreads) weights_backward_passes_kernel(
    __grid_constant__ RowGeometry<3> const geometry, WeightsOperands<Scalar> operands,
    typename MappingOf<widened_t<Scalar>>::Slope slope,
    typename mappings::WeightedMean<widened_t<Scalar>>::Integers integers) {
  Rows::for_each_row(geometry.rows, [&](auto const& group, int64_t number) {
    bool const exists = number < geometry.rows;
    auto const row = operands.row(geometry, exists ? number : 0);
    int64_t const length = exists ? geometry.length : 0;
    backward_row<Scalar>(group, slope, integers,
                         StridedGradientRow<Scalar>{{row.source, geometry.stride[2], length},
                                                    {row.grads, geometry.stride[1], length},
                                                    {row.result, geometry.stride[0], length}});
  });
}

template <template <class> class MappingOf, class Scalar, class Rows>
__global__ void __launch_bounds__(kMostThreads) support_backward_passes_kernel(
    __grid_constant__ RowGeometry<3> const geometry, SupportOperands<Scalar> operands,
    int64_t capacity, typename mappings::WeightedMean<widened_t<Scalar>>::Integers integers) {
  static_assert(MappingOf<widened_t<Scalar>>::Slope::kIsConstant);
  Rows::for_each_row(geometry.rows, [&](auto const& group, int64_t number) {
    bool const exists = number < geometry.rows;
    auto const row = operands.row(geometry, exists ? number : 0);
    int64_t const length = exists ? geometry.length : 0;
    int64_t const listed = exists ? row.source[0] : 0;
    support_backward_row<Scalar>(group, integers,
                                 {row.source + 1, listed < capacity ? listed : capacity, row.grads,
                                  geometry.stride[1], length},
                                 listed == kNaNRow, {row.result, geometry.stride[0], length});
  });
}

}  // namespace zeta::rowwise::cuda
