#pragma once

#include <cstdint>

#include "rowwise/cuda/passes/block.cuh"
#include "rowwise/cuda/passes/parts_of_row.cuh"
#include "rowwise/cuda/shared_memory.cuh"
#include "rowwise/cuda/tuning.h"

// Assigns rows to groups of threads. visit(group, number) is called for each row of this thread's
// group, and for numbers beyond the last row while other groups of the block have one.
namespace zeta::rowwise::cuda {

// Each block takes a row at a time.
struct RowsOfBlocks {
  template <class Visit>
  __device__ static void for_each_row(int64_t rows, Visit const& visit) {
    for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
      visit(Block<kThreadsPerBlock>(), row);
    }
  }
};

// Each block takes kColumnRows neighbouring rows at a time.
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
