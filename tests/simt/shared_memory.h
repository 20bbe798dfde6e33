#pragma once

#include <cstddef>
#include <memory>
#include <source_location>
#include <string>
#include <vector>

namespace zeta::simt {

// The memory that a block shares. An array appears when a thread first reaches its declaration. It
// is filled with poison, and watched bytes lie on both sides of it.
class SharedMemory {
 public:
  SharedMemory();

  // Forgets all arrays.
  void reset(unsigned char poison);

  // `declaration` identifies the array: threads that reach the same one get the same memory.
  void* array(void const* declaration, std::string const& name, size_t bytes,
              std::source_location where);

  // Throws if something wrote outside of an array.
  void check() const;

  static constexpr size_t kAlignment = 128;
  static constexpr size_t kLargest = size_t{227} * 1024;

 private:
  struct Array {
    void const* declaration;
    std::string name;
    std::source_location where;
    size_t begin;
    size_t bytes;
  };

  struct Free {
    void operator()(unsigned char* memory) const;
  };

  std::unique_ptr<unsigned char[], Free> memory_;
  unsigned char poison_ = 0;
  std::vector<Array> arrays_;
};

}  // namespace zeta::simt
