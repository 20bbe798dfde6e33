#pragma once

#include <cuda_runtime.h>

#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/stages/words.cuh"

// Finds the largest numbers of a row, without their indices.
namespace zeta::rowwise::cuda {

// The M largest numbers in descending order. The first is NaN if any number is. The two halves of
// pairs have a list each. Networks sort and merge lists if M is a power of two; else numbers are
// inserted.
template <int M, class Word>
class LargestWords {
 public:
  // Takes words that the compiler addresses one by one. `fill` is not above any of them.
  template <class Words>
  __device__ LargestWords(Words const& words, Word fill) {
    constexpr int N = Words::kCount;
    if constexpr (kHasNetwork) {
#pragma unroll
      for (int first = 0; first < N; first += M) {
        Word next[M];
#pragma unroll
        for (int i = 0; i < M; ++i) next[i] = first + i < N ? words[first + i] : fill;
        sort(next);
        if (first == 0) {
#pragma unroll
          for (int i = 0; i < M; ++i) words_[i] = next[i];
        } else {
          merge(next);
        }
      }
    } else {
#pragma unroll
      for (int i = 0; i < N; ++i) {
        Word word = words[i];
        insert(word, 0, i < M ? i : M);
        if (i < M) words_[i] = word;
      }
#pragma unroll
      for (int i = N; i < M; ++i) words_[i] = fill;
    }
  }

  __device__ Word operator[](int i) const { return words_[i]; }

  // Empties the list.
  __device__ void clear(Word fill) {
#pragma unroll
    for (int i = 0; i < M; ++i) words_[i] = fill;
  }

  // Merges the list with those of the other lanes of a row.
  __device__ void merge_lanes(int lanes) {
#pragma unroll 1
    for (int mask = 1; mask < lanes; mask *= 2) {
      merge_with([mask](Word word) {
        return word_from_bits<Word>(__shfl_xor_sync(kAllLanes, bits_of_word(word), mask));
      });
    }
  }

  // Merges the lists of the two halves of pairs.
  __device__ void merge_halves() {
    merge_with([](Word word) { return swapped(word); });
  }

 private:
  static constexpr bool kHasNetwork = (M & (M - 1)) == 0;

  // Merges the list with the one that other(word) returns word by word.
  template <class Other>
  __device__ void merge_with(Other const& other) {
    Word words[M];
#pragma unroll
    for (int i = 0; i < M; ++i) words[i] = other(words_[i]);
    merge(words);
  }

  __device__ void merge(Word (&other)[M]) {
    if constexpr (kHasNetwork) {
      // These are the M largest numbers of both lists. Their order is bitonic, which a network
      // sorts.
#pragma unroll
      for (int i = 0; i < M; ++i) words_[i] = larger_or_nan(words_[i], other[M - 1 - i]);
#pragma unroll
      for (int distance = M / 2; distance >= 1; distance /= 2) {
#pragma unroll
        for (int i = 0; i < M; ++i) {
          if ((i & distance) == 0) exchange(words_[i], words_[i + distance]);
        }
      }
    } else {
      // The first i numbers of the other list are not below its i-th one and were inserted before
      // it. So its place is not among the first i.
#pragma unroll
      for (int i = 0; i < M; ++i) insert(other[i], i, M);
    }
  }

  // This is Batcher's odd-even merge sort ("Sorting networks and their applications", AFIPS 1968).
  __device__ static void sort(Word (&words)[M]) {
#pragma unroll
    for (int size = 1; size < M; size *= 2) {
#pragma unroll
      for (int distance = size; distance >= 1; distance /= 2) {
        int const start = distance % size;
#pragma unroll
        for (int i = 0; i + distance < M; ++i) {
          bool const is_first = i >= start && (i - start) % (2 * distance) < distance;
          bool const are_together = i / (2 * size) == (i + distance) / (2 * size);
          if (is_first && are_together) exchange(words[i], words[i + distance]);
        }
      }
    }
  }

  __device__ static void exchange(Word& a, Word& b) {
    Word const smallest = smaller(a, b);
    a = larger_or_nan(a, b);
    b = smallest;
  }

  // Inserts a word into the places from `first` up to `count`, and leaves in it what falls out of
  // the list.
  __device__ void insert(Word& word, int first, int count) {
#pragma unroll
    for (int i = 0; i < M; ++i) {
      if (i < first || i >= count) continue;
      Word const present = words_[i];
      words_[i] = i == 0 ? larger_or_nan(present, word) : larger(present, word);
      word = smaller(present, word);
    }
  }

  Word words_[M];
};

}  // namespace zeta::rowwise::cuda
