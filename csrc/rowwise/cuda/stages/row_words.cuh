#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "rowwise/cuda/stages/row_sums.cuh"
#include "rowwise/cuda/stages/words.cuh"

// Holds a row of a stage in the registers of its lanes.
namespace zeta::rowwise::cuda {

// The words of one row that a lane holds.
template <class Scalar, int Chunks>
class RowWords {
 public:
  using Word = word_t<Scalar>;
  static constexpr int kCount = 4 * Chunks;

  template <class Rows>
  __device__ RowWords(Rows const& rows, Chunk const* row, Word fill) {
    uint32_t const none = bits_of_word(fill);
#pragma unroll
    for (int i = 0; i < Chunks; ++i) {
      Chunk chunk = {none, none, none, none};
      if (rows.has(rows.chunk(i))) chunk = row[rows.chunk(i)];
      words_[4 * i] = word_from_bits<Word>(chunk.x);
      words_[4 * i + 1] = word_from_bits<Word>(chunk.y);
      words_[4 * i + 2] = word_from_bits<Word>(chunk.z);
      words_[4 * i + 3] = word_from_bits<Word>(chunk.w);
    }
  }

  __device__ Word operator[](int i) const { return words_[i]; }

  __device__ Chunk chunk(int i) const {
    return mapped(i, [](Word word) { return word; });
  }

  // Writes function(word) to the stage in place of each word.
  template <class Rows, class Function>
  __device__ void map(Rows const& rows, Chunk* row, Function const& function) const {
#pragma unroll
    for (int i = 0; i < Chunks; ++i) {
      if (rows.has(rows.chunk(i))) row[rows.chunk(i)] = mapped(i, function);
    }
  }

  // Returns how many of the row's numbers equal the number that `word` repeats.
  template <class Rows>
  __device__ int count_equal(Rows const& rows, Word word) const {
    Word counts = word_of<Scalar>(0);
#pragma unroll
    for (int i = 0; i < kCount; ++i) counts = sum(counts, one_where_equal(words_[i], word));
    return sum_of_row(rows, static_cast<int>(sum_of_numbers(counts)));
  }

  // Returns how many of the row's numbers lie above it.
  template <class Rows>
  __device__ int count_above(Rows const& rows, Word word) const {
    if constexpr (kPerWord<Scalar> == 1) {
      uint32_t count = 0;
#pragma unroll
      for (int i = 0; i < kCount; ++i) count += is_above(words_[i], word);
      return sum_of_row(rows, static_cast<int>(count));
    } else {
      Word counts = word_of<Scalar>(0);
#pragma unroll
      for (int i = 0; i < kCount; ++i) counts = sum(counts, one_where_above(words_[i], word));
      return sum_of_row(rows, static_cast<int>(sum_of_numbers(counts)));
    }
  }

 private:
  template <class Function>
  __device__ Chunk mapped(int i, Function const& function) const {
    return {bits_of_word(function(words_[4 * i])), bits_of_word(function(words_[4 * i + 1])),
            bits_of_word(function(words_[4 * i + 2])), bits_of_word(function(words_[4 * i + 3]))};
  }

  Word words_[kCount];
};

// The maxima of a lane's chunks, a word for each. The halves of a pair are the maxima of those
// halves of the chunk's words. A maximum is NaN if one of its numbers is.
template <class Scalar, int Chunks>
class ChunkMaxima {
 public:
  using Word = word_t<Scalar>;
  static constexpr int kCount = Chunks;

  __device__ explicit ChunkMaxima(RowWords<Scalar, Chunks> const& words) {
#pragma unroll
    for (int i = 0; i < Chunks; ++i) {
      words_[i] = larger_or_nan(larger_or_nan(words[4 * i], words[4 * i + 1]),
                                larger_or_nan(words[4 * i + 2], words[4 * i + 3]));
    }
  }

  __device__ Word operator[](int i) const { return words_[i]; }

  // Return the maximum of the lane, and that of the row, which are NaN if one of their numbers is.
  __device__ float of_lane() const {
    Word largest = words_[0];
#pragma unroll
    for (int i = 1; i < Chunks; ++i) largest = larger_or_nan(largest, words_[i]);
    float const result = number(largest, 0);
    return kPerWord<Scalar> == 1 ? result : larger_or_nan(result, number(largest, 1));
  }
  template <class Rows>
  __device__ float largest(Rows const& rows) const {
    return largest_of_row(rows, of_lane());
  }

 private:
  Word words_[Chunks];
};

}  // namespace zeta::rowwise::cuda
