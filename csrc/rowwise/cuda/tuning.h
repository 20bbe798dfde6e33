#pragma once

#include <algorithm>
#include <cstdint>

// How rows are spread over the GPU. The numbers are those of PyTorch's softmax kernels (a warp a
// row up to 1024 columns, blocks of 128 threads for it); none was measured for these kernels.
namespace zeta::rowwise::cuda {

inline constexpr int64_t kLongestRowOfWarp = 1024;
inline constexpr int kThreadsPerLongRow = 512;
inline constexpr int kSmallestBlock = 128;

// Groups of so many threads that share a block.
constexpr int groups_per_block(int threads) { return std::max(1, kSmallestBlock / threads); }

// Blocks for `rows` rows; beyond the limit of a grid's x dimension each takes several.
constexpr unsigned grid_size(int64_t rows, int64_t rows_per_block) {
  int64_t const blocks = (rows + rows_per_block - 1) / rows_per_block;
  return static_cast<unsigned>(std::min<int64_t>(blocks, INT32_MAX));
}

}  // namespace zeta::rowwise::cuda
