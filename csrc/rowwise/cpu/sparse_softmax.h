#pragma once

#include <cstdint>

#include "rowwise/float16.h"
#include "rowwise/parallel.h"
#include "rowwise/row_geometry.h"

// Defined for float, double, Float16 and BFloat16. Rows first_row to last_row - 1 of a geometry
// that has at least one entry a row; a caller may give disjoint ranges to several threads.
namespace zeta::rowwise::cpu {

// Operands of the geometry: weights, logits.
template <class Scalar>
void sparse_softmax(RowGeometry<2> const& geometry, Scalar* weights, Scalar const* logits,
                    int64_t k, int64_t first_row, int64_t last_row);

// One contiguous row, in at most length / 64 parts that several threads take.
template <class Scalar>
void sparse_softmax_split(Scalar* weights, Scalar const* logits, int64_t length, int64_t k,
                          int64_t parts, Parallel parallel);

// Operands of the geometry: grad_logits, grad_weights, weights.
template <class Scalar>
void sparse_softmax_backward(RowGeometry<3> const& geometry, Scalar* grad_logits,
                             Scalar const* grad_weights, Scalar const* weights, int64_t first_row,
                             int64_t last_row);

// The same, and the support as rowwise/saved_support.h has it, of capacity min(k, length). Operands
// of the geometry: weights, logits, support, whose entries of a row are neighbours in memory.
template <class Scalar>
void sparse_softmax_with_support(RowGeometry<3> const& geometry, Scalar* weights,
                                 Scalar const* logits, int32_t* support, int64_t k,
                                 int64_t first_row, int64_t last_row);

// As sparse_softmax_backward of the weights that had this support. Entries that are not columns of
// the row in increasing order count for nothing. Where the rows of grad_logits are not contiguous,
// only the support is written: the rest is zero already. Operands of the geometry: grad_logits,
// grad_weights, support.
template <class Scalar>
void sparse_softmax_support_backward(RowGeometry<3> const& geometry, Scalar* grad_logits,
                                     Scalar const* grad_weights, int32_t const* support,
                                     int64_t capacity, int64_t first_row, int64_t last_row);

}  // namespace zeta::rowwise::cpu
