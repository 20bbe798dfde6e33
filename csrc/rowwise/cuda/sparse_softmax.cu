#include "mappings/sparse_softmax.h"
#include "rowwise/cuda/launch.cuh"
#include "rowwise/cuda/sparse_softmax.h"

namespace zeta::rowwise::cuda {

template <class Scalar>
cudaError_t sparse_softmax(RowGeometry<2> const& geometry, Scalar* weights, Scalar const* logits,
                           int64_t k, cudaStream_t stream) {
  return launch_forward<mappings::SparseSoftmax>(geometry, weights, logits, k, stream);
}

template <class Scalar>
cudaError_t sparse_softmax_backward(RowGeometry<3> const& geometry, Scalar* grad_logits,
                                    Scalar const* grad_weights, Scalar const* weights,
                                    cudaStream_t stream) {
  return launch_backward<mappings::SparseSoftmax>(geometry, grad_logits, grad_weights, weights,
                                                  stream);
}

#define ZETA_INSTANTIATE(Scalar)                                                             \
  template cudaError_t sparse_softmax<Scalar>(RowGeometry<2> const&, Scalar*, Scalar const*, \
                                              int64_t, cudaStream_t);                        \
  template cudaError_t sparse_softmax_backward<Scalar>(RowGeometry<3> const&, Scalar*,       \
                                                       Scalar const*, Scalar const*, cudaStream_t)

ZETA_INSTANTIATE(float);
ZETA_INSTANTIATE(double);
ZETA_INSTANTIATE(Float16);
ZETA_INSTANTIATE(BFloat16);

}  // namespace zeta::rowwise::cuda
