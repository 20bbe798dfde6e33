#include "ops/cuda/check_launch.h"

#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/util/Exception.h>

#include "ops/cuda/missing_kernels.h"
#include "rowwise/config.h"

namespace zeta::ops {

void check_launch(char const* name, cudaError_t error) {
  if (error == cudaErrorNoKernelImageForDevice || error == cudaErrorInvalidDeviceFunction) {
    cudaGetLastError();  // clears the error, so that the next call does not see it
    cudaDeviceProp device = {};
    C10_CUDA_CHECK(cudaGetDeviceProperties(&device, c10::cuda::current_device()));
    TORCH_CHECK(false, missing_kernels_text(name, device.name, device.major, device.minor,
                                            rowwise::cuda_architectures()));
  }
  C10_CUDA_CHECK(error);
}

}  // namespace zeta::ops
