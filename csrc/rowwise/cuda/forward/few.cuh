#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>

#include "mappings/root_search.h"
#include "rowwise/cuda/forward/first_weights.cuh"
#include "rowwise/cuda/forward/rows_of_blocks.cuh"
#include "rowwise/cuda/forward/short_rows.cuh"
#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/stages/block_rows.cuh"
#include "rowwise/cuda/stages/lane_entries.cuh"
#include "rowwise/cuda/stages/largest_words.cuh"
#include "rowwise/cuda/stages/row_words.cuh"
#include "rowwise/cuda/stages/stage_rows.cuh"
#include "rowwise/cuda/stages/words.cuh"
#include "rowwise/cuda/tuning.h"

// Small k, for rows that fit into a stage, or into the stages of a block's warps. Networks or
// insertion find the largest values of a row, without their indices. Each entry then takes the
// weight of the value that it equals. Indices matter only if values tie at the limit. Apart from
// such ties, the work hardly depends on how the logits are spread.
namespace zeta::rowwise::cuda {

// The weights of a row, given its K largest values, each of which a word repeats.
template <class Mapping, class Scalar, int K>
class FewWeights {
 public:
  using Word = word_t<Scalar>;

  __device__ FewWeights(LargestWords<K, Word> const& largest, int k,
                        typename Mapping::Fixed const& fixed) {
    float values[K];
    float weights[K];
#pragma unroll
    for (int i = 0; i < K; ++i) values[i] = number(largest[i], 0);
    support_ = weigh_numbers<Mapping, Scalar>(values, k, fixed, weights);
    is_ordinary_ = is_finite(values[0]);
    is_limited_ = is_ordinary_ && support_ == k;
    last_ = largest[0];
#pragma unroll
    for (int i = 1; i < K; ++i) last_ = i < k ? largest[i] : last_;
    kept_ = k;
#pragma unroll
    for (int i = 0; i < K; ++i) {
      kept_ -= values[i] > number(last_, 0) ? 1 : 0;
      values_[i] = largest[i];
      // One of several equal values stands for all of them.
      weights_[i] = word_of<Scalar>(i > 0 && values[i] == values[i - 1] ? 0.0F : weights[i]);
    }
  }

  // Returns the weights of a word of entries, if the support has no more than Most entries.
  template <int Most>
  __device__ Word of(Word entries) const {
    Word sum = product(one_where_equal(entries, values_[Most - 1]), weights_[Most - 1]);
#pragma unroll
    for (int i = Most - 2; i >= 0; --i) {
      sum = fused(one_where_equal(entries, values_[i]), weights_[i], sum);
    }
    return sum;
  }

  __device__ bool is_ordinary() const { return is_ordinary_; }
  __device__ int support() const { return support_; }

  // Whether k entries are in the support. More entries may equal the last of them than have a place
  // there.
  __device__ bool is_limited() const { return is_limited_; }
  __device__ Word last() const { return last_; }
  __device__ int places_of_last() const { return kept_; }

 private:
  bool is_ordinary_;
  bool is_limited_;
  int support_;
  int kept_;
  Word last_;
  Word values_[K];
  Word weights_[K];
};

// Replaces a row in a stage, or in the stages of a block, by its weights. Returns whether these are
// numbers. All lanes of the warp, or threads of the block, call it.
template <class Mapping, class Scalar, int Chunks, int K, class Rows>
__device__ inline bool weigh_few(Rows const& rows, Chunk* row, int k,
                                 typename Mapping::Fixed const& fixed) {
  using Word = word_t<Scalar>;
  Word const fill = repeated(narrow<Scalar>(-INFINITY));
  RowWords<Scalar, Chunks> words(rows, row, fill);
  LargestWords<K, Word> largest(words, fill);
  merge_over_row(rows, largest, fill);
  if constexpr (kPerWord<Scalar> == 2) largest.merge_halves();
  FewWeights<Mapping, Scalar, K> const weights(largest, k, fixed);
  if constexpr (mappings::kHasSearch<Mapping>) {
    // The search leaves no registers for the words meanwhile.
    __syncwarp();
    words = RowWords<Scalar, Chunks>(rows, row, fill);
  }

  int equal = 0;
  if (__any_sync(kAllLanes, weights.is_limited())) equal = words.count_equal(rows, weights.last());
  constexpr int kFewer = K > 4 ? 4 : K;
  if (K > kFewer && __any_sync(kAllLanes, weights.support() > kFewer)) {
    words.map(rows, row, [&](Word word) { return weights.template of<K>(word); });
  } else {
    words.map(rows, row, [&](Word word) { return weights.template of<kFewer>(word); });
  }

  bool const has_ties = weights.is_limited() && equal > weights.places_of_last();
  if (__any_sync(kAllLanes, has_ties || !weights.is_ordinary())) {
    using Entries = LaneEntries<Scalar, Chunks>;
    float const tie = has_ties ? number(weights.last(), 0) : NAN;
    auto const ties = Entries::where(
        rows, [&](int i) { return words.chunk(i); },
        [&](uint32_t word, int half) { return number(word_from_bits<Word>(word), half) == tie; });
    Entries::clear(rows, row, Entries::behind_first(rows, ties, weights.places_of_last()));
    if (!weights.is_ordinary()) {
      Word const nan = repeated(narrow<Scalar>(NAN));
      words.map(rows, row, [&](Word) { return nan; });
    }
  }
  return weights.is_ordinary();
}

// Chunks is the most that a lane holds of one row. K >= k is the length of the lists.
template <template <class> class MappingOf, class Scalar, int Chunks, int K>
__global__ void __launch_bounds__(kWarpsPerBlock* kWarpThreads, kBlocksOfPipesThatFit)
    few_kernel(StagedRows rows, Scalar* weights, Scalar const* logits, StagedSupport support, int k,
               typename MappingOf<float>::Fixed fixed) {
  using Mapping = MappingOf<float>;
  weigh_short_rows<Scalar, Chunks>(
      rows, weights, logits, support, [&](LaneRows<Chunks> const& lane_rows, Chunk* row) {
        return weigh_few<Mapping, Scalar, Chunks, K>(lane_rows, row, k, fixed);
      });
}

// Each block takes a row at a time.
template <template <class> class MappingOf, class Scalar, int K>
__global__ void __launch_bounds__(kMostWarpsPerRow* kWarpThreads, kBlocksOfRows)
    few_of_block_kernel(RowsOfParts rows, Scalar* weights, Scalar const* logits,
                        StagedSupport support, int k, typename MappingOf<float>::Fixed fixed) {
  using Mapping = MappingOf<float>;
  weigh_rows_of_blocks(
      rows, weights, logits, support, [&](BlockRows const& block_rows, Chunk* part) {
        return weigh_few<Mapping, Scalar, kChunksPerLane, K>(block_rows, part, k, fixed);
      });
}

}  // namespace zeta::rowwise::cuda
