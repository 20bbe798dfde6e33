#pragma once

#include <cmath>
#include <cstdint>

#include "rowwise/cuda/backward/from_weights.cuh"
#include "rowwise/cuda/backward/groups_of_rows.cuh"
#include "rowwise/cuda/passes/row.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/row_geometry.h"
#include "rowwise/saved_support.h"

// The backward that knows the support: it writes zeros and reads no more of the gradient than that.
namespace zeta::rowwise::cuda {

namespace detail {

// The entries of a row's gradient at the columns of its support.
template <class Scalar>
struct SupportOfGrads {
  int32_t const* support;
  int64_t count;
  Scalar const* grads;
  int64_t stride;
  int64_t length;

  template <class Group, class Visit>
  __device__ void for_each(Group const& group, Visit const& visit) const {
    for (int64_t i = group.rank(); i < count; i += group.threads()) {
      int64_t const column = support[1 + i];
      if (column < 0 || column >= length) continue;
      // Mappings whose slope varies on the support would have to hand over their weights, too.
      visit(column, 1.0, static_cast<double>(widen(grads[column * stride])));
    }
  }
};

}  // namespace detail

// Operands of the geometry: grad_logits, grad_weights, support.
template <template <class> class MappingOf, class Scalar, class Rows, bool IsContiguous>
__global__ void __launch_bounds__(kMostThreads)
    support_backward_kernel(__grid_constant__ RowGeometry<3> const geometry, Rows rows,
                            Scalar* grad_logits, Scalar const* grad_weights, int32_t const* support,
                            int64_t capacity,
                            typename mappings::WeightedMean<widened_t<Scalar>>::Integers integers) {
  static_assert(MappingOf<widened_t<Scalar>>::slope(0.25) == 1);
  rows.for_each_row(geometry.rows, [&](auto const& group, int64_t number, Part part) {
    bool const exists = number < geometry.rows;
    int64_t offsets[3] = {0, 0, 0};
    if (exists) geometry.offsets(number, offsets);
    int64_t const length = exists ? geometry.length : 0;
    int32_t const* const columns = support + offsets[2];
    int64_t const listed = exists ? columns[0] : 0;
    detail::SupportOfGrads<Scalar> const entries = {columns, listed < capacity ? listed : capacity,
                                                    grad_weights + offsets[1], geometry.stride[1],
                                                    length};
    StridedRow<Scalar> const result = {grad_logits + offsets[0], geometry.stride[0], length};
    auto const background = narrow<Scalar>(listed == kNaNRow ? NAN : 0);
    int64_t const first = part.first(length);
    int64_t const last = part.last(length);
    if constexpr (IsContiguous) {
      ContiguousRow<Scalar>{result.begin + first, static_cast<int>(last - first)}.fill(group,
                                                                                       background);
    } else {
      result.fill(group, background);
    }
    RowGradient<widened_t<Scalar>> const gradient(group, integers, entries);
    group.synchronize();  // The zeros come first.
    entries.for_each(group, [&](int64_t column, double slope, double grad) {
      if (first <= column && column < last) result[column] = narrow<Scalar>(gradient(slope, grad));
    });
  });
}

}  // namespace zeta::rowwise::cuda
