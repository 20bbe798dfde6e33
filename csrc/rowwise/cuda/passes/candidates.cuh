#pragma once

#include <cstdint>
#include <type_traits>

#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/passes/support_row.cuh"
#include "rowwise/ordered_key.h"

namespace zeta::rowwise::cuda {

// Some entries of a row that include its support. They are every `stride`-th element of the arrays,
// so that threads that each walk a list of their own in shared memory use different banks.
template <class Scalar, class Column>
struct Candidates {
  Scalar const* entries;
  Column* columns;
  int count;
  int stride;

  template <class Group, class Visit>
  __device__ void for_each(Group const& group, Visit const& visit) const {
#pragma unroll 2
    for (int i = group.rank(); i < count; i += group.threads()) {
      visit(static_cast<int>(columns[i * stride]), entries[i * stride]);
    }
  }

  // Writes the non-zero weights to a row of zeros, and its support. The list cannot be used
  // afterwards.
  template <class Group, class Row, class Weights>
  __device__ void write(Group const& group, Row const& row, Weights const& weights,
                        SupportRow const& support) const {
    constexpr Column kNotInSupport = kGreatest<Column>;
    EntryCount written;
#pragma unroll 1
    for (int i = group.rank(); i < count; i += group.threads()) {
      Column& column = columns[i * stride];
      Scalar const weight = weights(static_cast<int>(column), entries[i * stride]);
      if (widen(weight) != 0) {
        row[column] = weight;
        ++written.value;
      } else if (support.is_wanted()) {
        column = kNotInSupport;
      }
    }
    if (!support.is_wanted()) return;

    // The indices are written in increasing order: the place of each is the number of smaller ones.
    group.synchronize();
#pragma unroll 1
    for (int i = group.rank(); i < count; i += group.threads()) {
      Column const column = columns[i * stride];
      if (column == kNotInSupport) continue;
      int place = 1;
#pragma unroll 1
      for (int j = 0; j < count; ++j) place += columns[j * stride] < column ? 1 : 0;
      support.begin[place] = column;
    }
    // A row with candidates is ordinary, since its maximum is one of them.
    bool const is_ordinary = count > 0;
    support.close(group, group.reduce(written).value, is_ordinary);
  }
};

template <class Scalar>
struct LargestKey {
  // It is at least as wide as a register, as shuffles need.
  std::conditional_t<sizeof(Scalar) == 8, int64_t, int32_t> value;

  __device__ void add(LargestKey other) {
    if (other.value > value) value = other.value;
  }
};

}  // namespace zeta::rowwise::cuda
