#pragma once

// Marks functions for host and device. On the host they are inlined into each caller, so that
// callers compiled for different instruction sets share no code.
#ifdef __CUDACC__
#define ZETA_HOST_DEVICE __host__ __device__ inline
#else
#define ZETA_HOST_DEVICE [[gnu::always_inline]] inline
#endif

// Keeps the CUDA compiler from unrolling the loop that follows.
#ifdef __CUDA_ARCH__
#define ZETA_KEEP_LOOP _Pragma("unroll 1")
#else
#define ZETA_KEEP_LOOP
#endif
