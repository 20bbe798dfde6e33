#pragma once

#include "simt/types.h"

// These are of the thread that runs. Kernels only read them.
extern uint3 threadIdx;
extern uint3 blockIdx;
extern dim3 blockDim;
extern dim3 gridDim;

inline constexpr int warpSize = 32;
