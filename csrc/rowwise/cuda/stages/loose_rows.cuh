#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "rowwise/cuda/stages/stage_rows.cuh"
#include "rowwise/cuda/stages/words.cuh"

// Loose rows follow each other in memory and may begin between multiples of 16 bytes. In shared
// memory they are moved to where each begins at a chunk, and back.
namespace zeta::rowwise::cuda {

// Some rows as they lie in memory. The whole chunks that hold them are their cover.
template <class Scalar>
struct LooseRows {
  static constexpr int kPerChunk = kChunkBytes / static_cast<int>(sizeof(Scalar));

  Scalar* begin;
  int entries;

  // Returns how many entries of the first chunk lie before the rows.
  __device__ int shift() const {
    return static_cast<int>(reinterpret_cast<uintptr_t>(begin) % kChunkBytes / sizeof(Scalar));
  }
  __device__ int end() const { return shift() + entries; }
  __device__ Scalar* cover() const { return begin - shift(); }
  __device__ int cover_entries() const { return (end() + kPerChunk - 1) / kPerChunk * kPerChunk; }

  // Return where the chunks that hold nothing but these rows begin and end, in entries of the
  // cover.
  __device__ int first_whole() const { return (shift() + kPerChunk - 1) / kPerChunk * kPerChunk; }
  __device__ int last_whole() const { return end() / kPerChunk * kPerChunk; }
};

// Moves a warp's rows from one stage to another.
template <class Scalar, int Chunks>
class RowMover {
 public:
  __device__ RowMover(StagedRows const& rows, LaneRows<Chunks> const& lane_rows)
      : lane_(lane_rows.lane()), length_(rows.length) {
    int const first_row =
        Chunks == kChunksPerLane ? lane_rows.row(0) : lane_ * LaneRows<Chunks>::kRows;
    int const before = lane_rows.rank() * kWordsOfRow;
    rows_ = rows.rows_per_stage - first_row;
    words_ = rows_ > 0 ? 4 * rows.chunks_per_row - before : 0;
    entries_ = rows_ > 0 ? length_ - before * kPerWord<Scalar> : 0;
    first_word_ = first_row * 4 * rows.chunks_per_row + before;
    first_entry_ = first_row * length_ + before * kPerWord<Scalar>;
  }

  // Moves rows that lie behind `shift` other entries and follow each other to where each begins at
  // a chunk. What lies behind a row there becomes -inf.
  __device__ void to_chunks(Chunk const* from, int shift, Chunk* to) const {
    auto const* const entries = reinterpret_cast<Bits const*>(from) + shift;
    auto* const words = reinterpret_cast<uint32_t*>(to);
    uint32_t const fill = bits_of_word(repeated(narrow<Scalar>(-INFINITY)));
    move(
        [&](Place const& place) {
          uint32_t word = place.entries >= 1 ? entries[place.entry] : fill;
          if constexpr (kPerWord<Scalar> == 2) {
            word = (word & 0xffffU) |
                   (place.entries >= 2 ? entries[place.entry + 1] : fill & 0xffffU) << 16;
          }
          return word;
        },
        [&](Place const& place, uint32_t word) {
          if (place.exists) words[place.word] = word;
        });
  }

  // Moves the rows back.
  __device__ void from_chunks(Chunk const* from, Chunk* to, int shift) const {
    auto const* const words = reinterpret_cast<uint32_t const*>(from);
    auto* const entries = reinterpret_cast<Bits*>(to) + shift;
    move([&](Place const& place) { return place.exists ? words[place.word] : 0; },
         [&](Place const& place, uint32_t word) {
           if (place.entries >= 1) entries[place.entry] = static_cast<Bits>(word);
           if constexpr (kPerWord<Scalar> == 2) {
             if (place.entries >= 2) entries[place.entry + 1] = static_cast<Bits>(word >> 16);
           }
         });
  }

 private:
  // Several reads are in flight at once.
  template <class Read, class Write>
  __device__ void move(Read const& read, Write const& write) const {
    constexpr int kAtOnce = 8;
    __syncwarp();
#pragma unroll 1
    for (int first = 0; first < kWords; first += kAtOnce) {
      uint32_t words[kAtOnce];
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) words[i] = read(place_of(first + i));
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) write(place_of(first + i), words[i]);
    }
    __syncwarp();
  }

  using Bits = std::conditional_t<kPerWord<Scalar> == 2, uint16_t, uint32_t>;
  static constexpr int kWords = 4 * kChunksPerLane;

  struct Place {
    int word;     // in the stage whose rows begin at chunks
    int entry;    // its first one, in the stage whose rows follow each other
    int entries;  // left in the row, from that one on
    bool exists;
  };

  // Returns the place of the lane's i-th word. The lanes take their words in different orders, so
  // that they use different banks.
  __device__ Place place_of(int i) const {
    int const own = i ^ lane_;
    if constexpr (Chunks == kChunksPerLane) {
      return {first_word_ + own, first_entry_ + own * kPerWord<Scalar>,
              entries_ - own * kPerWord<Scalar>, own < words_};
    } else {
      int const row = own / kWordsOfRow;
      int const word = own % kWordsOfRow;
      bool const exists = row < rows_ && word < words_;
      return {first_word_ + row * words_ + word,
              first_entry_ + row * length_ + word * kPerWord<Scalar>,
              exists ? entries_ - word * kPerWord<Scalar> : 0, exists};
    }
  }

  static constexpr int kWordsOfRow = 4 * Chunks;

  int lane_;
  int length_;
  int first_word_;  // of this lane
  int first_entry_;
  int rows_;   // of the stage, from the lane's first one on
  int words_;  // of a row, from the lane's first one on
  int entries_;
};

}  // namespace zeta::rowwise::cuda
