#pragma once

#include <cstdint>

#include "rowwise/cuda/passes/row.cuh"
#include "rowwise/float16.h"

// A row of weights with the gradient beside it. The gradient is read only where a weight is not
// zero: `visit(column, weight, grad)` is called there alone.
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

  // Writes function(weight, grad) there, and zeros elsewhere.
  template <class Group, class Function>
  __device__ void map(Group const& group, Function const& function) const {
    weights.map(group, result, [&](int64_t column, Scalar weight) {
      return widen(weight) != 0 ? function(weight, grads[column]) : narrow<Scalar>(0);
    });
  }
};

template <class Scalar>
struct ContiguousGradientRow {
  ContiguousRow<Scalar const> weights;
  ContiguousRow<Scalar const> grads;
  ContiguousRow<Scalar> result;

  template <class Group, class Visit>
  __device__ void for_each(Group const& group, Visit const& visit) const {
    for_each_piece(group, [&](int first, auto const& piece, auto const& piece_grads) {
#pragma unroll
      for (int i = 0; i < Piece<Scalar>::kEntries; ++i) {
        bool const is_in_support = weights.holds(first + i) && widen(piece.entries[i]) != 0;
        if (is_in_support) visit(first + i, piece.entries[i], piece_grads.entries[i]);
      }
    });
  }

  template <class Group, class Function>
  __device__ void map(Group const& group, Function const& function) const {
    for_each_piece(group, [&](int first, auto piece, auto const& piece_grads) {
#pragma unroll
      for (int i = 0; i < Piece<Scalar>::kEntries; ++i) {
        piece.entries[i] = widen(piece.entries[i]) != 0
                               ? function(piece.entries[i], piece_grads.entries[i])
                               : narrow<Scalar>(0);
      }
      result.store(first, piece);
    });
  }

 private:
  // Calls visit(first column, piece of weights, piece of grads).
  template <class Group, class Visit>
  __device__ void for_each_piece(Group const& group, Visit const& visit) const {
    weights.for_each_piece(group, [&](int first, Piece<Scalar> const& piece) {
      bool has_support = false;
#pragma unroll
      for (int i = 0; i < Piece<Scalar>::kEntries; ++i) {
        has_support |= widen(piece.entries[i]) != 0;
      }
      visit(first, piece, has_support ? grads.load(first) : Piece<Scalar>{});
    });
  }
};

}  // namespace zeta::rowwise::cuda
