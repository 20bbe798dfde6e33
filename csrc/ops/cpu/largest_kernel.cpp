#include <torch/library.h>

#include "ops/cpu/parallel.h"
#include "ops/driver.h"
#include "ops/largest.h"
#include "ops/second_copy.h"
#include "rowwise/cpu/largest.h"

namespace zeta::ops::largest {
namespace {

constexpr auto kForward = [](auto const& geometry, int64_t* columns, auto const* entries,
                             int64_t count) {
  for_each_row_range(kName, geometry, [&](int64_t first, int64_t last) {
    rowwise::cpu::largest(geometry, columns, entries, count, first, last);
  });
};

at::Tensor forward_cpu(at::Tensor const& z, int64_t k, int64_t dim) {
  return run_largest(kName, z, k, dim, kForward);
}

}  // namespace

TORCH_LIBRARY_IMPL(zeta, CPU, library) {
  if (is_second_copy()) return;
  library.impl("_largest", &forward_cpu);
}

}  // namespace zeta::ops::largest
