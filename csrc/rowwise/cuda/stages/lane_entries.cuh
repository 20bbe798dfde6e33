#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

#include "rowwise/cuda/stages/row_sums.cuh"
#include "rowwise/cuda/stages/warp_pipe.cuh"
#include "rowwise/cuda/stages/words.cuh"
#include "rowwise/saved_support.h"

namespace zeta::rowwise::cuda {

// The entries of a row that lie in one lane, as masks. Each lane has consecutive chunks of the row,
// and lower lanes have the earlier ones. A mask has a bit for each entry of the lane, with lower
// indices in lower bits. So before a marked entry come those of the lanes before, and those in the
// lower bits of its own lane.
template <class Scalar, int Chunks>
class LaneEntries {
 public:
  static constexpr int kPerChunk = 4 * kPerWord<Scalar>;
  static constexpr int kCount = Chunks * kPerChunk;
  using Mask = std::conditional_t<(kCount > 32), uint64_t, uint32_t>;

  // Returns the entries for which is_in(bits of their word, half) holds. chunk(i) is the lane's
  // i-th chunk.
  template <class Rows, class ChunkOf, class IsIn>
  __device__ static Mask where(Rows const& rows, ChunkOf const& chunk, IsIn const& is_in) {
    Mask mask = 0;
#pragma unroll
    for (int i = 0; i < Chunks; ++i) {
      Chunk const bits = chunk(i);
      uint32_t const words[4] = {bits.x, bits.y, bits.z, bits.w};
      uint32_t of_chunk = 0;
#pragma unroll
      for (int j = 0; j < kPerChunk; ++j) {
        if (is_in(words[j / kPerWord<Scalar>], j % kPerWord<Scalar>)) of_chunk |= 1U << j;
      }
      mask |= static_cast<Mask>(of_chunk) << (rows.place(i) * kPerChunk);
    }
    return mask;
  }

  // Returns the entries above the number that `bar` repeats, given the lane's words chunk by chunk.
  template <class Rows, class Words>
  __device__ static Mask where_above(Rows const& rows, Words const& words, word_t<Scalar> bar) {
    static_assert(kWords % kWordsAtOnce == 0);
    Mask mask = 0;
#pragma unroll
    for (int first = kWords - kWordsAtOnce; first >= 0; first -= kWordsAtOnce) {
      mask = mask << (kWordsAtOnce * kPerWord<Scalar>) | bits_above(words, first, bar);
    }
    // The bits are in the order in which the lane takes its chunks. The loop puts them in memory
    // order.
#pragma unroll
    for (int distance = 1; distance < Chunks; distance *= 2) {
      int const bits = distance * kPerChunk;
      Mask const lower = kAllEntries / ((Mask{1} << bits) + 1);
      if ((rows.place(0) & distance) != 0) mask = (mask & lower) << bits | (mask >> bits & lower);
    }
    return mask;
  }

  // Removes the row's first `kept` entries from the mask. All lanes of the warp, or threads of the
  // block, call it.
  template <class Rows>
  __device__ static Mask behind_first(Rows const& rows, Mask mask, int kept) {
    kept -= counts_of_row(rows, count(mask)).before;
#pragma unroll 1
    for (; kept > 0 && mask != 0; --kept) mask &= mask - 1;
    return mask;
  }

  // Calls visit(entry, its bit) for each entry in the mask.
  template <class Rows, class Visit>
  __device__ static void for_each(Rows const& rows, Chunk* row, Mask mask, Visit const& visit) {
    Scalar* const entries = reinterpret_cast<Scalar*>(row + rows.first_chunk());
#pragma unroll 1
    while (mask != 0) {
      int const highest = position_of_highest(mask);
      Mask const bit = Mask{1} << highest;
      visit(entries[highest], bit);
      mask ^= bit;
    }
  }

  // Calls visit(place among the lane's entries) for each entry in the mask, in order.
  template <class Visit>
  __device__ static void for_each_place(Mask mask, Visit const& visit) {
#pragma unroll 1
    for (; mask != 0; mask &= mask - 1) visit(lowest(mask));
  }

  // Writes zeros to the entries in the mask.
  template <class Rows>
  __device__ static void clear(Rows const& rows, Chunk* row, Mask mask) {
#pragma unroll
    for (int i = 0; i < Chunks; ++i) {
      if (!rows.has(rows.chunk(i))) continue;
      auto const of_chunk = static_cast<uint32_t>(mask >> (rows.place(i) * kPerChunk));
      Chunk& chunk = row[rows.chunk(i)];
      uint32_t words[4] = {chunk.x, chunk.y, chunk.z, chunk.w};
#pragma unroll
      for (int j = 0; j < kPerChunk; ++j) {
        constexpr uint32_t kNumber = kPerWord<Scalar> == 1 ? 0xffffffffU : 0xffffU;
        if ((of_chunk >> j & 1) != 0) {
          words[j / kPerWord<Scalar>] &= ~(kNumber << (j % kPerWord<Scalar> * 16));
        }
      }
      chunk = {words[0], words[1], words[2], words[3]};
    }
  }

  // Writes a row's support in the format of rowwise/saved_support.h, given its weights. `support`
  // is null if the row does not exist. All lanes of the warp, or threads of the block, call it.
  template <class Rows>
  __device__ static void list_support(Rows const& rows, Chunk const* row, bool is_ordinary,
                                      int32_t* support, int capacity) {
    auto const chunk = [&](int i) {
      return rows.has(rows.chunk(i)) ? row[rows.chunk(i)] : Chunk{0, 0, 0, 0};
    };
    auto const is_not_zero = [](uint32_t word, int half) {
      return (kPerWord<Scalar> == 1 ? word : word >> (16 * half) & 0xffffU) != 0;
    };
    Mask mask = is_ordinary ? where(rows, chunk, is_not_zero) : 0;
    auto [place, total] = counts_of_row(rows, count(mask));
    if (support == nullptr) return;
    if (rows.rank() == 0) support[0] = is_ordinary ? total : kNaNRow;
    int const first_column = (rows.chunks_before() + rows.first_chunk()) * kPerChunk;
    for_each_place(mask, [&](int entry) { support[1 + place++] = first_column + entry; });
    for (int i = total + rows.rank(); i < capacity; i += rows.lanes()) support[1 + i] = kNoColumn;
  }

  __device__ static int count(Mask mask) {
    if constexpr (sizeof(Mask) == 8) return __popcll(mask);
    return __popc(static_cast<uint32_t>(mask));
  }

 private:
  static constexpr int kWords = 4 * Chunks;
  static constexpr int kWordsAtOnce = kPerWord<Scalar> == 1 ? 1 : 8;
  static constexpr Mask kAllEntries = ~Mask{0} >> (8 * sizeof(Mask) - kCount);

  // Returns which numbers of the words from `first` on are above `bar`.
  template <class Words>
  __device__ static uint32_t bits_above(Words const& words, int first, word_t<Scalar> bar) {
    if constexpr (kPerWord<Scalar> == 1) {
      return is_above(words[first], bar);
    } else {
      // `bits` has one bit for each number of a word. Those of upper halves are 15 places too high.
      uint32_t bits = 0;
#pragma unroll
      for (int i = 0; i < kWordsAtOnce; ++i) {
        bits |= all_where_above(words[first + i], bar) & 0x10001U << (2 * i);
      }
      return (bits | bits >> 15) & 0xffffU;
    }
  }

  __device__ static int position_of_highest(Mask mask) {
    if constexpr (sizeof(Mask) == 8) return 63 - __clzll(static_cast<long long>(mask));
    return 31 - __clz(static_cast<int>(mask));
  }
  __device__ static int lowest(Mask mask) {
    if constexpr (sizeof(Mask) == 8) return __ffsll(static_cast<long long>(mask)) - 1;
    return __ffs(static_cast<int>(mask)) - 1;
  }
};

}  // namespace zeta::rowwise::cuda
