#pragma once

#include <algorithm>
#include <cstdint>

#include "mappings/host_device.h"
#include "rowwise/cuda/tuning.h"

// What the warps that read the segments of a row leave to those that merge them, in memory that a
// launch is given.
namespace zeta::rowwise::cuda {

// How rows are cut.
struct Segments {
  int per_row;
  int length;  // of the part of each warp, but of the last of a row
};

// Of one segment whose candidates are in no order.
template <class Key>
struct SegmentHeader {
  static constexpr int kTooMany = -1;

  Key largest;  // the greatest of all if an entry is NaN
  Key bound;    // no entry below it is in the row's support
  int count;    // of candidates, or kTooMany
};

// Headers of all segments, row by row, then their candidates' keys, then their columns. Ordered
// lists have no headers: they are filled up with none, and the first key of each is the largest of
// its segment, the greatest of all if an entry is NaN.
template <class Key>
struct SegmentLists {
  SegmentHeader<Key>* headers;
  Key* keys;
  int* columns;
  int capacity;  // of a segment's list

  ZETA_HOST_DEVICE SegmentLists(void* memory, int64_t segments, int list_capacity)
      : headers(static_cast<SegmentHeader<Key>*>(memory)),
        keys(reinterpret_cast<Key*>(headers + (is_ordered(list_capacity) ? 0 : segments))),
        columns(reinterpret_cast<int*>(keys + segments * list_capacity)),
        capacity(list_capacity) {}

  static int64_t bytes(int64_t segments, int capacity) {
    int64_t const of_list = capacity * static_cast<int64_t>(sizeof(Key) + sizeof(int));
    int64_t const of_header = is_ordered(capacity) ? 0 : sizeof(SegmentHeader<Key>);
    return segments * (of_header + of_list);
  }

 private:
  ZETA_HOST_DEVICE static bool is_ordered(int capacity) { return capacity <= kWarpThreads; }
};

// Candidates that a segment hands on: for k up to the lanes of a warp, the k first, else as many as
// take a quarter of the segment's memory, within limits.
constexpr int segment_list_capacity(int64_t k, int element_bytes, int64_t segment_bytes) {
  if (k <= kWarpThreads) return static_cast<int>(k);
  if (element_bytes == 8) return kCandidatesPerWarp;
  constexpr int kCandidateBytes = 8;  // key and column
  int64_t const of_quarter = segment_bytes / 4 / kCandidateBytes;
  return static_cast<int>(
      std::min(k, std::clamp<int64_t>(of_quarter, kCandidatesPerWarp, kCandidatesPerSegment)));
}

}  // namespace zeta::rowwise::cuda
