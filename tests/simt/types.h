#pragma once

#include <cstdint>

// CUDA's types of indices and vectors.

struct uint3 {
  unsigned x, y, z;
};

struct dim3 {
  unsigned x, y, z;

  // The conversion is implicit, as in CUDA.
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

// An access to one of these is one access of its whole size, which has to be aligned.
struct alignas(8) int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) double2 {
  double x, y;
};
struct alignas(16) longlong2 {
  long long x, y;
};
struct alignas(16) ulonglong2 {
  unsigned long long x, y;
};

namespace zeta::simt {

// Says how to run what is launched on this stream.
struct Stream {
  uint64_t seed = 0;        // of the order in which threads run, and of the poison in shared memory
  int resident_blocks = 1;  // blocks that run interleaved
};

}  // namespace zeta::simt
