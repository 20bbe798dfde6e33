#pragma once

#include <c10/util/Exception.h>
#include <torch/csrc/stable/c/shim.h>

#include <algorithm>
#include <cstdint>

#include "rowwise/cpu/capability.h"

// Work on torch's threads.
namespace zeta::ops {

// A task of fewer entries costs less than handing it to another thread.
inline constexpr int64_t kEntriesPerTask = 65536;

// Calls function(first, last) for ranges that make up 0 to count - 1, on all of torch's threads if
// that pays. `name` is the operator's, for errors. at::parallel_for is a template, and runs on one
// thread where it is compiled without OpenMP. This one was compiled with torch.
template <class Function>
void for_each_range(char const* name, int64_t count, int64_t smallest_range,
                    Function const& function) {
  rowwise::cpu::capability();  // Throws here, not in a thread, if the environment names none.
  if (0 < count && count <= smallest_range) return function(0, count);
  auto const call = [](int64_t first, int64_t last, void* context) {
    (*static_cast<Function const*>(context))(first, last);
  };
  auto const error = torch_parallel_for(0, count, smallest_range, call,
                                        const_cast<void*>(static_cast<void const*>(&function)));
  TORCH_CHECK(error == AOTI_TORCH_SUCCESS, name, ": a thread failed; its own message is above");
}

template <class Geometry, class Function>
void for_each_row_range(char const* name, Geometry const& geometry, Function const& function) {
  for_each_range(name, geometry.rows, std::max<int64_t>(1, kEntriesPerTask / geometry.length),
                 function);
}

}  // namespace zeta::ops
