#pragma once

#include <algorithm>
#include <cstdint>

#include "mappings/host_device.h"
#include "rowwise/cuda/tuning.h"

// What the first kernel of long rows, which reads their segments, leaves to the second one, which
// merges these. It lies in the launch's workspace.
namespace zeta::rowwise::cuda {

// How rows are cut into segments.
struct Segments {
  int per_row;
  int length;  // of the part of each warp, except the last one of a row
};

// The header of a segment whose candidates are in no order.
template <class Key>
struct SegmentHeader {
  static constexpr int kTooMany = -1;

  Key largest;  // the greatest key of all if an entry is NaN
  Key bound;    // no entry below it is in the row's support
  int count;    // of candidates, or kTooMany
};

// The headers of all segments, row by row, then the keys of their candidates, then the indices of
// these. Ordered lists have no headers. They are padded with candidates that do not exist, and the
// first key of each is the largest of its segment, or the greatest key of all if an entry is NaN.
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

// Returns the most candidates that a segment hands on. For k <= 32 these are the first k, else as
// many as take a quarter of the segment's memory, within limits.
constexpr int segment_list_capacity(int64_t k, int element_bytes, int64_t segment_bytes) {
  if (k <= kWarpThreads) return static_cast<int>(k);
  if (element_bytes == 8) return kCandidatesPerWarp;
  constexpr int kCandidateBytes = 8;  // key and column
  int64_t const of_quarter = segment_bytes / 4 / kCandidateBytes;
  return static_cast<int>(
      std::min(k, std::clamp<int64_t>(of_quarter, kCandidatesPerWarp, kCandidatesPerSegment)));
}

}  // namespace zeta::rowwise::cuda
