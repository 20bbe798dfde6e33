#include "rowwise/cpu/zeros.h"

#include "rowwise/cpu/sparse_row.h"

namespace zeta::rowwise::cpu {

void fill_with_zeros(void* result, int64_t size, int64_t first, int64_t last) {
  char* const bytes = static_cast<char*>(result) + first;
  if (baseline::is_streamed(size)) {
    baseline::stream_sparse_row<char, int64_t>(bytes, last - first, 0, nullptr, nullptr);
    baseline::stream_fence();
  } else {
    baseline::write_zeros(bytes, last - first);
  }
}

}  // namespace zeta::rowwise::cpu
