#pragma once

#include <cstdint>

namespace zeta::rowwise::cpu {

// What the environment variable ZETA_HUGE_PAGES said when the library was loaded: 1, which is the
// default, or 0. Throws std::runtime_error for anything else.
bool uses_huge_pages();

// Asks the system for huge pages under large memory that nothing was written to yet. The first
// write to a page takes the system longer than the rest of the work, and huge pages are few. Does
// nothing if ZETA_HUGE_PAGES=0, or if the system has none.
void advise_huge_pages(void* memory, int64_t bytes);

}  // namespace zeta::rowwise::cpu
