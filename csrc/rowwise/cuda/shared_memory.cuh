#pragma once

// Declares an array in the memory that a block shares. Kernels name shared memory only through
// this: the tests that run them on the CPU define it beforehand, for memory that is watched.
#ifndef ZETA_SHARED_ARRAY
#define ZETA_SHARED_ARRAY(Type, name, size) __shared__ Type name[size]
#endif
