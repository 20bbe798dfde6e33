#pragma once

#include <cuda_runtime.h>

// Two kernels of one call, the second of which may start before the first one ends (CUDA's
// programmatic dependent launch): so the time that a launch takes passes meanwhile. It has to wait
// before it reads what the first one writes, and before it writes what that reads or writes. Code
// for GPUs before 9.0 has no such instructions, and is launched as any other (launch_kernel.cuh).
namespace zeta::rowwise::cuda {

// In the second kernel: until the first one is done and all that it wrote is seen. At once in a
// launch that did not start early.
__device__ inline void wait_for_first_kernel() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  cudaGridDependencySynchronize();
#endif
}

// In the first kernel, by each of its blocks: the second one may start as soon as all have called
// this or are done. Until then all blocks have started, so it takes no place from them.
__device__ inline void let_second_kernel_start() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  cudaTriggerProgrammaticLaunchCompletion();
#endif
}

}  // namespace zeta::rowwise::cuda
