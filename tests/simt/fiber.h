#pragma once

#include <cstddef>

#if defined(__x86_64__) && !defined(ZETA_SIMT_UCONTEXT)
#define ZETA_SIMT_ASSEMBLY 1
#else
#define ZETA_SIMT_ASSEMBLY 0
#include <ucontext.h>
#endif

namespace zeta::simt {

// Memory for a stack, with a guard page below it.
class Stack {
 public:
  Stack();
  ~Stack();
  Stack(Stack const&) = delete;
  Stack& operator=(Stack const&) = delete;

  static constexpr size_t kSize = size_t{256} * 1024;

  unsigned char* bottom() const;

 private:
  void* mapping_;
};

// A flow of control with a stack of its own.
class Fiber {
 public:
  // Makes a fiber of the flow of control that calls this.
  Fiber();

  // Makes a fiber that begins with `entry`, which must not return. Whatever the stack held is
  // forgotten without destructors. `index` tells fibers apart, to spread their frames over the
  // cache's sets.
  Fiber(Stack const& stack, void (*entry)(), size_t index);

  Fiber(Fiber const&) = delete;
  Fiber& operator=(Fiber const&) = delete;

  // Runs `next` until something switches back to this fiber, which is the running one.
  void switch_to(Fiber& next);

  // Every entry calls this first.
  static void begin();

 private:
#if ZETA_SIMT_ASSEMBLY
  void* stack_pointer_ = nullptr;
#else
  ucontext_t context_ = {};
#endif
  void const* stack_bottom_;
  size_t stack_size_;
  void* fake_stack_ = nullptr;  // of AddressSanitizer
};

}  // namespace zeta::simt
