#pragma once

#include <cuda_runtime_api.h>

namespace zeta::ops {

// Throws if an operator's launch failed. Of a GPU that the build has no kernels for, it says which
// one was found, which ones these are, and what to do.
void check_launch(char const* name, cudaError_t error);

}  // namespace zeta::ops
