#pragma once

// Declares an array in the memory that a block shares. Kernels name shared memory only through
// this: the tests that run them on the CPU define it beforehand, for memory that is watched.
#ifndef ZETA_SHARED_ARRAY
#define ZETA_SHARED_ARRAY(Type, name, size) __shared__ Type name[size]
#endif

// The same for the memory whose size the launch names, as a pointer to 16-byte aligned memory.
#ifndef ZETA_DYNAMIC_SHARED_ARRAY
#define ZETA_DYNAMIC_SHARED_ARRAY(Type, name)          \
  extern __shared__ uint4 zeta_dynamic_shared_array[]; \
  Type* const name = reinterpret_cast<Type*>(zeta_dynamic_shared_array)
#endif
