#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <system_error>

#include "sanitizer.h"

namespace zeta::simt {

// Which of the two guards is near the elements.
enum class Guard { kBefore, kAfter };

// Elements between two guards, which are memory that nobody may touch. A gap of a few elements
// keeps them from the near guard, so that they may begin anywhere in a vector.
template <class Element>
class GuardedArray {
 public:
  GuardedArray(size_t size, Element value, Guard near = Guard::kAfter, size_t gap = 0)
      : size_(size), gap_(gap), near_(near) {
    auto const page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    size_t const taken = (size + gap) * sizeof(Element);
    size_t const used = (taken + page - 1) / page * page;
    mapped_ = kGuardBytes + used + kGuardBytes;
    mapping_ = mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    auto* const first = static_cast<unsigned char*>(mapping_) + kGuardBytes;
    if (mapping_ == MAP_FAILED || mprotect(first, used, PROT_READ | PROT_WRITE) != 0) {
      throw std::system_error(errno, std::generic_category(), "a guarded array");
    }
    auto* const elements =
        reinterpret_cast<Element*>(near == Guard::kBefore ? first : first + used - taken);
    begin_ = near == Guard::kBefore ? elements + gap : elements;
    std::fill_n(elements, size + gap, value);
    forbid_access(gap_begin(), gap * sizeof(Element));
  }
  ~GuardedArray() {
    allow_access(gap_begin(), gap_ * sizeof(Element));
    munmap(mapping_, mapped_);
  }
  GuardedArray(GuardedArray const&) = delete;
  GuardedArray& operator=(GuardedArray const&) = delete;

  Element* data() { return begin_; }
  Element const* data() const { return begin_; }
  size_t size() const { return size_; }
  Element& operator[](size_t i) { return begin_[i]; }
  Element const& operator[](size_t i) const { return begin_[i]; }

  // Whether the gap still holds this value. Later accesses to the gap are no faults.
  bool gap_holds(Element value) const {
    allow_access(gap_begin(), gap_ * sizeof(Element));
    return std::all_of(gap_begin(), gap_begin() + gap_, [&](Element const& element) {
      return std::memcmp(&element, &value, sizeof(Element)) == 0;
    });
  }

 private:
  // A guard is larger than a row, so that an access with a wrong stride ends there, too.
  static constexpr size_t kGuardBytes = size_t{64} << 20;

  Element const* gap_begin() const {
    return near_ == Guard::kBefore ? begin_ - gap_ : begin_ + size_;
  }

  size_t size_;
  size_t gap_;
  Guard near_;
  size_t mapped_;
  void* mapping_;
  Element* begin_;
};

}  // namespace zeta::simt
