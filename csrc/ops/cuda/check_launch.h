#pragma once

#include <cuda_runtime_api.h>

namespace zeta::ops {

// Throws if an operator's launch failed. If the build has no kernels for the GPU, the error names
// the GPU, the architectures that the build has kernels for, and what to do.
void check_launch(char const* name, cudaError_t error);

}  // namespace zeta::ops
