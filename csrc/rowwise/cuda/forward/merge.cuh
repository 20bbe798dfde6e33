#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>

#include "rowwise/cuda/forward/candidates.cuh"
#include "rowwise/cuda/forward/held_row.cuh"
#include "rowwise/cuda/forward/passes.cuh"
#include "rowwise/cuda/forward/segment_lists.h"
#include "rowwise/cuda/passes/block.cuh"
#include "rowwise/cuda/passes/candidates.cuh"
#include "rowwise/cuda/passes/operands.cuh"
#include "rowwise/cuda/passes/row.cuh"
#include "rowwise/cuda/passes/support.cuh"
#include "rowwise/cuda/shared_memory.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/ordered_key.h"
#include "rowwise/row_geometry.h"

// Long rows, second kernel: a block takes the candidates of a row's segments and writes the weights
// that are not zero. Rows that have too many are passed over once more.
namespace zeta::rowwise::cuda {

namespace detail {

// What the headers of some segments say of their row.
template <class Key>
struct RowBounds {
  Key largest = kLeast<Key>;
  Key bound = kLeast<Key>;
  // The first segment of which k entries are not below the bound: what equals it in a later one is
  // of no use.
  int64_t segment = INT64_MAX;

  __device__ void add(RowBounds const& other) {
    if (other.largest > largest) largest = other.largest;
    bool const is_first = other.bound == bound && other.segment < segment;
    if (other.bound > bound || is_first) {
      bound = other.bound;
      segment = other.segment;
    }
  }

  __device__ bool includes(Key key, int of_segment) const {
    return key > bound || (key == bound && of_segment <= segment);
  }
};

}  // namespace detail

// A row's segments, as the first kernel left them.
template <class Mapping, class Scalar>
class MergedRow {
 public:
  using Key = candidate_key_t<Scalar>;
  using Threads = Block<kThreadsPerBlock>;

  __device__ MergedRow(Threads const& block, SegmentLists<Key> const& lists, int segments,
                       int64_t number, int64_t k)
      : block_(block),
        headers_(lists.headers + number * segments),
        keys_(lists.keys + number * segments * lists.capacity),
        columns_(lists.columns + number * segments * lists.capacity),
        segments_(segments),
        capacity_(lists.capacity),
        k_(k) {
    detail::RowBounds<Key> bounds;
#pragma unroll 4
    for (int i = block.rank(); i < segments_; i += block.threads()) {
      auto const header = headers_[i];
      bounds.add({header.largest, header.bound, header.count == k ? i : INT64_MAX});
    }
    own_largest_ = bounds.largest;
    bounds_ = block.reduce(bounds);
  }

  __device__ bool is_ordinary() const {
    return bounds_.largest < Key{key_of(narrow<Scalar>(INFINITY))} &&
           bounds_.largest > Key{key_of(narrow<Scalar>(-INFINITY))};
  }
  __device__ Scalar largest() const {
    return scalar_of<Scalar>(static_cast<key_t<Scalar>>(bounds_.largest));
  }

  // Raises the bound to what the row's maximum implies, and to what k segments reach.
  __device__ void raise_bound(Mapping const& mapping) {
    raise_to(selection_key(narrow<Scalar>(mapping.lower_bound())));
    if (k_ > kWarpThreads) return;
    ZETA_SHARED_ARRAY(Key, largest, kThreadsPerBlock);
    largest[block_.rank()] = own_largest_;
    block_.synchronize();
    Key of_lane = kLeast<Key>;
    for (int i = block_.rank() % kWarpThreads; i < kThreadsPerBlock; i += kWarpThreads) {
      if (largest[i] > of_lane) of_lane = largest[i];
    }
    raise_to(kth_of_lanes(of_lane, static_cast<int>(k_)));
  }

  // Lists the candidates, in any order, and counts them. False if there are too many.
  __device__ bool list_into(Scalar* entries, int* columns, int& count) const {
    ZETA_SHARED_ARRAY(int, live, kSegmentsAtOnce);
    ZETA_SHARED_ARRAY(int, counts, 2);  // of live segments, of candidates
    if (block_.rank() == 0) counts[1] = 0;
    for (int first = 0; first < segments_; first += kSegmentsAtOnce) {
      if (block_.rank() == 0) counts[0] = 0;
      block_.synchronize();
      int const last = segments_ - first < kSegmentsAtOnce ? segments_ : first + kSegmentsAtOnce;
      for (int i = first + block_.rank(); i < last; i += block_.threads()) {
        auto const header = headers_[i];
        if (!bounds_.includes(header.largest, i)) continue;
        if (header.count == SegmentHeader<Key>::kTooMany) atomicAdd(&counts[1], kTooMany);
        if (header.count > 0) live[atomicAdd(&counts[0], 1)] = i;
      }
      block_.synchronize();
      for (int i = block_.rank(); i < counts[0] * capacity_; i += block_.threads()) {
        list(live[i / capacity_], i % capacity_, entries, columns, counts[1]);
      }
      block_.synchronize();
    }
    count = counts[1];
    return count <= kCandidatesPerBlock;
  }

 private:
  static constexpr int kTooMany = 1 << 20;

  __device__ void raise_to(Key bound) { bounds_.add({kLeast<Key>, bound, INT64_MAX}); }

  __device__ void list(int segment, int place, Scalar* entries, int* columns, int& count) const {
    if (place >= headers_[segment].count) return;
    Key const key = keys_[segment * int64_t{capacity_} + place];
    if (!bounds_.includes(key, segment)) return;
    int const free = atomicAdd(&count, 1);
    if (free >= kCandidatesPerBlock) return;
    entries[free] = scalar_of<Scalar>(static_cast<key_t<Scalar>>(key));
    columns[free] = columns_[segment * int64_t{capacity_} + place];
  }

  Threads const& block_;
  SegmentHeader<Key> const* headers_;
  Key const* keys_;
  int const* columns_;
  int segments_;
  int capacity_;
  int64_t k_;
  Key own_largest_;
  detail::RowBounds<Key> bounds_;
};

// k up to the lanes of a warp, not too many candidates: by one warp.
template <class Mapping, class Scalar>
__device__ inline void write_first(Candidates<Scalar, int> const& candidates,
                                   Mapping const& mapping, ForwardRow<Scalar> const& row,
                                   int64_t k) {
  ZETA_SHARED_ARRAY(CandidateArray<Scalar>, array, 1);
  if (threadIdx.x >= kWarpThreads) return;
  auto const lane = static_cast<int>(threadIdx.x);
  WarpCandidates<Scalar> list(array[0], k, kLeast<candidate_key_t<Scalar>>);
#pragma unroll 1
  for (int first = 0; first < candidates.count; first += kWarpThreads) {
    Candidate<Scalar> one;
    int const place = first + lane;
    if (place < candidates.count) {
      one = {selection_key(candidates.entries[place]), candidates.columns[place]};
    }
    list.add(one.exists() && list.includes(one), one);
  }
  auto const candidate = list.keep_first();
  Scalar const weight = weight_of(candidate, mapping);
  bool const is_in = widen(weight) != 0;
  if (is_in) row.weights_begin[candidate.column] = weight;
  write_support(row.support, true, is_in, candidate.column);
}

template <class Scalar>
__device__ inline void write_nan(Block<kThreadsPerBlock> const& block,
                                 ForwardRow<Scalar> const& row) {
  row.weights().fill(block, narrow<Scalar>(NAN));
  if (row.support.is_wanted()) row.support.close(block, 0, false);
}

// A row with too many candidates. `buffer` is shared memory for all of it, or null.
template <class Mapping, class Scalar>
__device__ inline void forward_crowded_row(Block<kThreadsPerBlock> const& block,
                                           typename Mapping::Fixed const& fixed,
                                           ForwardRow<Scalar> const& row, Scalar* buffer,
                                           int64_t k) {
  auto logits = row.logits();
  if (buffer != nullptr) {
    ContiguousRow<Scalar> const copy = {buffer + logits.shift(), logits.length};
    logits.map(block, copy, [](int64_t, Scalar entry) { return entry; });
    __syncthreads();
    logits.begin = copy.begin;
  }
  forward_by_passes<Mapping>(block, fixed, logits, row.weights(), row.support, k);
}

// Each block takes every gridDim.x-th row. The launch may give it shared memory for a whole one.
template <template <class> class MappingOf, class Scalar>
__global__ void __launch_bounds__(kThreadsPerBlock, kBlocksOfThreads)
    merge_kernel(__grid_constant__ RowGeometry<3> const geometry, ForwardOperands<Scalar> operands,
                 int segments, SegmentLists<candidate_key_t<Scalar>> lists, bool has_buffer,
                 typename MappingOf<widened_t<Scalar>>::Fixed fixed) {
  using Mapping = MappingOf<widened_t<Scalar>>;
  ZETA_DYNAMIC_SHARED_ARRAY(Scalar, buffer);
  ZETA_SHARED_ARRAY(Scalar, entries, kCandidatesPerBlock);
  ZETA_SHARED_ARRAY(int, columns, kCandidatesPerBlock);
  Block<kThreadsPerBlock> const block;
  int64_t const k = operands.k;
  for (int64_t number = blockIdx.x; number < geometry.rows; number += gridDim.x) {
    auto const row = operands.row(geometry, number);
    MergedRow<Mapping, Scalar> merged(block, lists, segments, number, k);
    if (!merged.is_ordinary()) {
      write_nan(block, row);
      continue;
    }
    Mapping const mapping(widen(merged.largest()), fixed);
    merged.raise_bound(mapping);
    int count;
    bool const has_room = merged.list_into(entries, columns, count);
    Candidates<Scalar, int> const candidates = {entries, columns, count, 1};
    if (!has_room) {
      forward_crowded_row<Mapping>(block, fixed, row, has_buffer ? buffer : nullptr, k);
    } else if (k <= kWarpThreads && count <= kCandidatesOfOneWarp) {
      write_first(candidates, mapping, row, k);
    } else {
      auto const weights =
          find_weights(block, mapping, candidates, merged.largest(), k, row.length);
      candidates.write(block, row.weights(), weights, row.support);
    }
    block.synchronize();
  }
}

}  // namespace zeta::rowwise::cuda
