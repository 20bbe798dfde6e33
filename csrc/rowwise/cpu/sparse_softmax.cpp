#include "rowwise/cpu/sparse_softmax.h"

#include "mappings/sparse_softmax.h"
#include "rowwise/cpu/backward.h"
#include "rowwise/cpu/forward.h"

namespace zeta::rowwise::cpu {

template <class Scalar>
void sparse_softmax(RowGeometry<2> const& geometry, Scalar* weights, Scalar const* logits,
                    int64_t k, int64_t first_row, int64_t last_row) {
  forward<mappings::SparseSoftmax>(geometry, weights, logits, k, first_row, last_row);
}

template <class Scalar>
void sparse_softmax_backward(RowGeometry<3> const& geometry, Scalar* grad_logits,
                             Scalar const* grad_weights, Scalar const* weights, int64_t first_row,
                             int64_t last_row) {
  backward<mappings::SparseSoftmax>(geometry, grad_logits, grad_weights, weights, first_row,
                                    last_row);
}

#define ZETA_INSTANTIATE(Scalar)                                                               \
  template void sparse_softmax<Scalar>(RowGeometry<2> const&, Scalar*, Scalar const*, int64_t, \
                                       int64_t, int64_t);                                      \
  template void sparse_softmax_backward<Scalar>(RowGeometry<3> const&, Scalar*, Scalar const*, \
                                                Scalar const*, int64_t, int64_t)

ZETA_INSTANTIATE(float);
ZETA_INSTANTIATE(double);
ZETA_INSTANTIATE(Float16);
ZETA_INSTANTIATE(BFloat16);

}  // namespace zeta::rowwise::cpu
