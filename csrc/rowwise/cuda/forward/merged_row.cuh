#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "rowwise/cuda/forward/candidates.cuh"
#include "rowwise/cuda/forward/merged_lists.cuh"
#include "rowwise/cuda/forward/segment_lists.h"
#include "rowwise/cuda/passes/block.cuh"
#include "rowwise/cuda/shared_memory.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/ordered_key.h"

// A block reads the candidates of a row's segments, which are in no order, from global memory.
namespace zeta::rowwise::cuda {

namespace detail {

// What the headers of some segments tell about their row.
template <class Key>
struct RowBounds {
  Key largest = kLeast<Key>;
  Key bound = kLeast<Key>;
  // The first segment of which k entries are not below the bound. Entries of later segments that
  // equal the bound are not among the first k.
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
        capacity_(lists.capacity) {
    detail::RowBounds<Key> bounds;
#pragma unroll 4
    for (int i = block.rank(); i < segments_; i += block.threads()) {
      auto const header = headers_[i];
      bounds.add({header.largest, header.bound, header.count == k ? i : INT64_MAX});
    }
    bounds_ = block.reduce(bounds);
  }

  __device__ bool is_ordinary() const { return is_of_ordinary_row<Scalar>(bounds_.largest); }
  __device__ Scalar largest() const {
    return scalar_of<Scalar>(static_cast<key_t<Scalar>>(bounds_.largest));
  }

  // Raises the bound to the one that the row's maximum implies.
  __device__ void raise_bound(Mapping const& mapping) {
    Key const bound = selection_key(narrow<Scalar>(mapping.lower_bound()));
    bounds_.add({kLeast<Key>, bound, INT64_MAX});
  }

  // Returns the number of candidates of all segments, or -1 if a segment had too many. Some of them
  // may prove to be none.
  __device__ int64_t count_all() const {
    EntryCount all;
    bool has_all = true;
    for (int i = block_.rank(); i < segments_; i += block_.threads()) {
      int const count = count_of(i);
      has_all = has_all && count != SegmentHeader<Key>::kTooMany;
      all.value += count;
    }
    if (__syncthreads_and(has_all) == 0) return -1;
    return block_.reduce(all).value;
  }

  // Calls take(list, count) for one list after another of segments that have candidates.
  template <class Take>
  __device__ void for_live_segments(Take const& take) const {
    ZETA_SHARED_ARRAY(int, live, kSegmentsAtOnce);
    ZETA_SHARED_ARRAY(int, count, 1);
    for (int first = 0; first < segments_; first += kSegmentsAtOnce) {
      if (block_.rank() == 0) count[0] = 0;
      block_.synchronize();
      int const last = segments_ - first < kSegmentsAtOnce ? segments_ : first + kSegmentsAtOnce;
      for (int i = first + block_.rank(); i < last; i += block_.threads()) {
        if (count_of(i) > 0) live[atomicAdd(&count[0], 1)] = i;
      }
      block_.synchronize();
      take(static_cast<int const*>(live), count[0]);
      block_.synchronize();
    }
  }

  __device__ int segments() const { return segments_; }

  // Return the most candidates that any segment may have, the most that this one has, and one of
  // them, or none if it proves to be none.
  __device__ int capacity() const { return capacity_; }
  __device__ int count_of(int segment) const {
    auto const header = headers_[segment];
    return bounds_.includes(header.largest, segment) ? header.count : 0;
  }
  __device__ Candidate<Scalar> candidate(int segment, int place) const {
    if (place >= headers_[segment].count) return {};
    int64_t const i = segment * int64_t{capacity_} + place;
    Candidate<Scalar> const one = {keys_[i], columns_[i]};
    return bounds_.includes(one.key, segment) ? one : Candidate<Scalar>();
  }

 private:
  Threads const& block_;
  SegmentHeader<Key> const* headers_;
  Key const* keys_;
  int const* columns_;
  int segments_;
  int capacity_;
  detail::RowBounds<Key> bounds_;
};

}  // namespace zeta::rowwise::cuda
