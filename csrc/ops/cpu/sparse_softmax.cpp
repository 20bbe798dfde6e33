#include "rowwise/cpu/sparse_softmax.h"

#include <ATen/Parallel.h>
#include <torch/csrc/stable/c/shim.h>
#include <torch/library.h>

#include <algorithm>
#include <cstring>

#include "ops/driver.h"
#include "ops/sparse_softmax.h"
#include "rowwise/cpu/capability.h"

namespace zeta::ops::sparse_softmax {
namespace {

// A task of fewer entries costs less than handing it to another thread.
constexpr int64_t kEntriesPerTask = 65536;

// Calls function(first, last) for ranges that make up 0 to count - 1, on all of torch's threads if
// that pays. at::parallel_for is a template, and runs on one thread where it is compiled without
// OpenMP. This one was compiled with torch.
template <class Function>
void for_each_range(int64_t count, int64_t smallest_range, Function const& function) {
  rowwise::cpu::capability();  // Throws here, not in a thread, if the environment names none.
  auto const call = [](int64_t first, int64_t last, void* context) {
    (*static_cast<Function const*>(context))(first, last);
  };
  auto const error = torch_parallel_for(0, count, smallest_range, call,
                                        const_cast<void*>(static_cast<void const*>(&function)));
  TORCH_CHECK(error == AOTI_TORCH_SUCCESS, kName, ": a thread failed; its own message is above");
}

template <class Geometry, class Function>
void for_each_row_range(Geometry const& geometry, Function const& function) {
  for_each_range(geometry.rows, std::max<int64_t>(1, kEntriesPerTask / geometry.length), function);
}

void run_in_parallel(int64_t count, void (*task)(void* context, int64_t i), void* context) {
  for_each_range(count, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) task(context, i);
  });
}

// In how many parts each row is to be taken: in several if there are fewer rows than threads.
template <class Geometry>
int64_t parts_of_row(Geometry const& geometry) {
  int64_t const threads = at::get_num_threads();
  bool const is_contiguous = geometry.stride[0] == 1 && geometry.stride[1] == 1;
  if (geometry.rows >= threads || !is_contiguous) return 1;
  return std::min(threads, geometry.length / kEntriesPerTask);
}

constexpr auto kForward = [](auto const& geometry, auto* weights, auto const* logits, int64_t k) {
  int64_t const parts = parts_of_row(geometry);
  for (int64_t row = 0; parts > 1 && row < geometry.rows; ++row) {
    int64_t offsets[2];
    geometry.offsets(row, offsets);
    rowwise::cpu::sparse_softmax_split(weights + offsets[0], logits + offsets[1], geometry.length,
                                       k, parts, &run_in_parallel);
  }
  if (parts > 1) return;
  for_each_row_range(geometry, [&](int64_t first, int64_t last) {
    rowwise::cpu::sparse_softmax(geometry, weights, logits, k, first, last);
  });
};

constexpr auto kBackward = [](auto const& geometry, auto* grad_logits, auto const* grad_weights,
                              auto const* weights) {
  for_each_row_range(geometry, [&](int64_t first, int64_t last) {
    rowwise::cpu::sparse_softmax_backward(geometry, grad_logits, grad_weights, weights, first,
                                          last);
  });
};

constexpr auto kForwardWithSupport = [](auto const& geometry, auto* weights, auto const* logits,
                                        int32_t* support, int64_t k) {
  for_each_row_range(geometry, [&](int64_t first, int64_t last) {
    rowwise::cpu::sparse_softmax_with_support(geometry, weights, logits, support, k, first, last);
  });
};

constexpr auto kSupportBackward = [](auto const& geometry, auto* grad_logits,
                                     auto const* grad_weights, int32_t const* support,
                                     int64_t capacity) {
  if (geometry.stride[0] != 1) {
    for_each_range(geometry.rows * geometry.length, kEntriesPerTask,
                   [&](int64_t first, int64_t last) {
                     std::memset(static_cast<void*>(grad_logits + first), 0,
                                 (last - first) * sizeof(*grad_logits));
                   });
  }
  for_each_row_range(geometry, [&](int64_t first, int64_t last) {
    rowwise::cpu::sparse_softmax_support_backward(geometry, grad_logits, grad_weights, support,
                                                  capacity, first, last);
  });
};

at::Tensor forward_cpu(at::Tensor const& z, int64_t k, int64_t dim,
                       std::optional<at::ScalarType> dtype) {
  return run_forward(kName, z, k, dim, dtype, kForward);
}

at::Tensor& forward_out_cpu(at::Tensor const& z, int64_t k, int64_t dim,
                            std::optional<at::ScalarType> dtype, at::Tensor& out) {
  return run_forward_out(kName, z, k, dim, dtype, out, kForward);
}

at::Tensor backward_cpu(at::Tensor const& grad_output, at::Tensor const& output, int64_t dim,
                        at::ScalarType input_dtype) {
  return run_backward(kBackwardName, grad_output, output, dim, input_dtype, kBackward);
}

std::tuple<at::Tensor, at::Tensor> forward_with_support_cpu(at::Tensor const& z, int64_t k,
                                                            int64_t dim,
                                                            std::optional<at::ScalarType> dtype) {
  return run_forward_with_support(kWithSupportName, z, k, dim, dtype, kForwardWithSupport);
}

at::Tensor support_backward_cpu(at::Tensor const& grad_output, at::Tensor const& support,
                                int64_t dim, at::ScalarType input_dtype) {
  return run_support_backward(kSupportBackwardName, grad_output, support, dim, input_dtype,
                              kSupportBackward);
}

}  // namespace

TORCH_LIBRARY_IMPL(zeta, CPU, library) {
  library.impl("sparse_softmax", &forward_cpu);
  library.impl("sparse_softmax.out", &forward_out_cpu);
  library.impl("_sparse_softmax_backward", &backward_cpu);
  library.impl("_sparse_softmax_with_support", &forward_with_support_cpu);
  library.impl("_sparse_softmax_support_backward", &support_backward_cpu);
}

}  // namespace zeta::ops::sparse_softmax
