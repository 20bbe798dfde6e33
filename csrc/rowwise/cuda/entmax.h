#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "rowwise/cuda/backward/plan.h"
#include "rowwise/cuda/forward/plan.h"
#include "rowwise/export.h"
#include "rowwise/float16.h"
#include "rowwise/mask.h"
#include "rowwise/row_geometry.h"

// The capped entmax family: alpha = 2 is sparse_softmax, alpha = 1 softmax of the k largest
// entries.
//
// These functions are defined for float, double, Float16 and BFloat16. The geometry must have at
// least one entry, and the plan must be one for its shape, which says whether alpha has kernels by
// passes alone. A launch queues the work on `stream` and returns its error without waiting.
namespace zeta::rowwise::cuda {

// Returns the bytes of device memory that entmax() needs as `workspace`.
template <class Scalar>
ZETA_ENGINE_API int64_t entmax_workspace(RowGeometry<3> const& geometry, int64_t k,
                                         Plan const& plan);

// The geometry's operands are weights, logits and support. The support has the format of
// rowwise/saved_support.h and the capacity min(k, length). Each of its rows is contiguous. It is
// null if the caller does not want it.
template <class Scalar>
ZETA_ENGINE_API cudaError_t entmax(double alpha, RowGeometry<3> const& geometry, Scalar* weights,
                                   Scalar const* logits, int32_t* support, int64_t k,
                                   Plan const& plan, void* workspace, cudaStream_t stream);

// Does what entmax() does for rows of which a mask leaves entries out. The geometry's operands are
// weights, logits, support and mask. The place of a support that is null is that of anything.
template <class Scalar>
ZETA_ENGINE_API cudaError_t entmax_masked(double alpha, RowGeometry<4> const& geometry,
                                          Scalar* weights, Scalar const* logits, int32_t* support,
                                          MaskEntry const* mask, int64_t k, Plan const& plan,
                                          cudaStream_t stream);

// Does what entmax() does with an alpha for each row, which it reads on the device. The weights of
// rows whose alpha is outside of the family are NaN. The geometry's operands are weights, logits,
// alphas and mask. The mask may be null, and its place that of anything.
template <class Scalar>
ZETA_ENGINE_API cudaError_t entmax_of_alphas(RowGeometry<4> const& geometry, Scalar* weights,
                                             Scalar const* logits, double const* alphas,
                                             MaskEntry const* mask, int64_t k, cudaStream_t stream);

// The geometry's operands are grad_logits, grad_weights and weights.
template <class Scalar>
ZETA_ENGINE_API cudaError_t entmax_backward(double alpha, RowGeometry<3> const& geometry,
                                            Scalar* grad_logits, Scalar const* grad_weights,
                                            Scalar const* weights, BackwardPlan const& plan,
                                            cudaStream_t stream);

// For alpha = 2 alone; for any other the error is cudaErrorInvalidValue. Computes what
// entmax_backward() computes from the weights that had this support. No index may occur twice in a
// row of the support. The geometry's operands are grad_logits, grad_weights and support.
template <class Scalar>
ZETA_ENGINE_API cudaError_t entmax_support_backward(double alpha, RowGeometry<3> const& geometry,
                                                    Scalar* grad_logits, Scalar const* grad_weights,
                                                    int32_t const* support, int64_t capacity,
                                                    BackwardPlan const& plan, cudaStream_t stream);

}  // namespace zeta::rowwise::cuda
