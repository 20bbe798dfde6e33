#pragma once

#include <cstdint>

#include "rowwise/cuda/passes/block.cuh"
#include "rowwise/cuda/passes/parts_of_row.cuh"
#include "rowwise/cuda/shared_memory.cuh"
#include "rowwise/cuda/tuning.h"

// How rows fall to groups of threads. visit(group, number) is called for each row that falls to
// this thread's group, and for numbers beyond the last row where others of the same step have one.
namespace zeta::rowwise::cuda {

// A row to a block.
struct RowsOfBlocks {
  template <class Visit>
  __device__ static void for_each_row(int64_t rows, Visit const& visit) {
    for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
      visit(Block<kThreadsPerBlock>(), row);
    }
  }
};

// Neighbouring rows to a block.
struct RowsOfColumns {
  template <class Visit>
  __device__ static void for_each_row(int64_t rows, Visit const& visit) {
    constexpr int kScratch = kColumnRows * kThreadsPerColumnRow * PartsOfRow::kScratchBytes;
    ZETA_SHARED_ARRAY(double, scratch, kScratch / sizeof(double));
    PartsOfRow const group(scratch, kColumnRows, kThreadsPerColumnRow,
                           static_cast<int>(threadIdx.x), static_cast<int>(threadIdx.y));
    int64_t const step = int64_t{gridDim.x} * kColumnRows;
    for (int64_t first = int64_t{blockIdx.x} * kColumnRows; first < rows; first += step) {
      visit(group, first + threadIdx.x);
    }
  }
};

}  // namespace zeta::rowwise::cuda
