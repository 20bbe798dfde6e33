#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <cstring>

#include "ops/cpu/parallel.h"
#include "ops/driver.h"
#include "ops/second_copy.h"
#include "ops/sparse_softmax.h"
#include "rowwise/cpu/sparse_softmax.h"

namespace zeta::ops::sparse_softmax {
namespace {

// The template argument Name is the operator's name, for errors.

template <char const* const& Name>
void run_in_parallel(int64_t count, void (*task)(void* context, int64_t i), void* context) {
  for_each_range(Name, count, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) task(context, i);
  });
}

// Returns how many parts each row is split into: several if there are fewer rows than threads.
template <class Geometry>
int64_t parts_of_row(Geometry const& geometry) {
  int64_t const threads = at::get_num_threads();
  bool const is_contiguous = geometry.stride[0] == 1 && geometry.stride[1] == 1;
  bool const is_whole = geometry.full_length == geometry.length;
  if (geometry.rows >= threads || !is_contiguous || !is_whole) return 1;
  return std::min(threads, geometry.length / kEntriesPerTask);
}

template <char const* const& Name>
constexpr auto kForward = [](auto const& geometry, auto* weights, auto const* logits, int64_t k) {
  int64_t const parts = parts_of_row(geometry);
  for (int64_t row = 0; parts > 1 && row < geometry.rows; ++row) {
    int64_t offsets[2];
    geometry.offsets(row, offsets);
    rowwise::cpu::sparse_softmax_split(weights + offsets[0], logits + offsets[1], geometry.length,
                                       k, parts, &run_in_parallel<Name>);
  }
  if (parts > 1) return;
  for_each_row_range(Name, geometry, [&](int64_t first, int64_t last) {
    rowwise::cpu::sparse_softmax(geometry, weights, logits, k, first, last);
  });
};

template <char const* const& Name>
constexpr auto kBackward =
    [](auto const& geometry, auto* grad_logits, auto const* grad_weights, auto const* weights) {
      for_each_row_range(Name, geometry, [&](int64_t first, int64_t last) {
        rowwise::cpu::sparse_softmax_backward(geometry, grad_logits, grad_weights, weights, first,
                                              last);
      });
    };

template <char const* const& Name>
constexpr auto kForwardWithSupport = [](auto const& geometry, auto* weights, auto const* logits,
                                        int32_t* support, int64_t k) {
  for_each_row_range(Name, geometry, [&](int64_t first, int64_t last) {
    rowwise::cpu::sparse_softmax_with_support(geometry, weights, logits, support, k, first, last);
  });
};

template <char const* const& Name>
constexpr auto kSupportBackward = [](auto const& geometry, auto* grad_logits,
                                     auto const* grad_weights, int32_t const* support,
                                     int64_t capacity) {
  if (geometry.stride[0] != 1) {
    for_each_range(Name, geometry.rows * geometry.length, kEntriesPerTask,
                   [&](int64_t first, int64_t last) {
                     std::memset(static_cast<void*>(grad_logits + first), 0,
                                 (last - first) * sizeof(*grad_logits));
                   });
  }
  for_each_row_range(Name, geometry, [&](int64_t first, int64_t last) {
    rowwise::cpu::sparse_softmax_support_backward(geometry, grad_logits, grad_weights, support,
                                                  capacity, first, last);
  });
};

at::Tensor forward_cpu(at::Tensor const& z, int64_t k, int64_t dim,
                       std::optional<at::ScalarType> dtype) {
  return run_forward(kName, z, k, dim, dtype, kForward<kName>);
}

at::Tensor& forward_out_cpu(at::Tensor const& z, int64_t k, int64_t dim,
                            std::optional<at::ScalarType> dtype, at::Tensor& out) {
  return run_forward_out(kName, z, k, dim, dtype, out, kForward<kName>);
}

at::Tensor backward_cpu(at::Tensor const& grad_output, at::Tensor const& output, int64_t dim,
                        at::ScalarType input_dtype) {
  return run_backward(kBackwardName, grad_output, output, dim, input_dtype,
                      kBackward<kBackwardName>);
}

std::tuple<at::Tensor, at::Tensor> forward_with_support_cpu(at::Tensor const& z, int64_t k,
                                                            int64_t dim,
                                                            std::optional<at::ScalarType> dtype) {
  return run_forward_with_support(kWithSupportName, z, k, dim, dtype,
                                  kForwardWithSupport<kWithSupportName>);
}

at::Tensor support_backward_cpu(at::Tensor const& grad_output, at::Tensor const& support,
                                int64_t dim, at::ScalarType input_dtype) {
  return run_support_backward(kSupportBackwardName, grad_output, support, dim, input_dtype,
                              kSupportBackward<kSupportBackwardName>);
}

at::Tensor of_candidates_cpu(at::Tensor const& candidates, int64_t k, int64_t dim, int64_t length) {
  return run_forward_of_candidates(kOfCandidatesName, candidates, k, dim, length,
                                   kForward<kOfCandidatesName>);
}

at::Tensor of_candidates_backward_cpu(at::Tensor const& grad_output, at::Tensor const& output,
                                      int64_t dim, int64_t length) {
  return run_backward(kOfCandidatesBackwardName, grad_output, output, dim, output.scalar_type(),
                      kBackward<kOfCandidatesBackwardName>, length);
}

}  // namespace

TORCH_LIBRARY_IMPL(zeta, CPU, library) {
  if (is_second_copy()) return;
  library.impl("sparse_softmax", &forward_cpu);
  library.impl("sparse_softmax.out", &forward_out_cpu);
  library.impl("_sparse_softmax_backward", &backward_cpu);
  library.impl("_sparse_softmax_with_support", &forward_with_support_cpu);
  library.impl("_sparse_softmax_support_backward", &support_backward_cpu);
  library.impl("_sparse_softmax_of_candidates", &of_candidates_cpu);
  library.impl("_sparse_softmax_of_candidates_backward", &of_candidates_backward_cpu);
}

}  // namespace zeta::ops::sparse_softmax
