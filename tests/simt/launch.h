#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "simt/grid.h"
#include "simt/types.h"

// CUDA's launch of a kernel. It returns when the kernel is done, and throws if it is at fault.
using cudaStream_t = zeta::simt::Stream const*;

enum cudaError_t { cudaSuccess = 0, cudaErrorInvalidValue = 1, cudaErrorInvalidConfiguration = 9 };

struct cudaLaunchConfig_t {
  dim3 gridDim;
  dim3 blockDim;
  size_t dynamicSmemBytes;
  cudaStream_t stream;
};

namespace zeta::simt {

inline bool is_possible(cudaLaunchConfig_t const& config) {
  auto const& [grid, block, shared_bytes, stream] = config;
  uint64_t const threads = uint64_t{block.x} * block.y * block.z;
  uint64_t const blocks = uint64_t{grid.x} * grid.y * grid.z;
  return threads > 0 && threads <= 1024 && block.z <= 64 && blocks > 0 && grid.x <= INT32_MAX &&
         grid.y <= UINT16_MAX && grid.z <= UINT16_MAX && shared_bytes <= SharedMemory::kLargest;
}

}  // namespace zeta::simt

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(cudaLaunchConfig_t const* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  if (!zeta::simt::is_possible(*config)) return cudaErrorInvalidConfiguration;
  auto const stream = config->stream == nullptr ? zeta::simt::Stream{} : *config->stream;
  zeta::simt::Grid({config->gridDim, config->blockDim, config->dynamicSmemBytes}, stream, [&] {
    kernel(arguments...);
  }).run();
  return cudaSuccess;
}

enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };

template <class... Parameters>
cudaError_t cudaFuncSetAttribute(void (*)(Parameters...), cudaFuncAttribute, int bytes) {
  bool const is_possible =
      bytes >= 0 && static_cast<size_t>(bytes) <= zeta::simt::SharedMemory::kLargest;
  return is_possible ? cudaSuccess : cudaErrorInvalidValue;
}

// Nothing else is under way when this is called.
inline cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t) {
  std::memset(memory, value, bytes);
  return cudaSuccess;
}

inline cudaError_t cudaGetLastError() { return cudaSuccess; }
