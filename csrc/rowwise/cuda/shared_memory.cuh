#pragma once

// Declares an array in shared memory. Kernels use shared memory only through these two macros. The
// tests that run kernels on the CPU define their own beforehand, which detect writes out of bounds.
#ifndef ZETA_SHARED_ARRAY
#define ZETA_SHARED_ARRAY(Type, name, size) __shared__ Type name[size]
#endif

// Declares a 16-byte aligned pointer to the dynamic shared memory, whose size the launch sets.
#ifndef ZETA_DYNAMIC_SHARED_ARRAY
#define ZETA_DYNAMIC_SHARED_ARRAY(Type, name)          \
  extern __shared__ uint4 zeta_dynamic_shared_array[]; \
  Type* const name = reinterpret_cast<Type*>(zeta_dynamic_shared_array)
#endif
