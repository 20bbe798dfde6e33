#pragma once

#ifdef __CUDACC__
#define ZETA_HOST_DEVICE __host__ __device__
#else
#define ZETA_HOST_DEVICE
#endif
