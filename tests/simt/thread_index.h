#pragma once

#include "simt/types.h"

// Of the thread that runs. Kernels read them only.
extern uint3 threadIdx;
extern uint3 blockIdx;
extern dim3 blockDim;
extern dim3 gridDim;

inline constexpr int warpSize = 32;
