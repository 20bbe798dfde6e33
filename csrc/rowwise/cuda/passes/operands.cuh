#pragma once

#include <cstdint>

#include "rowwise/cuda/find_row.cuh"
#include "rowwise/cuda/passes/row.cuh"
#include "rowwise/cuda/passes/support_row.cuh"
#include "rowwise/row_geometry.h"

// The operands of a forward, and one row of them. Rows beyond the last one are empty: a group
// without a row has to go on if it shares barriers with groups that have one.
namespace zeta::rowwise::cuda {

template <class Scalar>
struct ForwardRow {
  Scalar* weights_begin;
  Scalar const* logits_begin;
  int64_t weights_stride;
  int64_t logits_stride;
  int64_t length;
  SupportRow support;

  // These need a contiguous row of less than 2^31 entries.
  __device__ ContiguousRow<Scalar const> logits() const {
    return {logits_begin, static_cast<int>(length)};
  }
  __device__ ContiguousRow<Scalar> weights() const {
    return {weights_begin, static_cast<int>(length)};
  }
  __device__ StridedRow<Scalar const> strided_logits() const {
    return {logits_begin, logits_stride, length};
  }
  __device__ StridedRow<Scalar> strided_weights() const {
    return {weights_begin, weights_stride, length};
  }
};

// The geometry's operands are weights, logits and support.
template <class Scalar>
struct ForwardOperands {
  Scalar* weights;
  Scalar const* logits;
  int32_t* support;  // null if the caller does not want it
  int64_t k;

  __device__ ForwardRow<Scalar> row(RowGeometry<3> const& geometry, int64_t number) const {
    bool const exists = number < geometry.rows;
    int64_t offsets[3] = {0, 0, 0};
    if (exists) find_row(geometry, number, offsets);
    return row_at(geometry, offsets, exists);
  }

  // The geometry may have more operands.
  template <int Operands>
  __device__ ForwardRow<Scalar> row_at(RowGeometry<Operands> const& geometry,
                                       int64_t const (&offsets)[Operands], bool exists) const {
    return {weights + offsets[0],
            logits + offsets[1],
            geometry.stride[0],
            geometry.stride[1],
            exists ? geometry.length : 0,
            {support == nullptr ? nullptr : support + offsets[2],
             k < geometry.length ? k : geometry.length, exists}};
  }
};

}  // namespace zeta::rowwise::cuda
