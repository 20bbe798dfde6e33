#pragma once

#include <cstdint>

#include "rowwise/cpu/forward_row.h"
#include "rowwise/cpu/row_buffer.h"
#include "rowwise/row_geometry.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

template <template <class> class MappingOf, class Scalar>
void forward(RowGeometry<2> const& geometry, Scalar* weights, Scalar const* logits, int64_t k,
             int64_t first_row, int64_t last_row) {
  RowForward<MappingOf, Scalar> forward_row(geometry.length, k);
  RowBuffer<Scalar> weight_row(geometry.length, geometry.stride[0]);
  RowBuffer<Scalar> logit_row(geometry.length, geometry.stride[1]);
  for (int64_t row = first_row; row < last_row; ++row) {
    int64_t offsets[2];
    geometry.offsets(row, offsets);
    Scalar* const destination = weights + offsets[0];
    forward_row(logit_row.load(logits + offsets[1]), weight_row.writable(destination));
    weight_row.store(destination);
  }
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
