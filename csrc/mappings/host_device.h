#pragma once

// For functions of host and device. On the host they are part of each caller, so that callers
// compiled for different instruction sets share no code.
#ifdef __CUDACC__
#define ZETA_HOST_DEVICE __host__ __device__ inline
#else
#define ZETA_HOST_DEVICE [[gnu::always_inline]] inline
#endif

// Before a loop that is not worth the code of several steps on a GPU.
#ifdef __CUDA_ARCH__
#define ZETA_KEEP_LOOP _Pragma("unroll 1")
#else
#define ZETA_KEEP_LOOP
#endif
