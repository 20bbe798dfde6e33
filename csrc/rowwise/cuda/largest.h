#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "rowwise/float16.h"
#include "rowwise/row_geometry.h"

namespace zeta::rowwise::cuda {

// As cpu::largest, for all rows. Queues the work on `stream` and returns without waiting; the
// result is that of the launch.
template <class Scalar>
cudaError_t largest(RowGeometry<2> const& geometry, int64_t* columns, Scalar const* entries,
                    int64_t count, cudaStream_t stream);

}  // namespace zeta::rowwise::cuda
