#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>

#include "mappings/root_search.h"
#include "rowwise/cuda/forward/candidates.cuh"
#include "rowwise/cuda/forward/held_row.cuh"
#include "rowwise/cuda/forward/many.cuh"
#include "rowwise/cuda/forward/segment_lists.h"
#include "rowwise/cuda/forward/segments.cuh"
#include "rowwise/cuda/passes/operands.cuh"
#include "rowwise/cuda/shared_memory.cuh"
#include "rowwise/cuda/stages/block_rows.cuh"
#include "rowwise/cuda/stages/lane_entries.cuh"
#include "rowwise/cuda/stages/largest_words.cuh"
#include "rowwise/cuda/stages/loose_copies.cuh"
#include "rowwise/cuda/stages/loose_rows.cuh"
#include "rowwise/cuda/stages/row_limit.cuh"
#include "rowwise/cuda/stages/row_words.cuh"
#include "rowwise/cuda/stages/warp_pipe.cuh"
#include "rowwise/cuda/stages/words.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/ordered_key.h"
#include "rowwise/row_geometry.h"

// Long rows. A block takes one segment after another, a part of it in a stage of each warp. It
// finds the candidates for the support as the kernels of short rows find theirs, writes zeros in
// place of the segment, and leaves the candidates to a second kernel, as segments.cuh does.
namespace zeta::rowwise::cuda {

// The segments that fall to a block, one after another.
class SegmentTurns {
 public:
  __device__ explicit SegmentTurns(uint32_t per_row)
      : per_row_(per_row),
        row_(blockIdx.x / per_row),
        segment_(blockIdx.x - row_ * per_row),
        rows_of_step_(gridDim.x / per_row),
        segments_of_step_(gridDim.x - rows_of_step_ * per_row) {}

  __device__ uint32_t row() const { return row_; }
  __device__ uint32_t segment() const { return segment_; }
  __device__ int64_t number() const { return int64_t{row_} * per_row_ + segment_; }

  __device__ void advance() {
    row_ += rows_of_step_;
    segment_ += segments_of_step_;
    if (segment_ >= per_row_) {
      segment_ -= per_row_;
      ++row_;
    }
  }

 private:
  uint32_t per_row_;
  uint32_t row_;
  uint32_t segment_;
  uint32_t rows_of_step_;
  uint32_t segments_of_step_;
};

namespace detail {

// A warp's part of a segment in both operands. It may be empty.
template <class Scalar>
struct PartOfSegment {
  LooseRows<Scalar const> logits;
  LooseRows<Scalar> weights;
  int first_column;

  __device__ PartOfSegment(RowGeometry<3> const& geometry, ForwardOperands<Scalar> const& operands,
                           Segments const& segments, SegmentTurns const& turns, int warp,
                           int warps) {
    auto const row = operands.row(geometry, turns.row());
    auto const length = static_cast<int>(geometry.length);
    int const column = (static_cast<int>(turns.segment()) * warps + warp) * segments.length;
    first_column = column < length ? column : length;
    int const left = length - first_column;
    logits = {row.logits_begin + first_column, left < segments.length ? left : segments.length};
    weights = {row.weights_begin + first_column, logits.entries};
  }
};

}  // namespace detail

// The candidates of a segment among the entries of this lane.
template <class Scalar>
struct FoundCandidates {
  using Mask = typename LaneEntries<Scalar, kChunksPerLane>::Mask;

  float maximum;          // of the segment; NaN if an entry is
  Mask mask = 0;          // empty if the maximum is infinite or NaN
  Scalar bound{};         // all candidates are above this
  RowCounts counts = {};  // of the mask
};

// Finds the k largest entries of a segment that are within the mapping's reach, for k up to the
// length of a list. Of equal entries, those with lower indices come first. All threads of the block
// call it.
template <class Mapping, class Scalar, int K>
__device__ inline FoundCandidates<Scalar> find_few(BlockRows const& rows, Chunk const* part, int k,
                                                   typename Mapping::Fixed const& fixed) {
  using Word = word_t<Scalar>;
  using Entries = LaneEntries<Scalar, kChunksPerLane>;
  Word const fill = repeated(narrow<Scalar>(-INFINITY));
  RowWords<Scalar, kChunksPerLane> const words(rows, part, fill);
  LargestWords<K, Word> largest(words, fill);
  merge_over_row(rows, largest, fill);
  if constexpr (kPerWord<Scalar> == 2) largest.merge_halves();
  FoundCandidates<Scalar> found = {number(largest[0], 0)};
  if (!is_finite(found.maximum)) return found;
  float last = found.maximum;
#pragma unroll
  for (int i = 1; i < K; ++i) last = i < k ? number(largest[i], 0) : last;
  float const reach = least_of_support<Scalar>(Mapping(found.maximum, fixed));
  found.bound = nearest_below<Scalar>(next_below(last > reach ? last : reach));
  found.mask = Entries::where_above(rows, words, repeated(found.bound));
  found.counts = counts_of_row(rows, Entries::count(found.mask));
  if (found.counts.total <= k) return found;
  auto const above_last = Entries::where_above(rows, words, repeated(nearest<Scalar>(last)));
  int const left = k - sum_of_row(rows, Entries::count(above_last));
  found.mask &= ~Entries::behind_first(rows, found.mask & ~above_last, left);
  found.counts = counts_of_row(rows, Entries::count(found.mask));
  return found;
}

// Finds the k largest entries of a segment, for k <= 32. Of equal entries, those with lower indices
// come first. All threads of the block call it.
template <class Scalar>
__device__ inline FoundCandidates<Scalar> find_largest(BlockRows const& rows, Chunk const* part,
                                                       int k) {
  using Entries = LaneEntries<Scalar, kChunksPerLane>;
  RowWords<Scalar, kChunksPerLane> const words(rows, part, repeated(narrow<Scalar>(-INFINITY)));
  float const of_lane = ChunkMaxima<Scalar, kChunksPerLane>(words).of_lane();
  FoundCandidates<Scalar> found = {largest_of_row(rows, of_lane)};
  if (!is_finite(found.maximum)) return found;
  // k entries reach the k-th largest of the maxima of a warp's lanes.
  auto const kth = scalar_of<float>(kth_of_lanes(selection_key(of_lane), k));
  float const least = larger(largest_of_row(rows, kth), widen(least_finite<Scalar>()));
  auto const low = nearest_below<Scalar>(next_below(least));
  auto const where_above = [&](Scalar bar) {
    return Entries::where_above(rows, words, repeated(bar));
  };
  found.mask = where_above(low);
  int const count = sum_of_row(rows, Entries::count(found.mask));
  if (count > k) {
    auto const limit = find_limit(rows, words, low, count, nearest<Scalar>(found.maximum), k);
    found.mask = where_above(limit.low);
    auto const ties = found.mask & ~where_above(limit.high);
    found.mask &= ~Entries::behind_first(rows, ties, limit.kept);
  }
  found.counts = counts_of_row(rows, Entries::count(found.mask));
  return found;
}

// Finds at most k entries that may be in the support, which are hardly more than are in that of the
// segment. All threads of the block call it.
template <class Mapping, class Scalar>
__device__ inline FoundCandidates<Scalar> find_many(BlockRows const& rows, Chunk const* part, int k,
                                                    typename Mapping::Fixed const& fixed) {
  RowWords<Scalar, kChunksPerLane> const words(rows, part, repeated(narrow<Scalar>(-INFINITY)));
  ChunkMaxima<Scalar, kChunksPerLane> const maxima(words);
  FoundCandidates<Scalar> found = {maxima.largest(rows)};
  if (!is_finite(found.maximum)) return found;
  auto const rounding = static_cast<float>(Mapping::rounding(fixed));
  auto const candidates =
      find_candidates(rows, words, maxima, Mapping(found.maximum, fixed), rounding, true, k);
  found.bound = candidates.low;
  found.mask = candidates.above_low & ~candidates.left_out;
  found.counts = counts_of_row(rows, LaneEntries<Scalar, kChunksPerLane>::count(found.mask));
  return found;
}

// Writes a segment's candidates for the second kernel.
template <class Scalar>
class SegmentWriter {
 public:
  using One = Candidate<Scalar>;
  using Key = typename One::Key;
  using Entries = LaneEntries<Scalar, kChunksPerLane>;
  using Lists = SegmentLists<Key>;

  // The first entry of the part has the index `first_column` in the row.
  __device__ SegmentWriter(BlockRows const& rows, Chunk const* part, int first_column,
                           Lists const& lists, int64_t number)
      : rows_(rows),
        entries_(reinterpret_cast<Scalar const*>(part + rows.first_chunk())),
        first_column_(first_column + rows.first_chunk() * kPerChunk),
        lists_(lists),
        begin_(number * lists.capacity),
        number_(number) {}

  // Writes the candidates in order. They must have room, in the list and in `array`, which is
  // shared memory of the block.
  __device__ void write_ordered(FoundCandidates<Scalar> const& found,
                                CandidateArray<Scalar, kWarpThreads>& array) const {
    auto [place, count] = found.counts;
    Entries::for_each_place(found.mask, [&](int entry) { array.set(place++, candidate(entry)); });
    __syncthreads();
    if (rows_.warp() != 0) return;
    int const lane = rows_.rank();
    One own;
    if (lane < count) own = array[lane];
    // If the segment has no candidates, its maximum is not finite.
    if (lane == 0 && count == 0) own.key = largest_key<Scalar>(found.maximum);
    int rank = lane;
    if (lane < count) {
      rank = 0;
#pragma unroll 1
      for (int other = 0; other < count; ++other) rank += array[other].comes_before(own) ? 1 : 0;
    }
    if (lane >= lists_.capacity) return;
    lists_.keys[begin_ + rank] = own.key;
    lists_.columns[begin_ + rank] = own.column;
  }

  // Writes all candidates, if they have room.
  __device__ void write_all(FoundCandidates<Scalar> const& found) const {
    auto [place, count] = found.counts;
    SegmentHeader<Key> header = {largest_key<Scalar>(found.maximum), kLeast<Key>, count};
    if (is_finite(found.maximum)) header.bound = selection_key(found.bound);
    if (count > lists_.capacity) {
      header.count = SegmentHeader<Key>::kTooMany;
    } else {
      Entries::for_each_place(found.mask, [&](int entry) {
        auto const one = candidate(entry);
        lists_.keys[begin_ + place] = one.key;
        lists_.columns[begin_ + place] = one.column;
        ++place;
      });
    }
    if (rows_.rank() == 0) lists_.headers[number_] = header;
  }

 private:
  static constexpr int kPerChunk = LooseRows<Scalar>::kPerChunk;

  __device__ One candidate(int entry) const {
    return {Key{selection_key(entries_[entry])}, first_column_ + entry};
  }

  BlockRows const& rows_;
  Scalar const* entries_;
  int first_column_;
  Lists const& lists_;
  int64_t begin_;
  int64_t number_;
};

// Takes the segments that fall to this block. find(rows, part) finds the candidates of one, and
// write(writer, candidates) hands them on.
template <class Scalar, class Find, class Write>
__device__ inline void take_segments(RowGeometry<3> const& geometry,
                                     ForwardOperands<Scalar> const& operands,
                                     Segments const& segments, HeldStages<Scalar> const& stages,
                                     SegmentLists<candidate_key_t<Scalar>> const& lists,
                                     Find const& find, Write const& write) {
  constexpr int kPerChunk = LooseRows<Scalar>::kPerChunk;
  BlockRows rows;
  SegmentTurns loaded(static_cast<uint32_t>(segments.per_row));
  SegmentTurns taken = loaded;
  auto const part_of = [&](SegmentTurns const& turns) {
    return detail::PartOfSegment<Scalar>(geometry, operands, segments, turns, rows.warp(),
                                         rows.warps());
  };
  int64_t const count = geometry.rows * segments.per_row;
  WarpPipe pipe(stages.count);
  pipe.for_each(
      count * rows.warps(),
      [&](int64_t, int stage) {
        load_cover(pipe, stage, part_of(loaded).logits, stages.end);
        loaded.advance();
      },
      [&](int64_t, int stage) {
        if (taken.number() + gridDim.x >= count) let_second_kernel_start();
        auto const part = part_of(taken);
        HeldRow<Scalar> const held(pipe.stage(stage), part.logits.shift(), part.logits.entries);
        held.mask_others();
        rows.take_part(0, part.logits.cover_entries() / kPerChunk);
        Chunk const* const chunks = pipe.stage(stage);
        auto const found = find(rows, chunks);
        write(SegmentWriter<Scalar>(rows, chunks, part.first_column - part.logits.shift(), lists,
                                    taken.number()),
              found);
        taken.advance();
        __syncwarp();
        held.fill(narrow<Scalar>(0), part.weights.shift());
        store_rows(pipe, stage, part.weights);
      });
}

// Lists the candidates of segments for k <= K.
template <template <class> class MappingOf, class Scalar, int K>
__global__ void __launch_bounds__(kMostWarpsPerRow* kWarpThreads, kBlocksOfRows)
    segments_few_kernel(__grid_constant__ RowGeometry<3> const geometry,
                        ForwardOperands<Scalar> operands, Segments segments,
                        HeldStages<Scalar> stages, SegmentLists<candidate_key_t<Scalar>> lists,
                        typename MappingOf<float>::Fixed fixed) {
  using Array = CandidateArray<Scalar, kWarpThreads>;
  ZETA_SHARED_ARRAY(Array, array, 1);
  auto const k = static_cast<int>(operands.k);
  take_segments(
      geometry, operands, segments, stages, lists,
      [&](BlockRows const& rows, Chunk const* part) {
        return find_few<MappingOf<float>, Scalar, K>(rows, part, k, fixed);
      },
      [&](SegmentWriter<Scalar> const& writer, FoundCandidates<Scalar> const& found) {
        writer.write_ordered(found, array[0]);
      });
}

// Lists the candidates of segments for any k, but for k <= 32 where the threshold is searched for.
template <template <class> class MappingOf, class Scalar>
__global__ void __launch_bounds__(kMostWarpsPerRow* kWarpThreads, kBlocksOfRows)
    segments_many_kernel(__grid_constant__ RowGeometry<3> const geometry,
                         ForwardOperands<Scalar> operands, Segments segments,
                         HeldStages<Scalar> stages, SegmentLists<candidate_key_t<Scalar>> lists,
                         unsigned* arrivals, int teams, typename MappingOf<float>::Fixed fixed) {
  using Array = CandidateArray<Scalar, kWarpThreads>;
  ZETA_SHARED_ARRAY(Array, array, 1);
  // The second kernel needs these counters to be 0.
  for (int team = static_cast<int>(threadIdx.x); blockIdx.x == 0 && team < teams;
       team += static_cast<int>(blockDim.x)) {
    arrivals[team] = 0;
  }
  auto const k = static_cast<int>(operands.k < geometry.length ? operands.k : geometry.length);
  take_segments(
      geometry, operands, segments, stages, lists,
      [&](BlockRows const& rows, Chunk const* part) {
        if constexpr (mappings::kHasSearch<MappingOf<float>>) {
          return find_largest<Scalar>(rows, part, k);
        } else {
          return find_many<MappingOf<float>, Scalar>(rows, part, k, fixed);
        }
      },
      [&](SegmentWriter<Scalar> const& writer, FoundCandidates<Scalar> const& found) {
        if (operands.k <= kWarpThreads) {
          writer.write_ordered(found, array[0]);
        } else {
          writer.write_all(found);
        }
      });
}

}  // namespace zeta::rowwise::cuda
