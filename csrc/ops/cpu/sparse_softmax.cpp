#include "rowwise/cpu/sparse_softmax.h"

#include <torch/csrc/stable/c/shim.h>
#include <torch/library.h>

#include <algorithm>

#include "ops/driver.h"
#include "ops/sparse_softmax.h"

namespace zeta::ops::sparse_softmax {
namespace {

// A task of fewer entries costs less than handing it to another thread.
constexpr int64_t kEntriesPerTask = 65536;

// at::parallel_for is a template, and runs on one thread where it is compiled without OpenMP. This
// one was compiled with torch.
template <class Geometry, class Function>
void for_each_row_range(Geometry const& geometry, Function const& function) {
  int64_t const rows_per_task = std::max<int64_t>(1, kEntriesPerTask / geometry.length);
  auto const call = [](int64_t first, int64_t last, void* context) {
    (*static_cast<Function const*>(context))(first, last);
  };
  auto const error = torch_parallel_for(0, geometry.rows, rows_per_task, call,
                                        const_cast<void*>(static_cast<void const*>(&function)));
  TORCH_CHECK(error == AOTI_TORCH_SUCCESS, kName, ": a thread failed; its own message is above");
}

constexpr auto kForward = [](auto const& geometry, auto* weights, auto const* logits, int64_t k) {
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

}  // namespace

TORCH_LIBRARY_IMPL(zeta, CPU, library) {
  library.impl("sparse_softmax", &forward_cpu);
  library.impl("sparse_softmax.out", &forward_out_cpu);
  library.impl("_sparse_softmax_backward", &backward_cpu);
}

}  // namespace zeta::ops::sparse_softmax
