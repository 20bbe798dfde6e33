#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "rowwise/float16.h"
#include "rowwise/row_geometry.h"

// Defined for float, double, Float16 and BFloat16, for a geometry of at least one entry. Queues the
// work on `stream` and returns without waiting; the result is that of the launch.
namespace zeta::rowwise::cuda {

// Operands of the geometry: weights, logits.
template <class Scalar>
cudaError_t sparse_softmax(RowGeometry<2> const& geometry, Scalar* weights, Scalar const* logits,
                           int64_t k, cudaStream_t stream);

// Operands of the geometry: grad_logits, grad_weights, weights.
template <class Scalar>
cudaError_t sparse_softmax_backward(RowGeometry<3> const& geometry, Scalar* grad_logits,
                                    Scalar const* grad_weights, Scalar const* weights,
                                    cudaStream_t stream);

}  // namespace zeta::rowwise::cuda
