#pragma once

// Declares an array in the memory that a block shares. Kernels name shared memory only through
// this, so that a host build can give them memory of its own.
#define ZETA_SHARED_ARRAY(Type, name, size) __shared__ Type name[size]
