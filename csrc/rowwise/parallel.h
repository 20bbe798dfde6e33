#pragma once

#include <cstdint>

namespace zeta::rowwise {

// Calls task(context, 0) to task(context, count - 1), each once, on several threads, and returns
// after the last. The engine has no threads of its own.
using Parallel = void (*)(int64_t count, void (*task)(void* context, int64_t i), void* context);

}  // namespace zeta::rowwise
