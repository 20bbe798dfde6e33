#pragma once

#include <cstdint>

#include "rowwise/cuda/find_row.cuh"
#include "rowwise/row_geometry.h"

// The operands of a backward, and where a row of each begins.
namespace zeta::rowwise::cuda {

// The members have the order of the geometry's operands. The source is the weights or the support:
// what tells which entries are in the support.
template <class Scalar, class Source>
struct BackwardOperands {
  Scalar* result;
  Scalar const* grads;
  Source const* source;

  __device__ BackwardOperands row(RowGeometry<3> const& geometry, int64_t number) const;
};

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
