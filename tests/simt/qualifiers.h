#pragma once

#include <cstddef>
#include <source_location>
#include <type_traits>

#include "simt/grid.h"

// The keywords of CUDA C++ that a host compiler lacks.
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __noinline__ [[gnu::noinline]]
#define __launch_bounds__(...)
#define __grid_constant__

// A variable declared __shared__ would silently be each thread's own.
#define __shared__ static_assert(false, "declare shared memory with ZETA_SHARED_ARRAY");

#define ZETA_SHARED_ARRAY(Type, name, size) \
  static char name##_declaration;           \
  Type(&name)[size] = ::zeta::simt::shared_array<Type, (size)>(&name##_declaration, #name)

// Declares a pointer to the dynamic shared memory, whose size the launch sets.
#define ZETA_DYNAMIC_SHARED_ARRAY(Type, name) \
  Type* const name = ::zeta::simt::dynamic_shared_array<Type>()

namespace zeta::simt {

template <class Type, size_t Size>
Type (&shared_array(void const* declaration, char const* name,
                    std::source_location where = std::source_location::current())) [Size] {
  static_assert(std::is_trivially_default_constructible_v<Type>);
  static_assert(Size * sizeof(Type) <= size_t{48} * 1024, "nvcc allows 48 KiB");
  void* const memory = Grid::current().shared_array(declaration, name, Size * sizeof(Type), where);
  return *static_cast<Type(*)[Size]>(memory);
}

inline constexpr char kDynamicSharedArray = 0;

template <class Type>
Type* dynamic_shared_array(std::source_location where = std::source_location::current()) {
  Grid& grid = Grid::current();
  return static_cast<Type*>(
      grid.shared_array(&kDynamicSharedArray, "of the launch", grid.dynamic_shared_bytes(), where));
}

}  // namespace zeta::simt
