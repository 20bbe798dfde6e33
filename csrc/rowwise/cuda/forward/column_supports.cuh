#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>

#include "rowwise/cuda/forward/column_lists.cuh"
#include "rowwise/cuda/forward/column_tile.cuh"
#include "rowwise/cuda/forward/first_weights.cuh"
#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/passes/candidates.cuh"
#include "rowwise/cuda/passes/support.cuh"
#include "rowwise/cuda/stages/words.cuh"
#include "rowwise/saved_support.h"

// Turns the candidates of all parts of rows into weights.
namespace zeta::rowwise::cuda {

// The first K candidates of some parts of a row. Larger ones come first, and of equal ones that
// with the lower index.
template <int K>
struct FirstCandidates {
  float values[K];
  int columns[K];

  __device__ FirstCandidates() {
#pragma unroll
    for (int i = 0; i < K; ++i) {
      values[i] = -INFINITY;
      columns[i] = INT32_MAX;
    }
  }

  __device__ void insert(float value, int column) {
#pragma unroll
    for (int i = 0; i < K; ++i) {
      bool const is_before = value > values[i] || (value == values[i] && column < columns[i]);
      float const other_value = values[i];
      int const other_column = columns[i];
      values[i] = is_before ? value : other_value;
      columns[i] = is_before ? column : other_column;
      value = is_before ? other_value : value;
      column = is_before ? other_column : column;
    }
  }
};

// Weighs rows for small k. Each part finds its first candidates. Then half of the parts add those
// of the other half to their own, until one part has those of all.
template <class Mapping, class Scalar, int K>
class FewOfColumns {
 public:
  using Memory = ColumnMemory<Scalar>;
  using Tile = ColumnTile<Scalar>;
  using List = ColumnList<Scalar>;

  __device__ FewOfColumns(Memory const& memory, Tile const& tile, int k,
                          typename Mapping::Fixed const& fixed)
      : memory_(memory), tile_(tile), k_(k), fixed_(fixed) {}

  // Writes the weights of the block's rows. Each thread passes its own part.
  template <class Part>
  __device__ void write(Part const& part) const {
#pragma unroll 1
    for (int row = 0; row < kPerWord<Scalar>; ++row) {
      FirstCandidates<K> first;
      List const list = memory_.list(static_cast<int>(threadIdx.x), row);
#pragma unroll 1
      for (int i = 0; i < part.count(row); ++i) {
        int const place = list.place(i);
        first.insert(list.value(place), tile_.column(list.step(place), tile_.part()));
      }
      merge_parts(first, row);
      if (tile_.part() == 0) write_row(first, row);
    }
  }

 private:
  // Two words for each of K candidates, in the memory of a list that is no longer read.
  __device__ static uint32_t& first_word(List const& list, int i) {
    return list.word(list.place(2 * i));
  }
  __device__ static uint32_t& second_word(List const& list, int i) {
    return list.word(list.place(2 * i + 1));
  }

  __device__ void merge_parts(FirstCandidates<K>& first, int row) const {
    List const own = memory_.list(static_cast<int>(threadIdx.x), row);
#pragma unroll 1
    for (int half = memory_.tiles().parts / 2; half > 0; half /= 2) {
      if (tile_.part() >= half && tile_.part() < 2 * half) {
#pragma unroll
        for (int i = 0; i < K; ++i) {
          first_word(own, i) = rowwise::detail::bits_of(first.values[i]);
          second_word(own, i) = static_cast<uint32_t>(first.columns[i]);
        }
      }
      __syncthreads();
      if (tile_.part() >= half) continue;
      List const other = memory_.list(memory_.thread_of(tile_.part() + half, tile_.place()), row);
#pragma unroll 1
      for (int i = 0; i < K; ++i) {
        first.insert(rowwise::detail::float_from_bits(first_word(other, i)),
                     static_cast<int>(second_word(other, i)));
      }
    }
  }

  __device__ void write_row(FirstCandidates<K> const& first, int row) const {
    List const own = memory_.list(static_cast<int>(threadIdx.x), row);
#pragma unroll
    for (int i = 0; i < K; ++i) second_word(own, i) = static_cast<uint32_t>(first.columns[i]);
    bool const is_ordinary = is_finite(first.values[0]);
    float weights[K];
    weigh_numbers<Mapping, Scalar>(first.values, k_, fixed_, weights);
#pragma unroll
    for (int i = 0; i < K; ++i) {
      first_word(own, i) = is_ordinary ? bits_of_word(word_of<Scalar>(weights[i])) : 0;
    }
    memory_.count(tile_.place(), row) = is_ordinary ? 0 : kNaNColumnRow;

    auto const result = tile_.weights(tile_.place(), row);
    auto const support = tile_.support(tile_.place(), row, k_);
    int count = 0;
#pragma unroll 1
    for (int i = 0; i < K; ++i) {
      if (first_word(own, i) == 0) continue;
      auto const column = static_cast<int>(second_word(own, i));
      result[column] = scalar_of_word(first_word(own, i));
      if (support.is_wanted()) support.begin[1 + place_in_support(own, column)] = column;
      ++count;
    }
    if (support.is_wanted()) support.close(Lanes(1), count, is_ordinary);
  }

  // Returns how many non-zero weights have lower indices.
  __device__ static int place_in_support(List const& weights, int column) {
    int place = 0;
#pragma unroll 1
    for (int i = 0; i < K; ++i) {
      bool const is_lower = static_cast<int>(second_word(weights, i)) < column;
      place += first_word(weights, i) != 0 && is_lower ? 1 : 0;
    }
    return place;
  }

  __device__ static Scalar scalar_of_word(uint32_t bits) {
    if constexpr (sizeof(Scalar) == 4) {
      return rowwise::detail::float_from_bits(bits);
    } else {
      return {static_cast<uint16_t>(bits)};
    }
  }

  Memory const& memory_;
  Tile const& tile_;
  int k_;
  typename Mapping::Fixed const& fixed_;
};

// All candidates of a row, for a warp or for one of its lanes to visit.
template <class Scalar>
class RowCandidates {
 public:
  using List = ColumnList<Scalar>;

  __device__ RowCandidates(ColumnMemory<Scalar> const& memory, ColumnTile<Scalar> const& tile,
                           int place, int row)
      : memory_(memory), tile_(tile), place_(place), row_(row) {}

  // Calls visit(list, place in it, index in the row).
  template <class Visit>
  __device__ void for_each_place(Lanes const& lanes, Visit const& visit) const {
    // `parts` and `at_once` are powers of two. If there are more lanes than lists, several share
    // one.
    int const parts = memory_.tiles().parts;
    int const at_once = parts < lanes.threads() ? parts : lanes.threads();
    int const shift = __ffs(at_once) - 1;
#pragma unroll 1
    for (int part = lanes.rank() & (at_once - 1); part < parts; part += at_once) {
      int const thread = memory_.thread_of(part, place_);
      List const list = memory_.list(thread, row_);
      int const count = memory_.count(thread, row_);
#pragma unroll 1
      for (int i = lanes.rank() >> shift; i < count; i += lanes.threads() >> shift) {
        int const place = list.place(i);
        visit(list, place, tile_.column(list.step(place), part));
      }
    }
  }

  template <class Visit>
  __device__ void for_each(Lanes const& lanes, Visit const& visit) const {
    for_each_place(
        lanes, [&](List const& list, int place, int column) { visit(column, list.entry(place)); });
  }

  __device__ bool is_crowded(Lanes const& lanes) const {
    bool result = false;
#pragma unroll 1
    for (int part = lanes.rank(); part < memory_.tiles().parts; part += lanes.threads()) {
      result = result || memory_.count(memory_.thread_of(part, place_), row_) == kCrowdedList;
    }
    return lanes.any(result);
  }

  // Returns the key of the maximum, or that of infinity if an entry is NaN or infinite.
  __device__ key_t<widened_t<Scalar>> key_of_maximum(Lanes const& lanes) const {
    using Real = widened_t<Scalar>;
    LargestKey<Real> largest = {key_of(-static_cast<Real>(INFINITY))};
    for_each_place(
        lanes, [&](List const& list, int place, int) { largest.add({key_of(list.value(place))}); });
    return lanes.reduce(largest).value;
  }

 private:
  ColumnMemory<Scalar> const& memory_;
  ColumnTile<Scalar> const& tile_;
  int place_;
  int row_;
};

// Writes the non-zero weights, and the support. The lists cannot be used afterwards.
template <class Scalar, class Weights>
__device__ inline void write_candidates(Lanes const& warp, RowCandidates<Scalar> const& candidates,
                                        Weights const& weights, StridedRow<Scalar> const& result,
                                        SupportRow const& support) {
  using List = ColumnList<Scalar>;
  EntryCount count;
  candidates.for_each_place(warp, [&](List const& list, int place, int column) {
    Scalar const weight = weights(column, list.entry(place));
    if (widen(weight) != 0) {
      result[column] = weight;
      ++count.value;
    } else {
      list.discard(place);
    }
  });
  if (!support.is_wanted()) return;

  warp.synchronize();
  candidates.for_each_place(warp, [&](List const& own, int own_place, int column) {
    if (own.is_discarded(own_place)) return;
    int place = 1;
    candidates.for_each_place(Lanes(1), [&](List const& list, int other_place, int other) {
      place += !list.is_discarded(other_place) && other < column ? 1 : 0;
    });
    support.begin[place] = column;
  });
  support.close(warp, warp.reduce(count).value, true);
}

// Weighs the rows of the block, of which a warp takes one at a time. Rows that have too many
// candidates are only marked.
template <class Mapping, class Scalar>
__device__ inline void write_listed(ColumnMemory<Scalar> const& memory,
                                    ColumnTile<Scalar> const& tile, int k,
                                    typename Mapping::Fixed const& fixed) {
  using Real = widened_t<Scalar>;
  constexpr int kRows = kPerWord<Scalar>;
  Lanes const warp(kWarpThreads);
  int const rows = memory.tiles().threads_per_part * kRows;
  int const warps = static_cast<int>(blockDim.x) / kWarpThreads;
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x) / kWarpThreads; i < rows; i += warps) {
    int const place = i / kRows;
    int const row = i % kRows;
    RowCandidates<Scalar> const candidates(memory, tile, place, row);
    auto const support = tile.support(place, row, k);
    int state = 0;
    if (candidates.is_crowded(warp)) {
      state = kCrowdedList;
    } else {
      Real const maximum = scalar_of<Real>(candidates.key_of_maximum(warp));
      if (is_finite(maximum)) {
        Mapping const mapping(maximum, fixed);
        auto const weights =
            find_weights(warp, mapping, candidates, narrow<Scalar>(maximum), k, tile.length());
        write_candidates(warp, candidates, weights, tile.weights(place, row), support);
      } else {
        state = kNaNColumnRow;
        if (support.is_wanted()) support.close(warp, 0, false);
      }
    }
    warp.synchronize();
    if (warp.rank() == 0) memory.count(place, row) = state;
  }
}

}  // namespace zeta::rowwise::cuda
