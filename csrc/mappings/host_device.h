#pragma once

// For functions of host and device. On the host they are part of each caller, so that callers
// compiled for different instruction sets share no code.
#ifdef __CUDACC__
#define ZETA_HOST_DEVICE __host__ __device__ inline
#else
#define ZETA_HOST_DEVICE [[gnu::always_inline]] inline
#endif
