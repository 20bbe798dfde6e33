#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "rowwise/cuda/stage_rows.cuh"
#include "rowwise/cuda/words.cuh"

// Rows that follow each other in memory without beginning at multiples of 16 bytes. In shared
// memory they are moved to where chunks begin, and back.
namespace zeta::rowwise::cuda {

// Some rows as they lie in memory, and the whole chunks that cover them.
template <class Scalar>
struct LooseRows {
  static constexpr int kPerChunk = kChunkBytes / static_cast<int>(sizeof(Scalar));

  Scalar* begin;
  int entries;

  // Entries of the first chunk that belong to what lies before.
  __device__ int shift() const {
    return static_cast<int>(reinterpret_cast<uintptr_t>(begin) % kChunkBytes / sizeof(Scalar));
  }
  __device__ int end() const { return shift() + entries; }
  __device__ Scalar* cover() const { return begin - shift(); }
  __device__ int cover_entries() const { return (end() + kPerChunk - 1) / kPerChunk * kPerChunk; }

  // The first and the last of the chunks that hold nothing else, in entries of the cover.
  __device__ int first_whole() const { return (shift() + kPerChunk - 1) / kPerChunk * kPerChunk; }
  __device__ int last_whole() const { return end() / kPerChunk * kPerChunk; }
};

// Moves a warp's rows from one stage to another.
template <class Scalar, int Chunks>
class RowMover {
 public:
  __device__ RowMover(StagedRows const& rows, LaneRows<Chunks> const& lane_rows)
      : rows_(rows), lane_rows_(lane_rows) {}

  // From rows that follow `shift` other entries, to where each begins with a chunk. What lies
  // behind a row there is -inf.
  __device__ void to_chunks(Chunk const* from, int shift, Chunk* to) const {
    auto const* const entries = reinterpret_cast<Bits const*>(from) + shift;
    Bits const fill = static_cast<Bits>(bits_of_word(word_of<Scalar>(-INFINITY)));
    __syncwarp();
#pragma unroll 4
    for (int i = 0; i < kWords; ++i) {
      Place const place = place_of(i);
      uint32_t word = place.entries >= 1 ? entries[place.entry] : fill;
      if constexpr (kPerWord<Scalar> == 2) {
        word |= static_cast<uint32_t>(place.entries >= 2 ? entries[place.entry + 1] : fill) << 16;
      }
      if (place.exists) reinterpret_cast<uint32_t*>(to)[place.word] = word;
    }
    __syncwarp();
  }

  // The way back.
  __device__ void from_chunks(Chunk const* from, Chunk* to, int shift) const {
    auto* const entries = reinterpret_cast<Bits*>(to) + shift;
    __syncwarp();
#pragma unroll 4
    for (int i = 0; i < kWords; ++i) {
      Place const place = place_of(i);
      uint32_t const word = place.exists ? reinterpret_cast<uint32_t const*>(from)[place.word] : 0;
      if (place.entries >= 1) entries[place.entry] = static_cast<Bits>(word);
      if constexpr (kPerWord<Scalar> == 2) {
        if (place.entries >= 2) entries[place.entry + 1] = static_cast<Bits>(word >> 16);
      }
    }
    __syncwarp();
  }

 private:
  using Bits = std::conditional_t<kPerWord<Scalar> == 2, uint16_t, uint32_t>;
  static constexpr int kWords = 4 * kChunksPerLane;

  struct Place {
    int word;     // in a stage of rows that begin with chunks
    int entry;    // its first one, in a stage of rows that follow each other
    int entries;  // of the row, from it on
    bool exists;
  };

  // Of the lane's i-th word. The lanes take theirs in such orders that they use different banks.
  __device__ Place place_of(int i) const {
    constexpr int kWordsOfRow = 4 * Chunks;
    int const own = i ^ lane_rows_.lane();
    int const row = Chunks == kChunksPerLane
                        ? lane_rows_.row(0)
                        : lane_rows_.lane() * LaneRows<Chunks>::kRows + own / kWordsOfRow;
    int const word =
        Chunks == kChunksPerLane ? lane_rows_.rank() * kWordsOfRow + own : own % kWordsOfRow;
    int const column = word * kPerWord<Scalar>;
    bool const exists = row < rows_.rows_per_stage && word < 4 * rows_.chunks_per_row;
    return {row * 4 * rows_.chunks_per_row + word, row * rows_.length + column,
            exists ? rows_.length - column : 0, exists};
  }

  StagedRows const& rows_;
  LaneRows<Chunks> const& lane_rows_;
};

}  // namespace zeta::rowwise::cuda
