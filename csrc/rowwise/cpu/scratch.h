#pragma once

#include <cstdint>
#include <new>
#include <type_traits>

#include "rowwise/cpu/vector.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Memory of a thread's own. In place of std::vector, whose functions would be shared with code
// compiled for other instruction sets.
template <class Element>
class Scratch {
 public:
  static_assert(std::is_trivially_destructible_v<Element>);

  Scratch() = default;
  Scratch(Scratch const&) = delete;
  Scratch& operator=(Scratch const&) = delete;
  ~Scratch() { release(); }

  // Keeps no element.
  void reserve(int64_t count) {
    if (count <= capacity_) return;
    release();
    data_ = static_cast<Element*>(
        ::operator new(static_cast<size_t>(count) * sizeof(Element), std::align_val_t{kAlignment}));
    capacity_ = count;
  }

  Element* data() { return data_; }
  Element const* data() const { return data_; }

 private:
  static constexpr size_t kAlignment = 64;  // a line

  // Leaves nothing to release again, should the next allocation throw.
  void release() {
    ::operator delete(data_, std::align_val_t{kAlignment});
    data_ = nullptr;
    capacity_ = 0;
  }

  Element* data_ = nullptr;
  int64_t capacity_ = 0;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
