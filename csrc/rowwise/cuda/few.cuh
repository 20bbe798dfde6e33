#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>

#include "rowwise/cuda/lane_entries.cuh"
#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/stage_passes.cuh"
#include "rowwise/cuda/stage_rows.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/cuda/words.cuh"

// Rows of up to a stage, small k: the largest values of a row by insertion, without their columns,
// and their weights; each entry then takes the weight of the value that it equals. Only where
// values tie at the limit do columns matter. What this takes does not depend on how the logits are
// spread.
namespace zeta::rowwise::cuda {

// The M largest numbers, larger first; the first is NaN if any number is. Halves of pairs apart.
template <int M, class Word>
class LargestWords {
 public:
  // Those of some words, `fill` being below all of them.
  template <int N>
  __device__ LargestWords(Word const (&words)[N], Word fill) {
#pragma unroll
    for (int i = 0; i < N; ++i) {
      Word word = words[i];
      insert(word, 0, i < M ? i : M);
      if (i < M) words_[i] = word;
    }
#pragma unroll
    for (int i = N; i < M; ++i) words_[i] = fill;
  }

  __device__ Word operator[](int i) const { return words_[i]; }

  // With those of the other lanes of a row.
  __device__ void merge_lanes(int lanes) {
#pragma unroll 1
    for (int mask = 1; mask < lanes; mask *= 2) {
      merge([mask](Word word) {
        return word_from_bits<Word>(__shfl_xor_sync(kAllLanes, bits_of_word(word), mask));
      });
    }
  }

  // With those of the other halves.
  __device__ void merge_halves() {
    merge([](Word word) { return swapped(word); });
  }

 private:
  // With those that other(word) gives for each.
  template <class Other>
  __device__ void merge(Other const& other) {
    Word words[M];
#pragma unroll
    for (int i = 0; i < M; ++i) words[i] = other(words_[i]);
    // The other's i-th is not above its first i, nor are these above ours.
#pragma unroll
    for (int i = 0; i < M; ++i) insert(words[i], i, M);
  }

  // Puts a word in its place behind the first ones, and leaves in it what falls out of the list.
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

// A row's largest values, and the weights of entries that equal them.
template <class Mapping, class Scalar, int K>
class FewWeights {
 public:
  using Word = word_t<Scalar>;

  // `largest` are the K + 1 largest values of the row, in both halves.
  __device__ FewWeights(LargestWords<K + 1, Word> const& largest, int k,
                        typename Mapping::Fixed const& fixed) {
    float values[K + 1];
#pragma unroll
    for (int i = 0; i <= K; ++i) values[i] = number(largest[i], 0);
    is_ordinary_ = values[0] < INFINITY && values[0] > -INFINITY;
    float weights[K];
    int const support = Mapping::template weights_of_few<kDigits<Scalar>>(
        values, k, fixed, weights, narrowed_to_float<Scalar>);
    float last = values[0];
    float next = values[1];
#pragma unroll
    for (int i = 1; i < K; ++i) {
      last = i < k ? values[i] : last;
      next = i < k ? values[i + 1] : next;
    }
    tie_ = is_ordinary_ && support == k && last == next ? last : NAN;
    kept_ = k;
#pragma unroll
    for (int i = 0; i < K; ++i) {
      kept_ -= values[i] > last ? 1 : 0;
      values_[i] = largest[i];
      // One of several equal values stands for all of them.
      weights_[i] = word_of<Scalar>(i > 0 && values[i] == values[i - 1] ? 0.0F : weights[i]);
    }
  }

  __device__ Word operator()(Word entry) const {
    Word sum = product(one_where_equal(entry, values_[K - 1]), weights_[K - 1]);
#pragma unroll
    for (int i = K - 2; i >= 0; --i) {
      sum = fused(one_where_equal(entry, values_[i]), weights_[i], sum);
    }
    return sum;
  }

  __device__ bool is_ordinary() const { return is_ordinary_; }

  // Whether more entries equal the last value of the support than may have a weight; if so, this
  // value, and how many may.
  __device__ bool has_ties() const { return tie_ == tie_; }
  __device__ float tie() const { return tie_; }
  __device__ int kept_ties() const { return has_ties() ? kept_ : 0; }

 private:
  bool is_ordinary_;
  float tie_;  // NaN if there are none
  int kept_;
  Word values_[K];
  Word weights_[K];
};

// Turns a row of a stage into its weights. Returns whether they are numbers. All lanes of the warp
// call it.
template <class Mapping, class Scalar, int Chunks, int K>
__device__ inline bool weigh_few(LaneRows<Chunks> const& rows, Chunk* row, int k,
                                 typename Mapping::Fixed const& fixed) {
  using Word = word_t<Scalar>;
  Word const fill = word_of<Scalar>(-INFINITY);
  Word words[4 * Chunks];
#pragma unroll
  for (int i = 0; i < Chunks; ++i) {
    uint32_t const none = bits_of_word(fill);
    Chunk chunk = {none, none, none, none};
    if (rows.has(rows.chunk(i))) chunk = row[rows.chunk(i)];
    words[4 * i] = word_from_bits<Word>(chunk.x);
    words[4 * i + 1] = word_from_bits<Word>(chunk.y);
    words[4 * i + 2] = word_from_bits<Word>(chunk.z);
    words[4 * i + 3] = word_from_bits<Word>(chunk.w);
  }

  LargestWords<K + 1, Word> largest(words, fill);
  if constexpr (Chunks == kChunksPerLane) largest.merge_lanes(rows.lanes());
  if constexpr (kPerWord<Scalar> == 2) largest.merge_halves();
  FewWeights<Mapping, Scalar, K> const weights(largest, k, fixed);

#pragma unroll
  for (int i = 0; i < Chunks; ++i) {
    if (!rows.has(rows.chunk(i))) continue;
    row[rows.chunk(i)] = {
        bits_of_word(weights(words[4 * i])), bits_of_word(weights(words[4 * i + 1])),
        bits_of_word(weights(words[4 * i + 2])), bits_of_word(weights(words[4 * i + 3]))};
  }
  if (__any_sync(kAllLanes, weights.has_ties() || !weights.is_ordinary())) {
    using Entries = LaneEntries<Scalar, Chunks>;
    auto const chunk = [&](int i) {
      return Chunk{bits_of_word(words[4 * i]), bits_of_word(words[4 * i + 1]),
                   bits_of_word(words[4 * i + 2]), bits_of_word(words[4 * i + 3])};
    };
    auto const ties = Entries::where(rows, chunk, [&](uint32_t word, int half) {
      return number(word_from_bits<Word>(word), half) == weights.tie();
    });
    Entries::clear(rows, row, Entries::behind_first(rows, ties, weights.kept_ties()));
    uint32_t const nan = bits_of_word(word_of<Scalar>(NAN));
#pragma unroll 1
    for (int i = 0; i < Chunks && !weights.is_ordinary(); ++i) {
      if (rows.has(rows.chunk(i))) row[rows.chunk(i)] = {nan, nan, nan, nan};
    }
  }
  return weights.is_ordinary();
}

// Chunks is how many a lane holds of one row at most; K >= k, the length of the lists.
template <template <class> class MappingOf, class Scalar, int Chunks, int K>
__global__ void __launch_bounds__(kWarpsPerBlock* kWarpThreads, kBlocksOfPipes)
    few_kernel(StagedRows rows, Scalar* weights, Scalar const* logits, StagedSupport support, int k,
               typename MappingOf<float>::Fixed fixed) {
  using Mapping = MappingOf<float>;
  LaneRows<Chunks> const lane_rows(rows);
  StagePasses<Scalar, Chunks> passes(rows, lane_rows, weights, logits);
  passes.for_each([&](Chunk* stage, int64_t first_row) {
#pragma unroll 1
    for (int i = 0; i < LaneRows<Chunks>::kRows; ++i) {
      Chunk* const row = lane_rows.begin(stage, i);
      bool const is_ordinary = weigh_few<Mapping, Scalar, Chunks, K>(lane_rows, row, k, fixed);
      if (!support.is_wanted()) continue;
      LaneEntries<Scalar, Chunks>::list_support(lane_rows, row, is_ordinary,
                                                support.of(rows, first_row, lane_rows.row(i)),
                                                support.capacity);
    }
  });
}

}  // namespace zeta::rowwise::cuda
