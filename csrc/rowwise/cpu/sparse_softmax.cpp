#include "rowwise/cpu/sparse_softmax.h"

#include "rowwise/cpu/capability.h"
#include "rowwise/cpu/kernels.h"

namespace zeta::rowwise::cpu {

namespace {

template <class Scalar>
Kernels<Scalar> choose_kernels() {
#ifdef __x86_64__
  switch (capability()) {
    case Capability::kAvx512:
      return avx512::sparse_softmax_kernels<Scalar>();
    case Capability::kAvx2:
      return avx2::sparse_softmax_kernels<Scalar>();
    case Capability::kDefault:
      break;
  }
#endif
  return baseline::sparse_softmax_kernels<Scalar>();
}

template <class Scalar>
Kernels<Scalar> const& kernels() {
  static Kernels<Scalar> const result = choose_kernels<Scalar>();
  return result;
}

}  // namespace

template <class Scalar>
void sparse_softmax(RowGeometry<2> const& geometry, Scalar* weights, Scalar const* logits,
                    int64_t k, int64_t first_row, int64_t last_row) {
  kernels<Scalar>().forward(geometry, weights, logits, k, first_row, last_row);
}

template <class Scalar>
void sparse_softmax_split(Scalar* weights, Scalar const* logits, int64_t length, int64_t k,
                          int64_t parts, Parallel parallel) {
  kernels<Scalar>().forward_split(weights, logits, length, k, parts, parallel);
}

template <class Scalar>
void sparse_softmax_backward(RowGeometry<3> const& geometry, Scalar* grad_logits,
                             Scalar const* grad_weights, Scalar const* weights, int64_t first_row,
                             int64_t last_row) {
  kernels<Scalar>().backward(geometry, grad_logits, grad_weights, weights, first_row, last_row);
}

template <class Scalar>
void sparse_softmax_with_support(RowGeometry<3> const& geometry, Scalar* weights,
                                 Scalar const* logits, int32_t* support, int64_t k,
                                 int64_t first_row, int64_t last_row) {
  kernels<Scalar>().forward_with_support(geometry, weights, logits, support, k, first_row,
                                         last_row);
}

template <class Scalar>
void sparse_softmax_support_backward(RowGeometry<3> const& geometry, Scalar* grad_logits,
                                     Scalar const* grad_weights, int32_t const* support,
                                     int64_t capacity, int64_t first_row, int64_t last_row) {
  kernels<Scalar>().support_backward(geometry, grad_logits, grad_weights, support, capacity,
                                     first_row, last_row);
}

// NOLINTBEGIN(bugprone-macro-parentheses): types take none.
#define ZETA_INSTANTIATE(Scalar)                                                                   \
  template void sparse_softmax<Scalar>(RowGeometry<2> const&, Scalar*, Scalar const*, int64_t,     \
                                       int64_t, int64_t);                                          \
  template void sparse_softmax_split<Scalar>(Scalar*, Scalar const*, int64_t, int64_t, int64_t,    \
                                             Parallel);                                            \
  template void sparse_softmax_backward<Scalar>(RowGeometry<3> const&, Scalar*, Scalar const*,     \
                                                Scalar const*, int64_t, int64_t);                  \
  template void sparse_softmax_with_support<Scalar>(RowGeometry<3> const&, Scalar*, Scalar const*, \
                                                    int32_t*, int64_t, int64_t, int64_t);          \
  template void sparse_softmax_support_backward<Scalar>(                                           \
      RowGeometry<3> const&, Scalar*, Scalar const*, int32_t const*, int64_t, int64_t, int64_t)
// NOLINTEND(bugprone-macro-parentheses)

ZETA_INSTANTIATE(float);
ZETA_INSTANTIATE(double);
ZETA_INSTANTIATE(Float16);
ZETA_INSTANTIATE(BFloat16);

}  // namespace zeta::rowwise::cpu
