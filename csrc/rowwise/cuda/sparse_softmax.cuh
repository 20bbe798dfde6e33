#include "mappings/sparse_softmax.h"
#include "rowwise/cuda/backward/launch.cuh"
#include "rowwise/cuda/forward/launch.cuh"
#include "rowwise/cuda/sparse_softmax.h"

namespace zeta::rowwise::cuda {

using mappings::SparseSoftmax;

template <class Scalar>
int64_t sparse_softmax_workspace(RowGeometry<3> const& geometry, int64_t k, Plan const& plan) {
  return workspace_bytes<Scalar>(geometry, k, plan);
}

template <class Scalar>
cudaError_t sparse_softmax(RowGeometry<3> const& geometry, Scalar* weights, Scalar const* logits,
                           int32_t* support, int64_t k, Plan const& plan, void* workspace,
                           cudaStream_t stream) {
  ForwardOperands<Scalar> const operands = {weights, logits, support, k};
  return launch_forward<SparseSoftmax>(geometry, operands, plan, workspace, stream);
}

template <class Scalar>
cudaError_t sparse_softmax_backward(RowGeometry<3> const& geometry, Scalar* grad_logits,
                                    Scalar const* grad_weights, Scalar const* weights,
                                    BackwardPlan const& plan, cudaStream_t stream) {
  return launch_backward<SparseSoftmax>(/*alpha=*/2, geometry, grad_logits, grad_weights, weights,
                                        plan, stream);
}

template <class Scalar>
cudaError_t sparse_softmax_support_backward(RowGeometry<3> const& geometry, Scalar* grad_logits,
                                            Scalar const* grad_weights, int32_t const* support,
                                            int64_t capacity, BackwardPlan const& plan,
                                            cudaStream_t stream) {
  return launch_support_backward<SparseSoftmax>(geometry, grad_logits, grad_weights, support,
                                                capacity, plan, stream);
}

// Each type is instantiated in a file of its own, so that they compile in parallel.
#define ZETA_INSTANTIATE(Scalar)                                                                   \
  template int64_t sparse_softmax_workspace<Scalar>(RowGeometry<3> const&, int64_t, Plan const&);  \
  template cudaError_t sparse_softmax<Scalar>(RowGeometry<3> const&, Scalar*, Scalar const*,       \
                                              int32_t*, int64_t, Plan const&, void*,               \
                                              cudaStream_t);                                       \
  template cudaError_t sparse_softmax_backward<Scalar>(RowGeometry<3> const&, Scalar*,             \
                                                       Scalar const*, Scalar const*,               \
                                                       BackwardPlan const&, cudaStream_t);         \
  template cudaError_t sparse_softmax_support_backward<Scalar>(                                    \
      RowGeometry<3> const&, Scalar*, Scalar const*, int32_t const*, int64_t, BackwardPlan const&, \
      cudaStream_t)

}  // namespace zeta::rowwise::cuda
