#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "rowwise/cuda/tuning.h"

namespace zeta::rowwise::cuda::detail {

// Blocks for `count` things; beyond the limit of a grid's x dimension each takes several.
inline unsigned blocks_for(int64_t count, int64_t per_block) {
  return static_cast<unsigned>(std::min<int64_t>((count + per_block - 1) / per_block, INT32_MAX));
}

// Blocks of warps that work by themselves, and of rows that are neighbours in memory.
inline dim3 block_of_warps() { return {kWarpThreads, kWarpsPerBlock}; }
inline dim3 block_of_columns() { return {kColumnRows, kThreadsPerColumnRow}; }

// A row of the grid to each row, a block to each of its parts.
inline dim3 grid_of_parts(int64_t rows, int parts) {
  return {static_cast<unsigned>(parts), static_cast<unsigned>(rows)};
}

struct LaunchOptions {
  int shared_bytes = 0;
  bool is_cooperative = false;  // its blocks are all on the device at once
};

// Queues a kernel. It is no <<<>>>, which a host compiler cannot parse.
template <class... Parameters>
cudaError_t launch_with(LaunchOptions const& options, void (*kernel)(Parameters...), dim3 grid,
                        dim3 block, cudaStream_t stream,
                        std::type_identity_t<Parameters>... arguments) {
  cudaLaunchAttribute cooperative = {};
  cooperative.id = cudaLaunchAttributeCooperative;
  cooperative.val.cooperative = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = static_cast<size_t>(options.shared_bytes);
  config.stream = stream;
  config.attrs = &cooperative;
  config.numAttrs = options.is_cooperative ? 1 : 0;
  return cudaLaunchKernelEx(&config, kernel, arguments...);
}

template <class... Parameters>
cudaError_t launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, cudaStream_t stream,
                   std::type_identity_t<Parameters>... arguments) {
  return launch_with({}, kernel, grid, block, stream, arguments...);
}

}  // namespace zeta::rowwise::cuda::detail
