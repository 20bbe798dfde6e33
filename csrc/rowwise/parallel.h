#pragma once

#include <cstdint>

namespace zeta::rowwise {

// A reference to a function that calls task(context, 0) to task(context, count - 1), each once, on
// several threads, and returns after the last. The engine has no threads of its own.
class Parallel {
 public:
  using Task = void (*)(void* context, int64_t i);

  template <class Function>
  Parallel(Function const& function)
      : function_(&function), call_([](void const* self, int64_t count, Task task, void* context) {
          (*static_cast<Function const*>(self))(count, task, context);
        }) {}

  // This is inlined, since code that is compiled for several instruction sets shares no functions.
  [[gnu::always_inline]] void operator()(int64_t count, Task task, void* context) const {
    call_(function_, count, task, context);
  }

 private:
  void const* function_;
  void (*call_)(void const* self, int64_t count, Task task, void* context);
};

}  // namespace zeta::rowwise
