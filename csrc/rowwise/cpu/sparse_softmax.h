#pragma once

#include <cstdint>

#include "rowwise/float16.h"
#include "rowwise/row_geometry.h"

// Defined for float, double, Float16 and BFloat16. Rows first_row to last_row - 1 of a geometry
// that has at least one entry a row; a caller may give disjoint ranges to several threads.
namespace zeta::rowwise::cpu {

// Operands of the geometry: weights, logits.
template <class Scalar>
void sparse_softmax(RowGeometry<2> const& geometry, Scalar* weights, Scalar const* logits,
                    int64_t k, int64_t first_row, int64_t last_row);

// Operands of the geometry: grad_logits, grad_weights, weights.
template <class Scalar>
void sparse_softmax_backward(RowGeometry<3> const& geometry, Scalar* grad_logits,
                             Scalar const* grad_weights, Scalar const* weights, int64_t first_row,
                             int64_t last_row);

}  // namespace zeta::rowwise::cpu
