#pragma once

#include <cstdint>

#include "rowwise/export.h"

namespace zeta::rowwise::cpu {

// Whether the environment variable ZETA_HUGE_PAGES was 1, which is the default, when the library
// was loaded. Throws std::runtime_error if it was anything but 0 or 1.
bool uses_huge_pages();

// Asks the system for huge pages under large memory that nothing was written to yet: the first
// write to a page takes the system longer than the rest of the work, and fewer pages have fewer
// first writes. Does nothing if ZETA_HUGE_PAGES=0, or if the system has no huge pages.
ZETA_ENGINE_API void advise_huge_pages(void* memory, int64_t bytes);

}  // namespace zeta::rowwise::cpu
