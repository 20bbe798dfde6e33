#pragma once

#include <cstdint>

#include "rowwise/cpu/backward_row.h"
#include "rowwise/cpu/row_buffer.h"
#include "rowwise/row_geometry.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

template <template <class> class MappingOf, class Scalar>
void backward(RowGeometry<3> const& geometry, Scalar* grad_logits, Scalar const* grad_weights,
              Scalar const* weights, int64_t first_row, int64_t last_row) {
  RowBuffer<Scalar> result_row(geometry.length, geometry.stride[0]);
  RowBuffer<Scalar> grad_row(geometry.length, geometry.stride[1]);
  RowBuffer<Scalar> weight_row(geometry.length, geometry.stride[2]);
  for (int64_t row = first_row; row < last_row; ++row) {
    int64_t offsets[3];
    geometry.offsets(row, offsets);
    Scalar* const destination = grad_logits + offsets[0];
    backward_row<MappingOf>(grad_row.load(grad_weights + offsets[1]),
                            weight_row.load(weights + offsets[2]), result_row.writable(destination),
                            geometry.length);
    result_row.store(destination);
  }
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
