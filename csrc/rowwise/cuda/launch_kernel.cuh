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

// Returns the number of blocks for `count` things, `per_block` to each. Beyond the limit of a
// grid's x dimension, a block takes several times as many.
inline unsigned blocks_for(int64_t count, int64_t per_block) {
  return static_cast<unsigned>(std::min<int64_t>((count + per_block - 1) / per_block, INT32_MAX));
}

// Returns the block of kernels for rows side by side.
inline dim3 block_of_columns() { return {kColumnRows, kThreadsPerColumnRow}; }

// Finds whether a kernel's code for the current device waits for the kernel before it by itself, so
// that it may start early (dependent_launch.cuh). Code compiled for a GPU before 9.0 does not, even
// if a newer GPU runs it. The answer is kept for each of the first devices, and for all kernels
// with these parameters, since they are compiled for the same GPUs.
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
  bool is_cooperative = false;  // all blocks are resident at once
  bool is_second = false;       // waits by itself for the kernel before it in the call
};

// Queues a kernel. A host compiler cannot parse <<<>>>, so this does without. A second kernel may
// start early if its code waits by itself. When the stream is captured, the attribute becomes an
// edge of the graph, which needs a kernel before this one in the stream: the first one of the call.
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
