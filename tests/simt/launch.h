#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "simt/grid.h"
#include "simt/types.h"

// CUDA's launch of a kernel. It returns when the kernel is done, and throws if the kernel is at
// fault.
using cudaStream_t = zeta::simt::Stream const*;

enum cudaError_t { cudaSuccess = 0, cudaErrorInvalidValue = 1, cudaErrorInvalidConfiguration = 9 };

enum cudaLaunchAttributeID {
  cudaLaunchAttributeIgnore = 0,
  cudaLaunchAttributeCooperative = 2,
  cudaLaunchAttributeProgrammaticStreamSerialization = 6
};

union cudaLaunchAttributeValue {
  int cooperative;
  int programmaticStreamSerializationAllowed;  // has no effect: each launch is done when it returns
};

struct cudaLaunchAttribute {
  cudaLaunchAttributeID id;
  cudaLaunchAttributeValue val;
};

struct cudaLaunchConfig_t {
  dim3 gridDim;
  dim3 blockDim;
  size_t dynamicSmemBytes;
  cudaStream_t stream;
  cudaLaunchAttribute* attrs = nullptr;
  unsigned numAttrs = 0;
};

namespace zeta::simt {

inline bool is_possible(cudaLaunchConfig_t const& config) {
  auto const& [grid, block, shared_bytes, stream, attributes, count] = config;
  uint64_t const threads = uint64_t{block.x} * block.y * block.z;
  uint64_t const blocks = uint64_t{grid.x} * grid.y * grid.z;
  return threads > 0 && threads <= 1024 && block.z <= 64 && blocks > 0 && grid.x <= INT32_MAX &&
         grid.y <= UINT16_MAX && grid.z <= UINT16_MAX && shared_bytes <= SharedMemory::kLargest;
}

// Returns how to run a launch. The blocks of a cooperative one are all resident at once.
inline Stream stream_of(cudaLaunchConfig_t const& config) {
  Stream result = config.stream == nullptr ? Stream() : *config.stream;
  for (unsigned i = 0; i < config.numAttrs; ++i) {
    auto const& attribute = config.attrs[i];
    bool const is_cooperative =
        attribute.id == cudaLaunchAttributeCooperative && attribute.val.cooperative != 0;
    if (is_cooperative) {
      result.resident_blocks =
          static_cast<int>(config.gridDim.x * config.gridDim.y * config.gridDim.z);
    }
  }
  return result;
}

}  // namespace zeta::simt

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(cudaLaunchConfig_t const* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  if (!zeta::simt::is_possible(*config)) return cudaErrorInvalidConfiguration;
  zeta::simt::Grid({config->gridDim, config->blockDim, config->dynamicSmemBytes},
                   zeta::simt::stream_of(*config), [&] { kernel(arguments...); })
      .run();
  return cudaSuccess;
}

enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };

template <class... Parameters>
cudaError_t cudaFuncSetAttribute(void (*)(Parameters...), cudaFuncAttribute, int bytes) {
  bool const is_possible =
      bytes >= 0 && static_cast<size_t>(bytes) <= zeta::simt::SharedMemory::kLargest;
  return is_possible ? cudaSuccess : cudaErrorInvalidValue;
}

// There is one device, and all code counts as compiled for 9.0.
struct cudaFuncAttributes {
  int ptxVersion;
};

template <class... Parameters>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, void (*)(Parameters...)) {
  *attributes = {90};
  return cudaSuccess;
}

inline cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}

// This acts at once, since no launch is under way when it is called.
inline cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t) {
  std::memset(memory, value, bytes);
  return cudaSuccess;
}

inline cudaError_t cudaGetLastError() { return cudaSuccess; }
