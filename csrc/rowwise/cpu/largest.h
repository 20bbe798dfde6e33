#pragma once

#include <cstdint>

#include "rowwise/export.h"
#include "rowwise/float16.h"
#include "rowwise/mask.h"
#include "rowwise/row_geometry.h"

namespace zeta::rowwise::cpu {

// Writes the indices of the `count` largest entries of rows first_row to last_row - 1, in
// increasing order. Of equal entries, such as -0.0 and +0.0, those of lower index count as larger,
// and NaN counts as larger than all numbers. It is defined for float, double, Float16 and BFloat16,
// and 1 <= count <= length. The operands of the geometry are columns, which receives the indices,
// and entries.
template <class Scalar>
ZETA_ENGINE_API void largest(RowGeometry<2> const& geometry, int64_t* columns,
                             Scalar const* entries, int64_t count, int64_t first_row,
                             int64_t last_row);

// Does the same where the entries that a mask leaves out count as -inf, whatever they are. The
// operands of the geometry are columns, entries and mask.
template <class Scalar>
ZETA_ENGINE_API void largest_masked(RowGeometry<3> const& geometry, int64_t* columns,
                                    Scalar const* entries, MaskEntry const* mask, int64_t count,
                                    int64_t first_row, int64_t last_row);

}  // namespace zeta::rowwise::cpu
