#pragma once

#include <cstdint>

namespace zeta::rowwise::cuda {

// One row of an operand.
template <class Scalar>
struct Row {
  Scalar* begin;
  int64_t stride;

  __device__ Scalar& operator[](int64_t column) const { return begin[column * stride]; }
};

// Calls visit(column) for the columns that fall to this thread: neighbours to neighbouring threads.
template <class Group, class Visit>
__device__ void for_each_column(Group const& group, int64_t length, Visit const& visit) {
  for (int64_t column = group.rank(); column < length; column += Group::kThreads) visit(column);
}

template <class Group, class Scalar>
__device__ void fill(Group const& group, Row<Scalar> row, int64_t length, Scalar value) {
  for_each_column(group, length, [&](int64_t column) { row[column] = value; });
}

}  // namespace zeta::rowwise::cuda
