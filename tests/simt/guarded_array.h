#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <system_error>

namespace zeta::simt {

// Elements whose last one is followed by memory that nobody may touch.
template <class Element>
class GuardedArray {
 public:
  GuardedArray(size_t size, Element value) : size_(size) {
    auto const page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    size_t const used = (size * sizeof(Element) + page - 1) / page * page;
    mapped_ = used + page;
    mapping_ = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping_ == MAP_FAILED ||
        mprotect(static_cast<unsigned char*>(mapping_) + used, page, PROT_NONE) != 0) {
      throw std::system_error(errno, std::generic_category(), "a guarded array");
    }
    auto* const end = static_cast<unsigned char*>(mapping_) + used;
    begin_ = reinterpret_cast<Element*>(end - size * sizeof(Element));
    std::fill_n(begin_, size, value);
  }
  ~GuardedArray() { munmap(mapping_, mapped_); }
  GuardedArray(GuardedArray const&) = delete;
  GuardedArray& operator=(GuardedArray const&) = delete;

  Element* data() { return begin_; }
  Element const* data() const { return begin_; }
  size_t size() const { return size_; }
  Element& operator[](size_t i) { return begin_[i]; }
  Element const& operator[](size_t i) const { return begin_[i]; }

 private:
  size_t size_;
  size_t mapped_;
  void* mapping_;
  Element* begin_;
};

}  // namespace zeta::simt
