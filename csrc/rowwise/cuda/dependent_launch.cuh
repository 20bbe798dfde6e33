#pragma once

#include <cuda_runtime.h>

// Some calls launch two kernels, of which the second may start before the first one ends (CUDA's
// programmatic dependent launch). That hides the time of its launch. The second kernel must wait
// before it reads what the first one writes, and before it writes what the first one reads or
// writes. GPUs before 9.0 have no such instructions, so code for them is launched like any other
// kernel (launch_kernel.cuh).
namespace zeta::rowwise::cuda {

// Called in the second kernel: waits until the first one is done and its writes are visible.
// Returns at once if the launch did not start early.
__device__ inline void wait_for_first_kernel() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  cudaGridDependencySynchronize();
#endif
}

// Called by each block of the first kernel. Once every block has called this or is done, the second
// kernel may start. All blocks have started by then, so the second kernel takes no resources that
// one of them waits for.
__device__ inline void let_second_kernel_start() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  cudaTriggerProgrammaticLaunchCompletion();
#endif
}

}  // namespace zeta::rowwise::cuda
