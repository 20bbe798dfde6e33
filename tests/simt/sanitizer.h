#pragma once

#include <cstddef>

// AddressSanitizer has to be told of stacks that are switched and of memory that is out of bounds.
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace zeta::simt {

#ifdef __SANITIZE_ADDRESS__
inline constexpr bool kAddressSanitizer = true;

inline void forbid_access(void const volatile* begin, size_t size) {
  __asan_poison_memory_region(begin, size);
}
inline void allow_access(void const volatile* begin, size_t size) {
  __asan_unpoison_memory_region(begin, size);
}
inline void start_switch(void** fake_stack, void const* bottom, size_t size) {
  __sanitizer_start_switch_fiber(fake_stack, bottom, size);
}
inline void finish_switch(void* fake_stack) {
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
}
#else
inline constexpr bool kAddressSanitizer = false;

inline void forbid_access(void const volatile*, size_t) {}
inline void allow_access(void const volatile*, size_t) {}
inline void start_switch(void**, void const*, size_t) {}
inline void finish_switch(void*) {}
#endif

}  // namespace zeta::simt
