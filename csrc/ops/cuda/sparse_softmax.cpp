#include "rowwise/cuda/sparse_softmax.h"

#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include "ops/driver.h"
#include "ops/sparse_softmax.h"

namespace zeta::ops::sparse_softmax {
namespace {

constexpr auto kForward = [](auto const& geometry, auto* weights, auto const* logits, int64_t k) {
  C10_CUDA_CHECK(rowwise::cuda::sparse_softmax(geometry, weights, logits, k,
                                               c10::cuda::getCurrentCUDAStream()));
};

constexpr auto kBackward = [](auto const& geometry, auto* grad_logits, auto const* grad_weights,
                              auto const* weights) {
  C10_CUDA_CHECK(rowwise::cuda::sparse_softmax_backward(
      geometry, grad_logits, grad_weights, weights, c10::cuda::getCurrentCUDAStream()));
};

at::Tensor forward_cuda(at::Tensor const& z, int64_t k, int64_t dim,
                        std::optional<at::ScalarType> dtype) {
  return run_forward(kName, z, k, dim, dtype, kForward);
}

at::Tensor& forward_out_cuda(at::Tensor const& z, int64_t k, int64_t dim,
                             std::optional<at::ScalarType> dtype, at::Tensor& out) {
  return run_forward_out(kName, z, k, dim, dtype, out, kForward);
}

at::Tensor backward_cuda(at::Tensor const& grad_output, at::Tensor const& output, int64_t dim,
                         at::ScalarType input_dtype) {
  return run_backward(kBackwardName, grad_output, output, dim, input_dtype, kBackward);
}

}  // namespace

TORCH_LIBRARY_IMPL(zeta, CUDA, library) {
  library.impl("sparse_softmax", &forward_cuda);
  library.impl("sparse_softmax.out", &forward_out_cuda);
  library.impl("_sparse_softmax_backward", &backward_cuda);
}

}  // namespace zeta::ops::sparse_softmax
