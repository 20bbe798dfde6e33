#include "simt/shared_memory.h"

#include <cstring>
#include <new>

#include "simt/fault.h"
#include "simt/sanitizer.h"

namespace zeta::simt {
namespace {

constexpr size_t kWatched = 128;  // bytes on each side of an array
constexpr size_t kMostArrays = 256;
constexpr size_t kCapacity =
    SharedMemory::kLargest + kMostArrays * (2 * kWatched + SharedMemory::kAlignment);

unsigned char watched_value(size_t position) {
  return static_cast<unsigned char>(0xc5U ^ (position * 29U));
}

size_t round_up(size_t bytes) {
  constexpr size_t kAlignment = SharedMemory::kAlignment;
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

void SharedMemory::Free::operator()(unsigned char* memory) const {
  allow_access(memory, kCapacity);
  ::operator delete[](memory, std::align_val_t{kAlignment});
}

SharedMemory::SharedMemory()
    : memory_(
          static_cast<unsigned char*>(::operator new[](kCapacity, std::align_val_t{kAlignment}))) {
  forbid_access(memory_.get(), kCapacity);
}

void SharedMemory::reset(unsigned char poison) {
  arrays_.clear();
  poison_ = poison;
  forbid_access(memory_.get(), kCapacity);
}

void* SharedMemory::array(void const* declaration, std::string const& name, size_t bytes,
                          std::source_location where) {
  for (auto const& array : arrays_) {
    if (array.declaration == declaration) return memory_.get() + array.begin;
  }
  size_t used = 0;
  for (auto const& array : arrays_) used += round_up(array.bytes);
  if (used + round_up(bytes) > kLargest || arrays_.size() == kMostArrays) {
    throw Fault(where, "a block has no room for the shared array " + name);
  }

  size_t const end = arrays_.empty() ? 0 : arrays_.back().begin + arrays_.back().bytes + kWatched;
  size_t const begin = round_up(end + kWatched);
  unsigned char* const memory = memory_.get();
  allow_access(memory + begin, bytes);
  std::memset(memory + begin, poison_, bytes);
  if (!kAddressSanitizer) {
    for (size_t i = 0; i < kWatched; ++i) {
      memory[begin - kWatched + i] = watched_value(i);
      memory[begin + bytes + i] = watched_value(i);
    }
  }
  arrays_.push_back({declaration, name, where, begin, bytes});
  return memory + begin;
}

void SharedMemory::check() const {
  if (kAddressSanitizer) return;
  for (auto const& array : arrays_) {
    for (size_t i = 0; i < kWatched; ++i) {
      bool const before = memory_[array.begin - kWatched + i] != watched_value(i);
      bool const after = memory_[array.begin + array.bytes + i] != watched_value(i);
      if (!before && !after) continue;
      throw Fault(array.where,
                  "something was written out of bounds, " +
                      (before ? std::to_string(kWatched - i) + " bytes before the begin"
                              : std::to_string(i) + " bytes after the end") +
                      " of the shared array " + array.name);
    }
  }
}

}  // namespace zeta::simt
