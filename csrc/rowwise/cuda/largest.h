#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "rowwise/export.h"
#include "rowwise/float16.h"
#include "rowwise/mask.h"
#include "rowwise/row_geometry.h"

namespace zeta::rowwise::cuda {

// Does what cpu::largest does, for all rows. Queues the work on `stream` and returns the launch's
// error without waiting.
template <class Scalar>
ZETA_ENGINE_API cudaError_t largest(RowGeometry<2> const& geometry, int64_t* columns,
                                    Scalar const* entries, int64_t count, cudaStream_t stream);

// Does what cpu::largest_masked does, likewise.
template <class Scalar>
ZETA_ENGINE_API cudaError_t largest_masked(RowGeometry<3> const& geometry, int64_t* columns,
                                           Scalar const* entries, MaskEntry const* mask,
                                           int64_t count, cudaStream_t stream);

}  // namespace zeta::rowwise::cuda
