#pragma once

#include <cstdint>

#include "rowwise/cuda/passes/candidates.cuh"
#include "rowwise/cuda/passes/support.cuh"
#include "rowwise/cuda/passes/support_row.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/ordered_key.h"

// A thread to a list, for k <= kMostLargest: the k largest candidates by insertion, and their
// weights at once, without a pass for each step of a search.
namespace zeta::rowwise::cuda {

// The K largest entries of a list, larger first, the lower columns first among equals.
template <class Scalar, int K>
class FewLargest {
 public:
  template <class Column>
  __device__ explicit FewLargest(Candidates<Scalar, Column> const& list) {
#pragma unroll
    for (int i = 0; i < K; ++i) {
      keys_[i] = kLeast<int32_t>;
      columns_[i] = 0;
    }
    for (int i = 0; i < list.count; ++i) {
      insert(selection_key(list.entries[i * list.stride]), list.columns[i * list.stride]);
    }
  }

  // -inf where there are fewer.
  __device__ double logit(int i) const {
    bool const exists = keys_[i] != kLeast<int32_t>;
    return exists ? widen(scalar_of<Scalar>(static_cast<key_t<Scalar>>(keys_[i]))) : -INFINITY;
  }
  __device__ int column(int i) const { return columns_[i]; }

 private:
  __device__ void insert(int32_t key, int column) {
#pragma unroll
    for (int i = 0; i < K; ++i) {
      bool const comes_before = key > keys_[i] || (key == keys_[i] && column < columns_[i]);
      int32_t const next_key = comes_before ? keys_[i] : key;
      int const next_column = comes_before ? columns_[i] : column;
      keys_[i] = comes_before ? key : keys_[i];
      columns_[i] = comes_before ? column : columns_[i];
      key = next_key;
      column = next_column;
    }
  }

  int32_t keys_[K];
  int columns_[K];
};

// Writes the weights of a list that are not zero to a row of zeros, with K = k.
template <int K, class Mapping, class Scalar, class Column>
__device__ void write_few_largest(typename Mapping::Fixed const& fixed,
                                  Candidates<Scalar, Column> const& list,
                                  ContiguousRow<Scalar> const& row, SupportRow const& support) {
  FewLargest<Scalar, K> const largest(list);
  double logits[K];
  double weights[K];
#pragma unroll
  for (int i = 0; i < K; ++i) logits[i] = largest.logit(i);
  Mapping::weights_of_largest(logits, fixed, weights);

  bool is_written[K];
  int count = 0;
#pragma unroll
  for (int i = 0; i < K; ++i) {
    auto const weight = narrow<Scalar>(weights[i]);
    is_written[i] = i < list.count && widen(weight) != 0;
    if (!is_written[i]) continue;
    row[largest.column(i)] = weight;
    ++count;
  }
  if (!support.is_wanted()) return;
#pragma unroll
  for (int i = 0; i < K; ++i) {
    int place = 1;
#pragma unroll
    for (int j = 0; j < K; ++j) {
      place += is_written[j] && largest.column(j) < largest.column(i) ? 1 : 0;
    }
    if (is_written[i]) support.begin[place] = largest.column(i);
  }
  bool const is_ordinary = list.count > 0;
  support.close(Lanes(1), count, is_ordinary);
}

// The same for k <= kMostLargest.
template <class Mapping, class Scalar, class Column>
__device__ void write_few_largest(typename Mapping::Fixed const& fixed,
                                  Candidates<Scalar, Column> const& list,
                                  ContiguousRow<Scalar> const& row, SupportRow const& support,
                                  int64_t k) {
  static_assert(kMostLargest == 4);
  if (k == 1) write_few_largest<1, Mapping>(fixed, list, row, support);
  if (k == 2) write_few_largest<2, Mapping>(fixed, list, row, support);
  if (k == 3) write_few_largest<3, Mapping>(fixed, list, row, support);
  if (k == 4) write_few_largest<4, Mapping>(fixed, list, row, support);
}

}  // namespace zeta::rowwise::cuda
