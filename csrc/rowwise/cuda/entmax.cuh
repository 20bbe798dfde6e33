#include "mappings/family.h"
#include "rowwise/cuda/backward/launch.cuh"
#include "rowwise/cuda/entmax.h"
#include "rowwise/cuda/forward/launch.cuh"
#include "rowwise/cuda/forward/launch_masked.cuh"
#include "rowwise/cuda/forward/masked.cuh"

namespace zeta::rowwise::cuda {

template <class Scalar>
int64_t entmax_workspace(RowGeometry<3> const& geometry, int64_t k, Plan const& plan) {
  return workspace_bytes<Scalar>(geometry, k, plan);
}

template <class Scalar>
cudaError_t entmax(double alpha, RowGeometry<3> const& geometry, Scalar* weights,
                   Scalar const* logits, int32_t* support, int64_t k, Plan const& plan,
                   void* workspace, cudaStream_t stream) {
  ForwardOperands<Scalar> const operands = {weights, logits, support, k};
  return mappings::with_mapping(alpha, [&]<template <class> class MappingOf>() {
    return launch_forward<MappingOf>(alpha, geometry, operands, plan, workspace, stream);
  });
}

template <class Scalar>
cudaError_t entmax_masked(double alpha, RowGeometry<4> const& geometry, Scalar* weights,
                          Scalar const* logits, int32_t* support, MaskEntry const* mask, int64_t k,
                          Plan const& plan, cudaStream_t stream) {
  MaskedOperands<Scalar> const operands = {weights, logits, support, nullptr, mask, alpha, k};
  return launch_forward_masked(geometry, operands, plan, stream);
}

template <class Scalar>
cudaError_t entmax_of_alphas(RowGeometry<4> const& geometry, Scalar* weights, Scalar const* logits,
                             double const* alphas, MaskEntry const* mask, int64_t k,
                             cudaStream_t stream) {
  MaskedOperands<Scalar> const operands = {weights, logits, nullptr, alphas, mask, /*alpha=*/0, k};
  return launch_masked_by_passes(geometry, operands, stream);
}

template <class Scalar>
cudaError_t entmax_backward(double alpha, RowGeometry<3> const& geometry, Scalar* grad_logits,
                            Scalar const* grad_weights, Scalar const* weights,
                            BackwardPlan const& plan, cudaStream_t stream) {
  return mappings::with_mapping(alpha, [&]<template <class> class MappingOf>() {
    return launch_backward<MappingOf>(alpha, geometry, grad_logits, grad_weights, weights, plan,
                                      stream);
  });
}

template <class Scalar>
cudaError_t entmax_support_backward(double alpha, RowGeometry<3> const& geometry,
                                    Scalar* grad_logits, Scalar const* grad_weights,
                                    int32_t const* support, int64_t capacity,
                                    BackwardPlan const& plan, cudaStream_t stream) {
  return mappings::with_mapping(alpha, [&]<template <class> class MappingOf>() {
    return launch_support_backward<MappingOf>(geometry, grad_logits, grad_weights, support,
                                              capacity, plan, stream);
  });
}

// Each type is instantiated in a file of its own, so that they compile in parallel.
#define ZETA_INSTANTIATE(Scalar)                                                                  \
  template int64_t entmax_workspace<Scalar>(RowGeometry<3> const&, int64_t, Plan const&);         \
  template cudaError_t entmax<Scalar>(double, RowGeometry<3> const&, Scalar*, Scalar const*,      \
                                      int32_t*, int64_t, Plan const&, void*, cudaStream_t);       \
  template cudaError_t entmax_masked<Scalar>(double, RowGeometry<4> const&, Scalar*,              \
                                             Scalar const*, int32_t*, MaskEntry const*, int64_t,  \
                                             Plan const&, cudaStream_t);                          \
  template cudaError_t entmax_of_alphas<Scalar>(RowGeometry<4> const&, Scalar*, Scalar const*,    \
                                                double const*, MaskEntry const*, int64_t,         \
                                                cudaStream_t);                                    \
  template cudaError_t entmax_backward<Scalar>(double, RowGeometry<3> const&, Scalar*,            \
                                               Scalar const*, Scalar const*, BackwardPlan const&, \
                                               cudaStream_t);                                     \
  template cudaError_t entmax_support_backward<Scalar>(double, RowGeometry<3> const&, Scalar*,    \
                                                       Scalar const*, int32_t const*, int64_t,    \
                                                       BackwardPlan const&, cudaStream_t)

}  // namespace zeta::rowwise::cuda
