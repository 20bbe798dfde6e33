#pragma once

#include <cstddef>

// Memory that a call needs while it runs. What is given back stays with the thread for its next
// call: the system would take it in pages, and each of them would be a fault when it is next used.
namespace zeta::rowwise::cpu {

struct MemoryBlock {
  void* data = nullptr;
  size_t bytes = 0;
};

// So many bytes or more, from the beginning of a line on. Throws std::bad_alloc.
MemoryBlock take_block(size_t bytes);

// Of the thread that took it or of any other.
void give_back(MemoryBlock block) noexcept;

}  // namespace zeta::rowwise::cpu
