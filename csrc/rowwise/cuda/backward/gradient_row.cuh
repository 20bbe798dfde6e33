#pragma once

#include <cstdint>

#include "rowwise/cuda/passes/row.cuh"
#include "rowwise/float16.h"

// A row of weights with the gradient beside it. The gradient is read only where a weight is not
// zero, and visit(column, weight, grad) is called only there.
namespace zeta::rowwise::cuda {

template <class Scalar>
struct StridedGradientRow {
  StridedRow<Scalar const> weights;
  StridedRow<Scalar const> grads;
  StridedRow<Scalar> result;

  template <class Group, class Visit>
  __device__ void for_each(Group const& group, Visit const& visit) const {
    weights.for_each(group, [&](int64_t column, Scalar weight) {
      if (widen(weight) != 0) visit(column, weight, grads[column]);
    });
  }

  // Writes function(weight, grad) where a weight is not zero, and zeros elsewhere.
  template <class Group, class Function>
  __device__ void map(Group const& group, Function const& function) const {
    weights.map(group, result, [&](int64_t column, Scalar weight) {
      return widen(weight) != 0 ? function(weight, grads[column]) : narrow<Scalar>(0);
    });
  }
};

}  // namespace zeta::rowwise::cuda
