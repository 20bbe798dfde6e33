#include "rowwise/cpu/entmax.h"

#include <utility>

#include "mappings/family.h"
#include "rowwise/cpu/capability.h"
#include "rowwise/cpu/kernels.h"

namespace zeta::rowwise::cpu {

namespace {

template <template <class> class MappingOf, class Scalar>
Kernels<Scalar> choose_kernels() {
#ifdef __x86_64__
  switch (capability()) {
    case Capability::kAvx512:
      return avx512::mapping_kernels<MappingOf, Scalar>();
    case Capability::kAvx2:
      return avx2::mapping_kernels<MappingOf, Scalar>();
    case Capability::kDefault:
      break;
  }
#endif
  return baseline::mapping_kernels<MappingOf, Scalar>();
}

template <class Scalar>
Kernels<Scalar> const& kernels(double alpha) {
  return *mappings::with_mapping(alpha, []<template <class> class MappingOf>() {
    static Kernels<Scalar> const result = choose_kernels<MappingOf, Scalar>();
    return &result;
  });
}

}  // namespace

template <class Scalar>
void entmax(double alpha, RowGeometry<2> const& geometry, Scalar* weights, Scalar const* logits,
            int64_t k, int64_t first_row, int64_t last_row) {
  kernels<Scalar>(alpha).forward(alpha, geometry, weights, logits, k, first_row, last_row);
}

template <class Scalar>
void entmax_split(double alpha, Scalar* weights, Scalar const* logits, int64_t length, int64_t k,
                  int64_t parts, Parallel parallel) {
  kernels<Scalar>(alpha).forward_split(alpha, weights, logits, length, k, parts, parallel);
}

template <class Scalar>
void entmax_split_masked(double alpha, Scalar* weights, Scalar const* logits, MaskEntry const* mask,
                         int64_t mask_stride, int64_t length, int64_t k, int64_t parts,
                         Parallel parallel) {
  kernels<Scalar>(alpha).forward_split_masked(alpha, weights, logits, mask, mask_stride, length, k,
                                              parts, parallel);
}

template <class Scalar>
void entmax_backward(double alpha, RowGeometry<3> const& geometry, Scalar* grad_logits,
                     Scalar const* grad_weights, Scalar const* weights, int64_t first_row,
                     int64_t last_row) {
  kernels<Scalar>(alpha).backward(alpha, geometry, grad_logits, grad_weights, weights, first_row,
                                  last_row);
}

template <class Scalar>
void entmax_with_support(double alpha, RowGeometry<3> const& geometry, Scalar* weights,
                         Scalar const* logits, int32_t* support, int64_t k, int64_t first_row,
                         int64_t last_row) {
  kernels<Scalar>(alpha).forward_with_support(alpha, geometry, weights, logits, support, k,
                                              first_row, last_row);
}

template <class Scalar>
void entmax_masked(double alpha, RowGeometry<4> const& geometry, Scalar* weights,
                   Scalar const* logits, int32_t* support, MaskEntry const* mask, int64_t k,
                   int64_t first_row, int64_t last_row) {
  kernels<Scalar>(alpha).forward_masked(alpha, geometry, weights, logits, support, mask, k,
                                        first_row, last_row);
}

template <class Scalar>
void entmax_compact(double alpha, RowGeometry<3> const& geometry, Scalar* values,
                    Scalar const* logits, int64_t* indices, int64_t k, int64_t first_row,
                    int64_t last_row) {
  kernels<Scalar>(alpha).forward_compact(alpha, geometry, values, logits, indices, k, first_row,
                                         last_row);
}

template <class Scalar>
void entmax_compact_masked(double alpha, RowGeometry<4> const& geometry, Scalar* values,
                           Scalar const* logits, int64_t* indices, MaskEntry const* mask, int64_t k,
                           int64_t first_row, int64_t last_row) {
  kernels<Scalar>(alpha).forward_compact_masked(alpha, geometry, values, logits, indices, mask, k,
                                                first_row, last_row);
}

template <class Scalar>
void entmax_support_backward(double alpha, RowGeometry<4> const& geometry, Scalar* grad_logits,
                             Scalar const* grad_weights, Scalar const* weights,
                             int32_t const* support, int64_t capacity, int64_t first_row,
                             int64_t last_row) {
  kernels<Scalar>(alpha).support_backward(alpha, geometry, grad_logits, grad_weights, weights,
                                          support, capacity, first_row, last_row);
}

template <class Scalar>
void entmax_support_backward(double alpha, RowGeometry<3> const& geometry, Scalar* grad_logits,
                             Scalar const* grad_weights, int32_t const* support, int64_t capacity,
                             int64_t first_row, int64_t last_row) {
  auto with_weights = with_operands<4>(geometry);
  std::swap(with_weights.stride[2], with_weights.stride[3]);
  for (int dimension = 0; dimension < geometry.batch_dimensions; ++dimension) {
    auto& strides = with_weights.batch_strides[dimension];
    std::swap(strides[2], strides[3]);
  }
  Scalar const* const no_weights = nullptr;
  entmax_support_backward(alpha, with_weights, grad_logits, grad_weights, no_weights, support,
                          capacity, first_row, last_row);
}

// NOLINTBEGIN(bugprone-macro-parentheses): types take none.
#define ZETA_INSTANTIATE(Scalar)                                                                   \
  template void entmax<Scalar>(double, RowGeometry<2> const&, Scalar*, Scalar const*, int64_t,     \
                               int64_t, int64_t);                                                  \
  template void entmax_masked<Scalar>(double, RowGeometry<4> const&, Scalar*, Scalar const*,       \
                                      int32_t*, MaskEntry const*, int64_t, int64_t, int64_t);      \
  template void entmax_split_masked<Scalar>(double, Scalar*, Scalar const*, MaskEntry const*,      \
                                            int64_t, int64_t, int64_t, int64_t, Parallel);         \
  template void entmax_compact_masked<Scalar>(double, RowGeometry<4> const&, Scalar*,              \
                                              Scalar const*, int64_t*, MaskEntry const*, int64_t,  \
                                              int64_t, int64_t);                                   \
  template void entmax_split<Scalar>(double, Scalar*, Scalar const*, int64_t, int64_t, int64_t,    \
                                     Parallel);                                                    \
  template void entmax_backward<Scalar>(double, RowGeometry<3> const&, Scalar*, Scalar const*,     \
                                        Scalar const*, int64_t, int64_t);                          \
  template void entmax_with_support<Scalar>(double, RowGeometry<3> const&, Scalar*, Scalar const*, \
                                            int32_t*, int64_t, int64_t, int64_t);                  \
  template void entmax_compact<Scalar>(double, RowGeometry<3> const&, Scalar*, Scalar const*,      \
                                       int64_t*, int64_t, int64_t, int64_t);                       \
  template void entmax_support_backward<Scalar>(double, RowGeometry<4> const&, Scalar*,            \
                                                Scalar const*, Scalar const*, int32_t const*,      \
                                                int64_t, int64_t, int64_t);                        \
  template void entmax_support_backward<Scalar>(double, RowGeometry<3> const&, Scalar*,            \
                                                Scalar const*, int32_t const*, int64_t, int64_t,   \
                                                int64_t)
// NOLINTEND(bugprone-macro-parentheses)

ZETA_INSTANTIATE(float);
ZETA_INSTANTIATE(double);
ZETA_INSTANTIATE(Float16);
ZETA_INSTANTIATE(BFloat16);

}  // namespace zeta::rowwise::cpu
