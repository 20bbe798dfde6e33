#pragma once

#include <cstdint>

#include "rowwise/cuda/passes/list_columns.cuh"
#include "rowwise/float16.h"
#include "rowwise/saved_support.h"

namespace zeta::rowwise::cuda {

// Where the forward writes a row's support for the backward, if the caller wants it.
struct SupportRow {
  int32_t* begin;  // null if it is not wanted; else the count, which the indices follow
  int64_t capacity;
  bool exists;  // false for a group without a row that goes on because of others

  __device__ bool is_wanted() const { return begin != nullptr; }

  // Writes the count, and fills what follows the indices.
  template <class Group>
  __device__ void close(Group const& group, int64_t count, bool is_ordinary) const {
    if (!exists) return;
    if (group.rank() == 0) begin[0] = is_ordinary ? static_cast<int32_t>(count) : kNaNRow;
#pragma unroll 1
    for (int64_t i = (is_ordinary ? count : 0) + group.rank(); i < capacity; i += group.threads()) {
      begin[1 + i] = kNoColumn;
    }
  }

  // Writes the indices of a row's non-zero weights and calls close(). Other threads of the group
  // may have written the weights.
  template <class Group, class Row>
  __device__ void list_nonzero(Group const& group, Row const& weights, int64_t length,
                               bool is_ordinary) const {
    group.synchronize();
    int64_t const count = list_columns(
        group, length,
        [&](int64_t column) { return exists && is_ordinary && widen(weights[column]) != 0; },
        [&](int64_t place, int64_t column) { begin[1 + place] = static_cast<int32_t>(column); });
    close(group, count, is_ordinary);
  }
};

}  // namespace zeta::rowwise::cuda
