#pragma once

#include <cstdint>

#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/passes/block.cuh"
#include "rowwise/cuda/tuning.h"

// How rows fall to groups of threads. visit(group, number, part) is called for each row that falls
// to this thread's group, and for numbers beyond the last row where others of the same step have
// one.
namespace zeta::rowwise::cuda {

// Of the columns of a row.
struct Part {
  int number;
  int count;

  __device__ int64_t first(int64_t length) const { return length * number / count; }
  __device__ int64_t last(int64_t length) const { return length * (number + 1) / count; }
};

inline constexpr Part kWholeRow = {0, 1};

// A row to some lanes of a warp. Block dimensions: warp size, warps.
struct RowsOfLanes {
  int lanes_per_row;

  template <class Visit>
  __device__ void for_each_row(int64_t rows, Visit const& visit) const {
    Lanes const lanes(lanes_per_row);
    int64_t const warps = int64_t{gridDim.x} * blockDim.y;
    int64_t const warp = int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
    for (int64_t first = warp * lanes.groups(); first < rows; first += warps * lanes.groups()) {
      visit(lanes, first + lanes.group(), kWholeRow);
    }
  }
};

// A row to a block.
struct RowsOfBlocks {
  template <class Visit>
  __device__ void for_each_row(int64_t rows, Visit const& visit) const {
    for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
      visit(Block<kThreadsPerBlock>(), row, kWholeRow);
    }
  }
};

// A row to several blocks, those of one y, each of which has to do with a part of it.
struct PartsOfRows {
  template <class Visit>
  __device__ void for_each_row(int64_t, Visit const& visit) const {
    visit(Block<kThreadsPerBlock>(), int64_t{blockIdx.y},
          Part{static_cast<int>(blockIdx.x), static_cast<int>(gridDim.x)});
  }
};

// Neighbouring rows to a block.
struct RowsOfColumns {
  template <class Visit>
  __device__ void for_each_row(int64_t rows, Visit const& visit) const {
    int64_t const step = int64_t{gridDim.x} * kColumnRows;
    for (int64_t first = int64_t{blockIdx.x} * kColumnRows; first < rows; first += step) {
      visit(BlockColumn<kColumnRows, kThreadsPerColumnRow>(), first + threadIdx.x, kWholeRow);
    }
  }
};

}  // namespace zeta::rowwise::cuda
