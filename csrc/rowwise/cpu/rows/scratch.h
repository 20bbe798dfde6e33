#pragma once

#include <cstdint>
#include <new>
#include <type_traits>

#include "rowwise/cpu/rows/thread_memory.h"
#include "rowwise/cpu/vectors/vector.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Memory that a thread keeps between calls (thread_memory.h). It is used in place of std::vector,
// whose functions would be shared with code compiled for other instruction sets.
template <class Element>
class Scratch {
 public:
  static_assert(std::is_trivially_destructible_v<Element>);

  Scratch() = default;
  Scratch(Scratch const&) = delete;
  Scratch& operator=(Scratch const&) = delete;
  ~Scratch() { give_back(block_); }

  // Does not keep the elements.
  void reserve(int64_t count) {
    size_t const bytes = static_cast<size_t>(count) * sizeof(Element);
    if (bytes <= block_.bytes) return;
    give_back(block_);
    block_ = {};  // If the next line throws, nothing is given back twice.
    block_ = take_block(bytes);
  }

  Element* data() { return static_cast<Element*>(block_.data); }
  Element const* data() const { return static_cast<Element const*>(block_.data); }

 private:
  MemoryBlock block_;
};

// A large object in scratch, since stacks may be small.
template <class Object>
class InScratch {
 public:
  template <class... Arguments>
  explicit InScratch(Arguments const&... arguments) {
    memory_.reserve(sizeof(Object));
    object_ = new (memory_.data()) Object(arguments...);
  }
  InScratch(InScratch const&) = delete;
  InScratch& operator=(InScratch const&) = delete;
  ~InScratch() { object_->~Object(); }

  Object& operator*() { return *object_; }

 private:
  Scratch<unsigned char> memory_;
  Object* object_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
