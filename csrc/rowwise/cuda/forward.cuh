#pragma once

#include <cmath>
#include <cstdint>

#include "rowwise/cuda/group.cuh"
#include "rowwise/cuda/row.cuh"
#include "rowwise/cuda/select.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/ordered_key.h"
#include "rowwise/row_geometry.h"

namespace zeta::rowwise::cuda {

template <class Group, class Scalar>
__device__ KeyRange<Scalar> key_range(Group const& group, Row<Scalar const> logits,
                                      int64_t length) {
  auto range = KeyRange<Scalar>::of(logits[0]);
  for_each_column(group, length,
                  [&](int64_t column) { range.add(KeyRange<Scalar>::of(logits[column])); });
  return group.reduce(range);
}

template <class Mapping>
struct Support {
  typename Mapping::Threshold threshold;
  int64_t size;
};

// Michelot's iteration (1986): each pass drops what lies below the threshold of the rest.
template <class Mapping, class Group, class Scalar>
__device__ Support<Mapping> find_support(Group const& group, Mapping const& mapping,
                                         Row<Scalar const> logits, int64_t length) {
  Support<Mapping> support = {mapping.lowest_threshold(), 0};
  while (true) {
    typename Mapping::Sum sum;
    for_each_column(group, length, [&](int64_t column) {
      auto const logit = widen(logits[column]);
      if (logit < mapping.lower_bound()) return;
      auto const term = mapping.term(logit);
      if (mapping.is_above(term, support.threshold)) sum.add(term);
    });
    sum = group.reduce(sum);
    if (sum.count == support.size) return support;
    support = {mapping.threshold(sum), sum.count};
  }
}

// The weights of the k largest entries, when the support without a cap has more.
template <class Mapping, class Group, class Scalar>
__device__ void write_capped(Group const& group, Mapping const& mapping, Row<Scalar const> logits,
                             Row<Scalar> weights, int64_t length, int64_t k) {
  Selection<Scalar> const selection(group, logits, length, k);
  typename Mapping::Sum sum;
  selection.for_each_column(group, logits, length, [&](int64_t column, bool is_selected) {
    if (is_selected) sum.add(mapping.term(widen(logits[column])));
  });
  auto const threshold = mapping.threshold(group.reduce(sum));
  selection.for_each_column(group, logits, length, [&](int64_t column, bool is_selected) {
    double const weight =
        is_selected ? mapping.weight(mapping.term(widen(logits[column])), threshold) : 0;
    weights[column] = narrow<Scalar>(weight);
  });
}

template <class Mapping, class Group, class Scalar>
__device__ void write_uncapped(Group const& group, Mapping const& mapping, Row<Scalar const> logits,
                               Row<Scalar> weights, int64_t length,
                               typename Mapping::Threshold const& threshold) {
  for_each_column(group, length, [&](int64_t column) {
    auto const logit = widen(logits[column]);
    double weight = 0;
    if (logit >= mapping.lower_bound()) {
      auto const term = mapping.term(logit);
      if (mapping.is_above(term, threshold)) weight = mapping.weight(term, threshold);
    }
    weights[column] = narrow<Scalar>(weight);
  });
}

template <template <class> class MappingOf, class Group, class Scalar>
__device__ void forward_row(Group const& group, Row<Scalar const> logits, Row<Scalar> weights,
                            int64_t length, int64_t k) {
  using Mapping = MappingOf<widened_t<Scalar>>;
  auto const range = key_range(group, logits, length);
  if (!range.is_ordinary()) {
    fill(group, weights, length, narrow<Scalar>(NAN));
    return;
  }
  Mapping const mapping(range.maximum(), length);
  auto const support = find_support(group, mapping, logits, length);
  if (support.size > k) {
    write_capped(group, mapping, logits, weights, length, k);
  } else {
    write_uncapped(group, mapping, logits, weights, length, support.threshold);
  }
}

// Operands of the geometry: weights, logits. A block has `blockDim.y` groups along y, and each
// group takes every (gridDim.x * blockDim.y)-th row.
template <template <class> class MappingOf, class Group, class Scalar>
__global__ void __launch_bounds__(Group::kThreads* groups_per_block(Group::kThreads))
    forward_kernel(__grid_constant__ RowGeometry<2> const geometry, Scalar* weights,
                   Scalar const* logits, int64_t k) {
  Group const group;
  int64_t const groups = static_cast<int64_t>(gridDim.x) * blockDim.y;
  int64_t const first = static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  for (int64_t row = first; row < geometry.rows; row += groups) {
    int64_t offsets[2];
    geometry.offsets(row, offsets);
    forward_row<MappingOf>(group, Row<Scalar const>{logits + offsets[1], geometry.stride[1]},
                           Row<Scalar>{weights + offsets[0], geometry.stride[0]}, geometry.length,
                           k);
  }
}

}  // namespace zeta::rowwise::cuda
