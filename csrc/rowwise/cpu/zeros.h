#pragma once

#include <cstdint>

namespace zeta::rowwise::cpu {

// Writes zeros to the bytes first to last - 1 of a result of `size` bytes. A caller may give
// disjoint ranges to several threads.
void fill_with_zeros(void* result, int64_t size, int64_t first, int64_t last);

}  // namespace zeta::rowwise::cpu
