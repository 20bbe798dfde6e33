#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>

#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/stages/loose_copies.cuh"
#include "rowwise/cuda/stages/loose_rows.cuh"
#include "rowwise/cuda/stages/stage_rows.cuh"
#include "rowwise/cuda/stages/warp_pipe.cuh"
#include "rowwise/cuda/stages/words.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/ordered_key.h"
#include "rowwise/saved_support.h"

// Longer rows, k up to the lanes of a warp: a warp holds a whole row in a stage. The k-th largest
// of its lanes' maxima is at most the row's k-th largest entry, so only lanes whose maximum reaches
// it have entries of the support. These are looked at again, which leaves a short list. For each
// entry that is one maximum and its part of one store; the rest does not grow with the row.
namespace zeta::rowwise::cuda {

// Candidates of a warp in shared memory, in any order.
struct CandidateList {
  int32_t keys[kHeldCandidates];  // selection_key() of the entry
  int columns[kHeldCandidates];
};

// One of them, or none. The larger entry comes first, of equal ones that of the lower column.
struct Candidate {
  int32_t key = kLeast<int32_t>;
  int column = INT32_MAX;

  __device__ bool comes_before(Candidate other) const {
    return key > other.key || (key == other.key && column < other.column);
  }
};

// A row that lies in a stage, behind some entries that are not its own.
template <class Scalar>
class HeldRow {
 public:
  using Word = word_t<Scalar>;
  static constexpr int kPerChunk = kChunkBytes / static_cast<int>(sizeof(Scalar));

  __device__ HeldRow(Chunk* stage, int shift, int length, CandidateList& list)
      : stage_(stage),
        shift_(shift),
        length_(length),
        chunks_((shift + length + kPerChunk - 1) / kPerChunk),
        lane_(static_cast<int>(threadIdx.x) % kWarpThreads),
        list_(list) {}

  // Makes what is not of the row -inf.
  __device__ void mask_others() const {
    if (lane_ < shift_) entries()[lane_] = narrow<Scalar>(-INFINITY);
    int const entry = shift_ + length_ + lane_;
    if (entry < chunks_ * kPerChunk) entries()[entry] = narrow<Scalar>(-INFINITY);
    __syncwarp();
  }

  // The largest entry of the lane's chunks; NaN if one of them is.
  __device__ float lane_maximum() const {
    Word const fill = repeated(narrow<Scalar>(-INFINITY));
    Word maxima[4] = {fill, fill, fill, fill};
    int step = 0;
#pragma unroll 1
    for (; (step + kStepsAtOnce) * kWarpThreads <= chunks_; step += kStepsAtOnce) {
      Chunk chunks[kStepsAtOnce];
#pragma unroll
      for (int i = 0; i < kStepsAtOnce; ++i) chunks[i] = stage_[chunk_of(lane_, step + i)];
#pragma unroll
      for (int i = 0; i < kStepsAtOnce; ++i) add_to(maxima, chunks[i]);
    }
#pragma unroll 1
    for (; step * kWarpThreads < chunks_; ++step) {
      int const chunk = chunk_of(lane_, step);
      if (chunk < chunks_) add_to(maxima, stage_[chunk]);
    }
    Word const all =
        larger_or_nan(larger_or_nan(maxima[0], maxima[1]), larger_or_nan(maxima[2], maxima[3]));
    return kPerWord<Scalar> == 1 ? number(all, 0) : larger_or_nan(number(all, 0), number(all, 1));
  }

  // Whether each entry is a number, and some number is finite; the row's maximum in all lanes.
  __device__ static bool is_ordinary(float& maximum) {
    bool const is_nan = maximum != maximum;
    if (__any_sync(kAllLanes, is_nan)) return false;
    maximum = scalar_of<float>(largest_of_lanes(selection_key(maximum)));
    return maximum < INFINITY && maximum > -INFINITY;
  }

  // The k-th largest of the lanes' maxima.
  __device__ static float kth_maximum(float lane_maximum, int k) {
    int key = selection_key(lane_maximum);
    int seen = 0;
    int kth;
#pragma unroll 1
    do {
      kth = largest_of_lanes(key);
      bool const is_kth = key == kth;
      seen += __popc(__ballot_sync(kAllLanes, is_kth));
      if (is_kth) key = kLeast<int32_t>;
    } while (seen < k);
    return scalar_of<float>(kth);
  }

  __device__ void fill(Scalar value, int shift) const {
    uint32_t const bits = bits_of_word(repeated(value));
    int const chunks = (shift + length_ + kPerChunk - 1) / kPerChunk;
#pragma unroll 8
    for (int chunk = lane_; chunk < chunks; chunk += kWarpThreads) {
      stage_[chunk] = {bits, bits, bits, bits};
    }
    __syncwarp();
  }

  // The k first candidates, or all if there are fewer, one to a lane in their order. `bound` is at
  // most the k-th largest entry.
  __device__ Candidate first_candidates(float lane_maximum, float bound, int k) {
    int count = 0;
    Candidate last;  // what comes behind it is of no use any more
    last.key = key_below(bound);
#pragma unroll 1
    for (unsigned lanes = __ballot_sync(kAllLanes, lane_maximum >= bound); lanes != 0;
         lanes &= lanes - 1) {
      list_chunks_of(__ffs(static_cast<int>(lanes)) - 1, k, count, last);
    }
    return keep_first(k, count);
  }

 private:
  static constexpr int kStepsAtOnce = 8;

  __device__ Scalar* entries() const { return reinterpret_cast<Scalar*>(stage_); }

  // In each step the lanes take neighbouring chunks, and a lane's chunks lie in different banks,
  // too.
  __device__ static int chunk_of(int lane, int step) {
    return step * kWarpThreads + (lane ^ step % kWarpThreads);
  }

  __device__ static void add_to(Word (&maxima)[4], Chunk const& chunk) {
    maxima[0] = larger_or_nan(maxima[0], word_from_bits<Word>(chunk.x));
    maxima[1] = larger_or_nan(maxima[1], word_from_bits<Word>(chunk.y));
    maxima[2] = larger_or_nan(maxima[2], word_from_bits<Word>(chunk.z));
    maxima[3] = larger_or_nan(maxima[3], word_from_bits<Word>(chunk.w));
  }

  __device__ static int32_t key_of_entry(Scalar entry) { return selection_key(entry); }

  // The largest key of the type that is below the key of a bound.
  __device__ static int32_t key_below(float bound) {
    return key_of_entry(narrow<Scalar>(bound)) - 1;
  }

  // Lists the candidates of one lane's chunks, each lane looking at one of them.
  __device__ void list_chunks_of(int owner, int k, int& count, Candidate& last) {
#pragma unroll 1
    for (int first = 0; first * kWarpThreads < chunks_; first += kWarpThreads) {
      int const step = first + lane_;
      int const chunk = chunk_of(owner, step);
      bool const exists = chunk < chunks_;
      unsigned found = exists ? reaching(chunk, last) : 0;
#pragma unroll 1
      for (;;) {
        unsigned const finders = __ballot_sync(kAllLanes, found != 0);
        if (finders == 0) break;
        if (count + __popc(finders) > kHeldCandidates) {
          make_room(k, count, last);
          found &= exists ? reaching(chunk, last) : 0;
          continue;
        }
        if (found != 0) {
          int const entry = chunk * kPerChunk + __ffs(static_cast<int>(found)) - 1;
          int const place = count + __popc(finders & ((1U << lane_) - 1));
          list_.keys[place] = key_of_entry(entries()[entry]);
          list_.columns[place] = entry - shift_;
        }
        found &= found - 1;
        count += __popc(finders);
      }
    }
  }

  // Which entries of a chunk come before `last`, as bits.
  __device__ unsigned reaching(int chunk, Candidate last) const {
    unsigned found = 0;
#pragma unroll
    for (int i = 0; i < kPerChunk; ++i) {
      int const entry = chunk * kPerChunk + i;
      Candidate const one = {key_of_entry(entries()[entry]), entry - shift_};
      if (one.comes_before(last)) found |= 1U << i;
    }
    return found;
  }

  __device__ void make_room(int k, int& count, Candidate& last) {
    Candidate const own = keep_first(k, count);
    count = count < k ? count : k;
    if (lane_ < count) {
      list_.keys[lane_] = own.key;
      list_.columns[lane_] = own.column;
    }
    if (count == k) {
      last.key = __shfl_sync(kAllLanes, own.key, k - 1);
      last.column = __shfl_sync(kAllLanes, own.column, k - 1);
    }
    __syncwarp();
  }

  // The k first of the list, one to a lane: each candidate counts those before it.
  __device__ Candidate keep_first(int k, int count) {
    __syncwarp();
    constexpr int kMost = kHeldCandidates / kWarpThreads;
    Candidate own[kMost];
    int ranks[kMost] = {};
#pragma unroll
    for (int i = 0; i < kMost; ++i) {
      int const place = i * kWarpThreads + lane_;
      if (place < count) own[i] = {list_.keys[place], list_.columns[place]};
    }
#pragma unroll 1
    for (int place = 0; place < count; ++place) {
      Candidate const other = {list_.keys[place], list_.columns[place]};
#pragma unroll
      for (int i = 0; i < kMost; ++i) ranks[i] += other.comes_before(own[i]) ? 1 : 0;
    }
    __syncwarp();
#pragma unroll
    for (int i = 0; i < kMost; ++i) {
      if (i * kWarpThreads + lane_ < count && ranks[i] < k) {
        list_.keys[ranks[i]] = own[i].key;
        list_.columns[ranks[i]] = own[i].column;
      }
    }
    __syncwarp();
    Candidate result;
    if (lane_ < k && lane_ < count) result = {list_.keys[lane_], list_.columns[lane_]};
    __syncwarp();
    return result;
  }

  Chunk* stage_;
  int shift_;
  int length_;
  int chunks_;
  int lane_;
  CandidateList& list_;
};

// The weight of each lane's candidate, given the k first of a row in the order of the lanes: sums
// of the first ones of them say up to where they are in the support.
template <class Mapping, class Scalar>
__device__ inline Scalar weight_of(Candidate candidate, Mapping const& mapping) {
  using Sum = typename Mapping::Sum;
  using Threshold = typename Mapping::Threshold;
  int const lane = static_cast<int>(threadIdx.x) % kWarpThreads;
  bool const exists = candidate.column != INT32_MAX;
  float const logit =
      exists ? widen(scalar_of<Scalar>(static_cast<key_t<Scalar>>(candidate.key))) : -INFINITY;
  bool const is_within_reach = exists && logit >= mapping.lower_bound();
  auto const term = mapping.term(is_within_reach ? logit : mapping.maximum());
  Sum sum;
  if (is_within_reach) sum.add(term);
#pragma unroll
  for (int distance = 1; distance < kWarpThreads; distance *= 2) {
    Sum const before = detail::shuffle_words(
        sum, [&](int word) { return __shfl_up_sync(kAllLanes, word, distance); });
    if (lane >= distance) sum.add(before);
  }
  Threshold threshold = mapping.threshold(sum);
  bool const is_in = is_within_reach && mapping.is_above(term, threshold);
  int const size = __popc(__ballot_sync(kAllLanes, is_in));
  threshold = detail::shuffle_words(
      threshold, [&](int word) { return __shfl_sync(kAllLanes, word, size - 1); });
  return narrow<Scalar>(lane < size ? mapping.weight(term, threshold) : 0);
}

// Writes a support as rowwise/saved_support.h has it; `is_in` and `column` are those of a lane.
__device__ inline void write_support(int32_t* support, int capacity, bool is_ordinary, bool is_in,
                                     int column) {
  int const lane = static_cast<int>(threadIdx.x) % kWarpThreads;
  unsigned const lanes = __ballot_sync(kAllLanes, is_in);
  int place = 0;
#pragma unroll 1
  for (unsigned rest = lanes; rest != 0; rest &= rest - 1) {
    int const other = __shfl_sync(kAllLanes, column, __ffs(static_cast<int>(rest)) - 1);
    place += other < column ? 1 : 0;
  }
  int const count = __popc(lanes);
  if (lane == 0) support[0] = is_ordinary ? count : kNaNRow;
  if (is_in) support[1 + place] = column;
  for (int i = count + lane; i < capacity; i += kWarpThreads) support[1 + i] = kNoColumn;
}

// Turns a row of a stage into its weights, which follow `target_shift` other entries there. All
// lanes of the warp call it.
template <class Mapping, class Scalar>
__device__ inline void weigh_held(HeldRow<Scalar>& row, Scalar* target, int target_shift, int k,
                                  typename Mapping::Fixed const& fixed, int32_t* support,
                                  int capacity) {
  float const lane_maximum = row.lane_maximum();
  float maximum = lane_maximum;
  bool const is_ordinary = row.is_ordinary(maximum);
  Candidate candidate;
  Scalar weight = narrow<Scalar>(0);
  if (is_ordinary) {
    Mapping const mapping(maximum, fixed);
    float const bound = fmaxf(row.kth_maximum(lane_maximum, k), mapping.lower_bound());
    candidate = row.first_candidates(lane_maximum, bound, k);
    weight = weight_of<Mapping, Scalar>(candidate, mapping);
  }
  row.fill(narrow<Scalar>(is_ordinary ? 0 : NAN), target_shift);
  bool const is_in = widen(weight) != 0;
  if (is_in) target[target_shift + candidate.column] = weight;
  if (support != nullptr) write_support(support, capacity, is_ordinary, is_in, candidate.column);
  __syncwarp();
}

// A block is a warp.
template <template <class> class MappingOf, class Scalar>
__global__ void __launch_bounds__(kWarpThreads)
    held_kernel(StagedRows rows, Scalar* weights, Scalar const* logits, StagedSupport support,
                int k, typename MappingOf<float>::Fixed fixed) {
  ZETA_SHARED_ARRAY(CandidateList, list, 1);
  int const chunks_per_stage = rows.chunks_per_row;
  WarpPipe pipe(rows.stages, chunks_per_stage);
  pipe.for_each(
      rows.rows,
      [&](int64_t number, int stage) {
        load_cover(pipe, stage, LooseRows<Scalar const>{logits + number * rows.length, rows.length},
                   number + 1 == rows.rows);
      },
      [&](int64_t number, int stage) {
        LooseRows<Scalar const> const from = {logits + number * rows.length, rows.length};
        LooseRows<Scalar> const to = {weights + number * rows.length, rows.length};
        HeldRow<Scalar> row(pipe.stage(stage), from.shift(), rows.length, list[0]);
        row.mask_others();
        weigh_held<MappingOf<float>>(
            row, reinterpret_cast<Scalar*>(pipe.stage(stage)), to.shift(), k, fixed,
            support.is_wanted() ? support.of(rows, number, 0) : nullptr, support.capacity);
        store_rows(pipe, stage, to);
      });
}

}  // namespace zeta::rowwise::cuda
