#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>

#include "rowwise/cuda/forward/rows_of_blocks.cuh"
#include "rowwise/cuda/forward/short_rows.cuh"
#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/stages/block_rows.cuh"
#include "rowwise/cuda/stages/lane_entries.cuh"
#include "rowwise/cuda/stages/row_limit.cuh"
#include "rowwise/cuda/stages/row_words.cuh"
#include "rowwise/cuda/stages/stage_rows.cuh"
#include "rowwise/cuda/stages/words.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/ordered_key.h"

// Any k, for rows that fit into a stage, or into the stages of a block's warps. Newton's method in
// float raises a lower bound to just below the support, above which lie its entries and hardly
// more. If these are more than k, counting finds the k-th largest. The terms of the entries that
// are left are summed exactly, and entries that prove not to be in the support are dropped, until
// none does.
namespace zeta::rowwise::cuda {

// By how much numbers lie above a lower bound, in all, and how many do.
struct Excess {
  float sum = 0;
  float count = 0;

  __device__ void add(Excess other) {
    sum += other.sum;
    count += other.count;
  }
};

// Sums over the numbers above `bar`, all of which must be at most 1 above it. A number less than
// 2^-100 above it counts as less than one. That is safe, since the threshold of the others is no
// higher than that of all.
template <class Scalar, class Rows, class Words>
__device__ inline Excess excess_over(Rows const& rows, Words const& words, float bar) {
  Excess excess[2];
#pragma unroll
  for (int i = 0; i < Words::kCount; ++i) {
#pragma unroll
    for (int half = 0; half < kPerWord<Scalar>; ++half) {
      float const above = clamped(number(words[i], half) - bar);
      excess[i % 2].add({above, clamped(above * 0x1p100F)});
    }
  }
  excess[0].add(excess[1]);
  return sum_of_row(rows, excess[0]);
}

// Raises a lower bound, from below the threshold of some of a row's numbers until it is close to
// it. That threshold is never above the row's. Each step of Newton's method leads to the threshold
// of the numbers above the bound. `rounding` is that of the mapping's terms. All lanes of the warp,
// or threads of the block, call it.
template <class Mapping, class Scalar, class Rows, class Words>
__device__ inline float raised(float bar, Rows const& rows, Words const& words, float rounding) {
  bool goes_on;
  int step = 0;
#pragma unroll 1
  do {
    Excess const excess = excess_over<Scalar>(rows, words, bar);
    // The error is half a unit in the last place for each addition to the sum, and some for what
    // follows.
    constexpr float kRounding = (Words::kCount * kPerWord<Scalar> + 16) * 0x1p-24F;
    float const next =
        bar + Mapping::estimated_threshold(excess.sum * (1 - kRounding), excess.count);
    float const error = (fabsf(next) + 1) * 0x1p-22F + rounding;
    // This is false for NaN.
    bool const rises = next - error > bar + error;
    if (rises) bar = next - error;
    goes_on = __any_sync(kAllLanes, rises) && ++step < kMostEstimates;
  } while (goes_on);
  return bar;
}

// Weighs a lane's part of a row in a stage, of which only the entries in a mask may have a weight.
template <class Scalar, int Chunks, class Rows>
class CandidateWeights {
 public:
  using Entries = LaneEntries<Scalar, Chunks>;
  using Mask = typename Entries::Mask;

  __device__ CandidateWeights(Rows const& rows, Chunk* row, Mask mask, float maximum)
      : rows_(rows), row_(row), mask_(mask), maximum_(maximum) {
    are_dense_ =
        __any_sync(kAllLanes, Entries::count(mask) > Entries::kCount / kEntriesPerSparseCandidate);
  }

  __device__ bool are_dense() const { return are_dense_; }

  // Writes the weights of the row, or returns false if its terms are not exact in this form. Unless
  // candidates are dense, all other entries must be 0 already. All lanes of the warp, or threads of
  // the block, call it.
  template <class Terms>
  __device__ bool weigh(Terms const& terms, typename Terms::Fixed const& fixed) {
    typename Terms::Level level;
    bool has_others = false;
#pragma unroll 1
    do {
      if (has_others) {
        Entries::for_each(rows_, row_, mask_, [&](Scalar& entry, Mask bit) {
          if (terms.is_above(widen(entry), level)) return;
          mask_ ^= bit;
          entry = narrow<Scalar>(0);
        });
      }
      int const count = sum_of_row(rows_, Entries::count(mask_));
      auto const own = sum_of(terms);
      bool const is_exact =
          Terms::template is_exact<kDigits<Scalar>>(own.least_magnitude, count, fixed);
      if (any_of_rows(rows_, !is_exact)) return false;
      level = terms.level(sum_of_row(rows_, own.sum), count > 0 ? count : 1);
      has_others = mask_ != 0 && !terms.is_above(own.least, level);
    } while (any_of_rows(rows_, has_others));
    write_weights(terms, level);
    return true;
  }

 private:
  template <class Terms>
  struct OwnSum {
    typename Terms::Sum sum;
    float least;
    float least_magnitude = INFINITY;
  };

  template <class Terms>
  __device__ OwnSum<Terms> sum_of(Terms const& terms) const {
    OwnSum<Terms> result = {{}, maximum_};
    auto const add = [&](float logit) {
      terms.add(result.sum, logit);
      result.least = fminf(result.least, logit);
      result.least_magnitude = fminf(result.least_magnitude, fabsf(logit));
    };
    if (are_dense_) {
      // An entry that is no candidate counts as the maximum, whose term is 0.
      for_each_chunk([&](Chunk& chunk, uint32_t of_chunk) {
        for_each_number(
            chunk, [&](int i, float logit) { add((of_chunk >> i & 1) != 0 ? logit : maximum_); });
      });
    } else {
      Entries::for_each(rows_, row_, mask_, [&](Scalar entry, Mask) { add(widen(entry)); });
    }
    return result;
  }

  template <class Terms>
  __device__ void write_weights(Terms const& terms, typename Terms::Level const& level) const {
    auto const weight = [&](float logit) { return rounded_weight(terms.weight(logit, level)); };
    if (are_dense_) {
      for_each_chunk([&](Chunk& chunk, uint32_t of_chunk) {
        float weights[Entries::kPerChunk];
        for_each_number(chunk, [&](int i, float logit) {
          weights[i] = (of_chunk >> i & 1) != 0 ? weight(logit) : 0.0F;
        });
        chunk = chunk_of_numbers(weights);
      });
    } else {
      Entries::for_each(rows_, row_, mask_, [&](Scalar& entry, Mask) {
        entry = nearest<Scalar>(weight(widen(entry)));
      });
      __syncwarp();  // entries were written one by one and are now read as chunks
    }
  }

  __device__ static float rounded_weight(double weight) {
    if constexpr (kPerWord<Scalar> == 1) return static_cast<float>(weight);
    return rowwise::detail::truncated_to_odd(weight);
  }
  __device__ static float rounded_weight(float weight) { return weight; }

  // Calls visit(chunk, the mask of its entries).
  template <class Visit>
  __device__ void for_each_chunk(Visit const& visit) const {
#pragma unroll 1
    for (int i = 0; i < Chunks; ++i) {
      if (!rows_.has(rows_.chunk(i))) continue;
      visit(row_[rows_.chunk(i)],
            static_cast<uint32_t>(mask_ >> (rows_.place(i) * Entries::kPerChunk)));
    }
  }

  template <class Visit>
  __device__ static void for_each_number(Chunk chunk, Visit const& visit) {
    uint32_t const words[4] = {chunk.x, chunk.y, chunk.z, chunk.w};
#pragma unroll
    for (int i = 0; i < Entries::kPerChunk; ++i) {
      constexpr int kNumbers = kPerWord<Scalar>;
      visit(i, number(word_from_bits<word_t<Scalar>>(words[i / kNumbers]), i % kNumbers));
    }
  }

  __device__ static Chunk chunk_of_numbers(float const (&numbers)[Entries::kPerChunk]) {
    uint32_t words[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      float of_word[kPerWord<Scalar>];
#pragma unroll
      for (int j = 0; j < kPerWord<Scalar>; ++j) of_word[j] = numbers[i * kPerWord<Scalar> + j];
      words[i] = bits_of_word(word_of_numbers<Scalar>(of_word));
    }
    return {words[0], words[1], words[2], words[3]};
  }

  Rows const& rows_;
  Chunk* row_;
  Mask mask_;
  float maximum_;
  bool are_dense_;
};

// Entries of a row that include its support: those above `low`, except some that equal the least of
// them.
template <class Scalar, int Chunks>
struct StagedCandidates {
  using Mask = typename LaneEntries<Scalar, Chunks>::Mask;

  Scalar low{};
  Mask above_low = 0;
  Mask left_out = 0;
};

// Finds at most k candidates, which are hardly more than the support has. All lanes of the warp, or
// threads of the block, call it.
template <class Mapping, class Scalar, int Chunks, class Rows>
__device__ inline StagedCandidates<Scalar, Chunks> find_candidates(
    Rows const& rows, RowWords<Scalar, Chunks> const& words,
    ChunkMaxima<Scalar, Chunks> const& maxima, Mapping const& mapping, float rounding,
    bool is_ordinary, int k) {
  using Entries = LaneEntries<Scalar, Chunks>;
  auto const where_above = [&](Scalar low) {
    auto const mask = Entries::where_above(rows, words, repeated(low));
    return is_ordinary ? mask : 0;
  };
  auto const candidates_above = [&](float bar) -> StagedCandidates<Scalar, Chunks> {
    auto const low = nearest_below<Scalar>(bar);
    return {low, where_above(low)};
  };
  // Entries out of the mapping's reach do not lie above this.
  float bar = next_below(mapping.lower_bound());
  constexpr bool kIsShort = Entries::kCount <= kMostEntriesAtOnce;
  if constexpr (!kIsShort) bar = raised<Mapping, Scalar>(bar, rows, maxima, rounding);
  auto candidates = kIsShort ? StagedCandidates<Scalar, Chunks>() : candidates_above(bar);
  constexpr int kFew = Entries::kCount / kEntriesPerFewCandidates;
  if (kIsShort || any_of_rows(rows, Entries::count(candidates.above_low) > kFew)) {
    bar = raised<Mapping, Scalar>(bar, rows, words, rounding);
    candidates = candidates_above(bar);
  }
  int const count = sum_of_row(rows, Entries::count(candidates.above_low));
  if (!__any_sync(kAllLanes, count > k)) return candidates;
  auto const limit =
      find_limit(rows, words, candidates.low, count, nearest<Scalar>(mapping.maximum()), k);
  auto const above_low = where_above(limit.low);
  auto const least = above_low & ~where_above(limit.high);
  return {limit.low, above_low, Entries::behind_first(rows, least, limit.kept)};
}

// Writes zeros to the entries in the mask, and by whole chunks if some lane has many of them.
template <class Scalar, int Chunks, class Rows>
__device__ inline void clear_entries(Rows const& rows, Chunk* row,
                                     typename LaneEntries<Scalar, Chunks>::Mask mask) {
  using Entries = LaneEntries<Scalar, Chunks>;
  if (__any_sync(kAllLanes, Entries::count(mask) > kMostClearedOneByOne)) {
    Entries::clear(rows, row, mask);
  } else {
    Entries::for_each(rows, row, mask, [](Scalar& entry, auto) { entry = narrow<Scalar>(0); });
  }
}

// Replaces a row in a stage, or in the stages of a block, by its weights. Returns whether these are
// numbers. All lanes of the warp, or threads of the block, call it.
template <class Mapping, class Scalar, int Chunks, class Rows>
__device__ inline bool weigh_many(Rows const& rows, Chunk* row, int k,
                                  typename Mapping::Fixed const& fixed) {
  RowWords<Scalar, Chunks> const words(rows, row, repeated(narrow<Scalar>(-INFINITY)));
  ChunkMaxima<Scalar, Chunks> const maxima(words);
  float const maximum = maxima.largest(rows);
  bool const is_ordinary = is_finite(maximum);
  auto const rounding = static_cast<float>(Mapping::rounding(fixed));
  auto const candidates =
      find_candidates(rows, words, maxima, Mapping(maximum, fixed), rounding, is_ordinary, k);
  // If there is no finite maximum, there are no candidates, and terms are taken relative to 0 so
  // that they are numbers.
  float const top = is_ordinary ? maximum : 0;
  CandidateWeights<Scalar, Chunks, Rows> candidate_weights(
      rows, row, candidates.above_low & ~candidates.left_out, top);
  if (!candidate_weights.are_dense()) {
    auto const low = repeated(candidates.low);
    words.map(rows, row, [&](auto word) { return zero_unless_above(word, low); });
    clear_entries<Scalar, Chunks>(rows, row, candidates.left_out);
    __syncwarp();  // chunks were written and are now read entry by entry
  }
  bool are_coarse = false;
  if constexpr (kPerWord<Scalar> == 2) {
    are_coarse = candidate_weights.weigh(typename Mapping::CoarseTerms(top, fixed), fixed);
  }
  if (!are_coarse) candidate_weights.weigh(typename Mapping::IntegerTerms(top, fixed), fixed);
  if (!is_ordinary) {
    words.map(rows, row, [](auto) { return repeated(narrow<Scalar>(NAN)); });
  }
  return is_ordinary;
}

// Chunks is the most that a lane holds of one row.
template <template <class> class MappingOf, class Scalar, int Chunks>
__global__ void __launch_bounds__(kWarpsPerBlock* kWarpThreads, kBlocksOfPipesThatFit)
    many_kernel(StagedRows rows, Scalar* weights, Scalar const* logits, StagedSupport support,
                int k, typename MappingOf<float>::Fixed fixed) {
  using Mapping = MappingOf<float>;
  weigh_short_rows<Scalar, Chunks>(
      rows, weights, logits, support, [&](LaneRows<Chunks> const& lane_rows, Chunk* row) {
        return weigh_many<Mapping, Scalar, Chunks>(lane_rows, row, k, fixed);
      });
}

// Each block takes a row at a time.
template <template <class> class MappingOf, class Scalar>
__global__ void __launch_bounds__(kMostWarpsPerRow* kWarpThreads, kBlocksOfRows)
    many_of_block_kernel(RowsOfParts rows, Scalar* weights, Scalar const* logits,
                         StagedSupport support, int k, typename MappingOf<float>::Fixed fixed) {
  using Mapping = MappingOf<float>;
  weigh_rows_of_blocks(
      rows, weights, logits, support, [&](BlockRows const& block_rows, Chunk* part) {
        return weigh_many<Mapping, Scalar, kChunksPerLane>(block_rows, part, k, fixed);
      });
}

}  // namespace zeta::rowwise::cuda
