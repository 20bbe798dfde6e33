#pragma once

#include <cstddef>
#include <cstdint>

#include "mappings/host_device.h"
#include "rowwise/cuda/tuning.h"
#include "rowwise/ordered_key.h"

// What the blocks that share a row tell one another, in memory that a launch is given.
namespace zeta::rowwise::cuda {

// Zero before the launch.
struct SplitHeader {
  int finished_parts;
  int count;  // of candidates; more than there is room for if a part had too many
};

template <class Scalar>
struct SplitRow {
  SplitHeader* header;
  KeyRange<Scalar>* ranges;  // of each part
  Scalar* entries;
  int* columns;
  int capacity;
};

ZETA_HOST_DEVICE constexpr int64_t split_headers_bytes(int64_t rows) {
  return rows * static_cast<int64_t>(sizeof(SplitHeader));
}

// Headers of all rows, then the rest of each row, the widest numbers first.
template <class Scalar>
ZETA_HOST_DEVICE SplitRow<Scalar> split_row(void* workspace, int64_t rows, int parts,
                                            int64_t number) {
  auto* const headers = static_cast<SplitHeader*>(workspace);
  int const capacity = parts * kCandidatesPerPart;
  int64_t const bytes_per_row = parts * static_cast<int64_t>(sizeof(KeyRange<Scalar>)) +
                                capacity * static_cast<int64_t>(sizeof(Scalar) + sizeof(int));
  auto* const begin = reinterpret_cast<unsigned char*>(headers + rows) + number * bytes_per_row;
  auto* const ranges = reinterpret_cast<KeyRange<Scalar>*>(begin);
  auto* const entries = reinterpret_cast<Scalar*>(ranges + parts);
  return {headers + number, ranges, entries, reinterpret_cast<int*>(entries + capacity), capacity};
}

template <class Scalar>
int64_t split_workspace_bytes(int64_t rows, int parts) {
  // Where a row after the last one would begin.
  return static_cast<int64_t>(
      reinterpret_cast<uintptr_t>(split_row<Scalar>(nullptr, rows, parts, rows).ranges));
}

}  // namespace zeta::rowwise::cuda
