#pragma once

#include <cstdint>

#include "rowwise/row_geometry.h"

// What a backward is given, and where a row of each begins.
namespace zeta::rowwise::cuda {

// In the order of the geometry's operands. The source is what tells the support.
template <class Scalar, class Source>
struct BackwardOperands {
  Scalar* result;
  Scalar const* grads;
  Source const* source;

  __device__ BackwardOperands row(RowGeometry<3> const& geometry, int64_t number) const;
};

// Where a row begins in each operand, in elements. Most geometries have one batch dimension.
__device__ inline void find_row(RowGeometry<3> const& geometry, int64_t row,
                                int64_t (&offsets)[3]) {
  if (geometry.batch_dimensions > 1) {
    geometry.offsets(row, offsets);
    return;
  }
#pragma unroll
  for (int i = 0; i < 3; ++i) offsets[i] = row * geometry.batch_strides[0][i];
}

template <class Scalar, class Source>
__device__ inline BackwardOperands<Scalar, Source> BackwardOperands<Scalar, Source>::row(
    RowGeometry<3> const& geometry, int64_t number) const {
  int64_t offsets[3];
  find_row(geometry, number, offsets);
  return {result + offsets[0], grads + offsets[1], source + offsets[2]};
}

template <class Scalar>
using WeightsOperands = BackwardOperands<Scalar, Scalar>;
template <class Scalar>
using SupportOperands = BackwardOperands<Scalar, int32_t>;

}  // namespace zeta::rowwise::cuda
