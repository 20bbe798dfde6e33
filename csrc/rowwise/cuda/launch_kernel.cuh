#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <array>
#include <atomic>
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

// Whether a kernel's code for the current device waits for the kernel before it by itself, so that
// it may start early (dependent_launch.cuh). Code compiled for a GPU before 9.0 does not, even
// where a newer one runs it. All kernels of these parameters are compiled for the same GPUs. What
// is found is kept for as many devices as most machines have.
template <class... Parameters>
cudaError_t find_whether_it_waits(void (*kernel)(Parameters...), bool& waits) {
  enum Answer { kUnknown, kWaits, kDoesNot };
  static std::array<std::atomic<Answer>, 16> known = {};
  int device = 0;
  auto error = cudaGetDevice(&device);
  if (error != cudaSuccess) return error;
  bool const is_kept = device < static_cast<int>(known.size());
  Answer answer = is_kept ? known[static_cast<size_t>(device)].load() : kUnknown;
  if (answer == kUnknown) {
    cudaFuncAttributes attributes = {};
    error = cudaFuncGetAttributes(&attributes, kernel);
    if (error != cudaSuccess) return error;
    answer = attributes.ptxVersion >= 90 ? kWaits : kDoesNot;
    if (is_kept) known[static_cast<size_t>(device)] = answer;
  }
  waits = answer == kWaits;
  return cudaSuccess;
}

struct LaunchOptions {
  int shared_bytes = 0;
  bool is_cooperative = false;  // its blocks are all on the device at once
  bool is_second = false;       // follows another kernel of the call, for which it waits by itself
};

// Queues a kernel. It is no <<<>>>, which a host compiler cannot parse. A second kernel starts
// early where its code and the device are for it. In a capture the attribute becomes an edge of the
// graph: it needs a kernel before this one in the stream, which is the first of the call.
template <class... Parameters>
cudaError_t launch_with(LaunchOptions const& options, void (*kernel)(Parameters...), dim3 grid,
                        dim3 block, cudaStream_t stream,
                        std::type_identity_t<Parameters>... arguments) {
  cudaLaunchAttribute attribute = {};
  bool has_attribute = options.is_cooperative;
  if (options.is_cooperative) {
    attribute.id = cudaLaunchAttributeCooperative;
    attribute.val.cooperative = 1;
  } else if (options.is_second) {
    auto const error = find_whether_it_waits(kernel, has_attribute);
    if (error != cudaSuccess) return error;
    attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attribute.val.programmaticStreamSerializationAllowed = 1;
  }
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = static_cast<size_t>(options.shared_bytes);
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = has_attribute ? 1 : 0;
  return cudaLaunchKernelEx(&config, kernel, arguments...);
}

template <class... Parameters>
cudaError_t launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, cudaStream_t stream,
                   std::type_identity_t<Parameters>... arguments) {
  return launch_with({}, kernel, grid, block, stream, arguments...);
}

}  // namespace zeta::rowwise::cuda::detail
