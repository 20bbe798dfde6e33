#pragma once

#include <cstdint>

#include "rowwise/row_geometry.h"

namespace zeta::rowwise::cuda {

// Sets `offsets` to where a row begins in each operand, in elements. Most geometries have one batch
// dimension, which needs no division.
template <int Operands>
__device__ inline void find_row(RowGeometry<Operands> const& geometry, int64_t row,
                                int64_t (&offsets)[Operands]) {
  if (geometry.batch_dimensions > 1) {
    geometry.offsets(row, offsets);
    return;
  }
#pragma unroll
  for (int i = 0; i < Operands; ++i) offsets[i] = row * geometry.batch_strides[0][i];
}

}  // namespace zeta::rowwise::cuda
