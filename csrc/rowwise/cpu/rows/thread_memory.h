#pragma once

#include <cstddef>

// Memory that a call needs while it runs. A block that is given back stays with the thread for its
// next call. If the system took it back, each of its pages would cost a fault at its next use.
namespace zeta::rowwise::cpu {

struct MemoryBlock {
  void* data = nullptr;
  size_t bytes = 0;
};

// A block of at least `bytes`, aligned to a cache line. Throws std::bad_alloc.
MemoryBlock take_block(size_t bytes);

// The block may come from any thread.
void give_back(MemoryBlock block) noexcept;

}  // namespace zeta::rowwise::cpu
