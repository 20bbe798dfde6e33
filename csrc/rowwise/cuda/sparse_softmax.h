#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "rowwise/cuda/backward/plan.h"
#include "rowwise/cuda/forward/plan.h"
#include "rowwise/float16.h"
#include "rowwise/row_geometry.h"

// Defined for float, double, Float16 and BFloat16, for a geometry of at least one entry and a plan
// of its shape. Queues the work on `stream` and returns without waiting; the result is that of the
// launch.
namespace zeta::rowwise::cuda {

// Bytes of device memory that sparse_softmax() is to be given, or 0.
template <class Scalar>
int64_t sparse_softmax_workspace(RowGeometry<3> const& geometry, int64_t k, Plan const& plan);

// Operands of the geometry: weights, logits, support. The support is as rowwise/saved_support.h has
// it, of capacity min(k, length), its entries of a row neighbours in memory; or null, if nobody
// asks for it.
template <class Scalar>
cudaError_t sparse_softmax(RowGeometry<3> const& geometry, Scalar* weights, Scalar const* logits,
                           int32_t* support, int64_t k, Plan const& plan, void* workspace,
                           cudaStream_t stream);

// Operands of the geometry: grad_logits, grad_weights, weights.
template <class Scalar>
cudaError_t sparse_softmax_backward(RowGeometry<3> const& geometry, Scalar* grad_logits,
                                    Scalar const* grad_weights, Scalar const* weights,
                                    BackwardPlan const& plan, cudaStream_t stream);

// As sparse_softmax_backward of the weights that had this support, in which each column stands
// once. Operands of the geometry: grad_logits, grad_weights, support.
template <class Scalar>
cudaError_t sparse_softmax_support_backward(RowGeometry<3> const& geometry, Scalar* grad_logits,
                                            Scalar const* grad_weights, int32_t const* support,
                                            int64_t capacity, BackwardPlan const& plan,
                                            cudaStream_t stream);

}  // namespace zeta::rowwise::cuda
