#pragma once

#include <cstdint>

#include "rowwise/float16.h"
#include "rowwise/row_geometry.h"

namespace zeta::rowwise::cpu {

// Writes the columns of the `count` largest entries of rows first_row to last_row - 1, in
// increasing order. Of equal entries, as -0.0 and +0.0 are, the ones of lower columns count as
// larger, and NaN as larger than all numbers. Defined for float, double, Float16 and BFloat16, and
// 1 <= count <= length. Operands of the geometry: columns, entries.
template <class Scalar>
void largest(RowGeometry<2> const& geometry, int64_t* columns, Scalar const* entries, int64_t count,
             int64_t first_row, int64_t last_row);

}  // namespace zeta::rowwise::cpu
