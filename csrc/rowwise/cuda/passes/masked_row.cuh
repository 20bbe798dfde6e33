#pragma once

#include <cstdint>

#include "rowwise/cuda/passes/row.cuh"
#include "rowwise/mask.h"

namespace zeta::rowwise::cuda {

namespace detail {

struct Count {
  int64_t count = 0;

  __device__ void add(Count other) { count += other.count; }
};

}  // namespace detail

// A row whose entries are -inf where a mask leaves them out, if there is a mask.
template <class Scalar>
struct MaskedRow {
  using Value = typename StridedRow<Scalar>::Value;

  StridedRow<Scalar> row;
  MaskEntry const* mask;  // null if all entries take part
  int64_t mask_stride;
  int64_t length;

  __device__ bool takes_part(int64_t column) const {
    return mask == nullptr || mask[column * mask_stride] != 0;
  }

  __device__ Value operator[](int64_t column) const {
    return takes_part(column) ? Value{row[column]} : detail::minus_infinity<Value>();
  }

  template <class Group, class Visit>
  __device__ void for_each(Group const& group, Visit const& visit) const {
    row.for_each(group, [&](int64_t column, Value entry) {
      visit(column, takes_part(column) ? entry : detail::minus_infinity<Value>());
    });
  }

  template <class Group, class Result, class Function>
  __device__ void map(Group const& group, StridedRow<Result> const& result,
                      Function const& function) const {
    for_each(group, [&](int64_t column, Value entry) { result[column] = function(column, entry); });
  }

  template <class Group>
  __device__ bool leaves_out_all(Group const& group) const {
    detail::Count taking_part;
    for (int64_t column = group.rank(); column < length; column += group.threads()) {
      if (takes_part(column)) ++taking_part.count;
    }
    return group.reduce(taking_part).count == 0;
  }
};

}  // namespace zeta::rowwise::cuda
