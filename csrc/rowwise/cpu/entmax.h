#pragma once

#include <cstdint>

#include "rowwise/export.h"
#include "rowwise/float16.h"
#include "rowwise/mask.h"
#include "rowwise/parallel.h"
#include "rowwise/row_geometry.h"

// The capped entmax family: alpha = 2 is sparse_softmax, alpha = 1 softmax of the k largest
// entries.
//
// These functions are defined for float, double, Float16 and BFloat16. They take rows first_row to
// last_row - 1 of a geometry that has at least one entry a row; a caller may give disjoint ranges
// to several threads.
namespace zeta::rowwise::cpu {

// Operands of the geometry: weights, logits.
template <class Scalar>
ZETA_ENGINE_API void entmax(double alpha, RowGeometry<2> const& geometry, Scalar* weights,
                            Scalar const* logits, int64_t k, int64_t first_row, int64_t last_row);

// Takes one contiguous row, in at most length / 64 parts that several threads take.
template <class Scalar>
ZETA_ENGINE_API void entmax_split(double alpha, Scalar* weights, Scalar const* logits,
                                  int64_t length, int64_t k, int64_t parts, Parallel parallel);

template <class Scalar>
ZETA_ENGINE_API void entmax_split_masked(double alpha, Scalar* weights, Scalar const* logits,
                                         MaskEntry const* mask, int64_t mask_stride, int64_t length,
                                         int64_t k, int64_t parts, Parallel parallel);

// Operands of the geometry: grad_logits, grad_weights, weights.
template <class Scalar>
ZETA_ENGINE_API void entmax_backward(double alpha, RowGeometry<3> const& geometry,
                                     Scalar* grad_logits, Scalar const* grad_weights,
                                     Scalar const* weights, int64_t first_row, int64_t last_row);

// Does what entmax() does, and writes the support in the layout of rowwise/saved_support.h,
// of capacity min(k, length). Operands of the geometry: weights, logits, support, in which the
// entries of a row are neighbours in memory.
template <class Scalar>
ZETA_ENGINE_API void entmax_with_support(double alpha, RowGeometry<3> const& geometry,
                                         Scalar* weights, Scalar const* logits, int32_t* support,
                                         int64_t k, int64_t first_row, int64_t last_row);

// Does the same for rows of which a mask leaves entries out. The support may be null, and its place
// in the geometry that of anything. Operands of the geometry: weights, logits, support, mask.
template <class Scalar>
ZETA_ENGINE_API void entmax_masked(double alpha, RowGeometry<4> const& geometry, Scalar* weights,
                                   Scalar const* logits, int32_t* support, MaskEntry const* mask,
                                   int64_t k, int64_t first_row, int64_t last_row);

// Writes the weights of entmax() that are not 0 alone: the values, largest first and equal ones in
// the order of their indices, and the indices. Behind the support values are 0 and indices -1. Rows
// of NaN have the indices of the largest logits, larger ones first, of which NaN is the largest,
// and equal ones in order. Operands of the geometry, whose length is that of the logits: values,
// logits, indices. The rows of values and indices have min(k, length) entries.
template <class Scalar>
ZETA_ENGINE_API void entmax_compact(double alpha, RowGeometry<3> const& geometry, Scalar* values,
                                    Scalar const* logits, int64_t* indices, int64_t k,
                                    int64_t first_row, int64_t last_row);

// Operands of the geometry: values, logits, indices, mask.
template <class Scalar>
ZETA_ENGINE_API void entmax_compact_masked(double alpha, RowGeometry<4> const& geometry,
                                           Scalar* values, Scalar const* logits, int64_t* indices,
                                           MaskEntry const* mask, int64_t k, int64_t first_row,
                                           int64_t last_row);

// Does what entmax_backward() does, and reads the gradient and the weights at the support alone.
// Entries of the support that are not indices of the row in increasing order are ignored. Where the
// rows of grad_logits are not contiguous, only the support is written; the rest must be zero
// already. Operands of the geometry: grad_logits, grad_weights, weights, support. For alpha = 2 the
// weights are not read, and may be null.
template <class Scalar>
ZETA_ENGINE_API void entmax_support_backward(double alpha, RowGeometry<4> const& geometry,
                                             Scalar* grad_logits, Scalar const* grad_weights,
                                             Scalar const* weights, int32_t const* support,
                                             int64_t capacity, int64_t first_row, int64_t last_row);

// Does the same for alpha = 2, without weights. Operands of the geometry: grad_logits,
// grad_weights, support.
template <class Scalar>
ZETA_ENGINE_API void entmax_support_backward(double alpha, RowGeometry<3> const& geometry,
                                             Scalar* grad_logits, Scalar const* grad_weights,
                                             int32_t const* support, int64_t capacity,
                                             int64_t first_row, int64_t last_row);

}  // namespace zeta::rowwise::cpu
