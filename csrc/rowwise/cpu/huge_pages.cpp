#include "rowwise/cpu/huge_pages.h"

#include <stdexcept>
#include <string>

#include "rowwise/environment.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace zeta::rowwise::cpu {
namespace {

bool requested_use() {
  auto const value = environment_variable("ZETA_HUGE_PAGES").value_or("1");
  if (value != "0" && value != "1") {
    throw std::runtime_error("ZETA_HUGE_PAGES: expected 0 or 1, but got " + std::string(value));
  }
  return value == "1";
}

FromEnvironment<bool> const in_use(&requested_use);

}  // namespace

bool uses_huge_pages() { return in_use.value(); }

void advise_huge_pages([[maybe_unused]] void* memory, [[maybe_unused]] int64_t bytes) {
  if (!uses_huge_pages()) return;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  // The allocator reuses smaller memory, so that few of its pages are new.
  constexpr int64_t kLeastBytes = int64_t{4} << 20;
  constexpr uintptr_t kHugePage = uintptr_t{2} << 20;
  if (bytes < kLeastBytes) return;
  auto const address = reinterpret_cast<uintptr_t>(memory);
  uintptr_t const first = (address + kHugePage - 1) / kHugePage * kHugePage;
  uintptr_t const last = (address + static_cast<uintptr_t>(bytes)) / kHugePage * kHugePage;
  // If the system refuses, nothing changes.
  if (first < last) {
    madvise(static_cast<char*>(memory) + (first - address), last - first, MADV_HUGEPAGE);
  }
#endif
}

}  // namespace zeta::rowwise::cpu
