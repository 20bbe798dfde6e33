#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include <type_traits>

#include "ops/cuda/check_launch.h"
#include "ops/driver.h"
#include "ops/second_copy.h"
#include "ops/sparse_softmax.h"
#include "rowwise/cuda/backward/plan.h"
#include "rowwise/cuda/forward/plan.h"
#include "rowwise/cuda/shape.h"
#include "rowwise/cuda/sparse_softmax.h"
#include "rowwise/row_geometry.h"

namespace zeta::ops::sparse_softmax {
namespace {

namespace engine = rowwise::cuda;

engine::Device current_device() {
  engine::Device device = {};
  auto const number = c10::cuda::current_device();
  C10_CUDA_CHECK(
      cudaDeviceGetAttribute(&device.multiprocessors, cudaDevAttrMultiProcessorCount, number));
  C10_CUDA_CHECK(cudaDeviceGetAttribute(&device.shared_bytes,
                                        cudaDevAttrMaxSharedMemoryPerMultiprocessor, number));
  return device;
}

constexpr auto kForwardWithSupport = [](rowwise::RowGeometry<3> const& geometry, auto* weights,
                                        auto const* logits, int32_t* support, int64_t k) {
  using Scalar = std::remove_pointer_t<decltype(weights)>;
  auto const shape = engine::shape_of<3, Scalar>(geometry, {weights, logits}, k);
  auto const plan = engine::requested_plan(shape, current_device());
  int64_t const bytes = engine::sparse_softmax_workspace<Scalar>(geometry, k, plan);
  at::Tensor workspace;
  if (bytes != 0) workspace = at::empty({bytes}, at::TensorOptions(at::kCUDA).dtype(at::kByte));
  check_launch(kName, engine::sparse_softmax(geometry, weights, logits, support, k, plan,
                                             bytes != 0 ? workspace.mutable_data_ptr() : nullptr,
                                             c10::cuda::getCurrentCUDAStream()));
};

constexpr auto kForward = [](rowwise::RowGeometry<2> const& geometry, auto* weights,
                             auto const* logits, int64_t k) {
  kForwardWithSupport(rowwise::with_operands<3>(geometry), weights, logits, nullptr, k);
};

constexpr auto kBackward = [](rowwise::RowGeometry<3> const& geometry, auto* grad_logits,
                              auto const* grad_weights, auto const* weights) {
  using Scalar = std::remove_pointer_t<decltype(grad_logits)>;
  auto const shape = engine::shape_of<3, Scalar>(geometry, {grad_logits, grad_weights, weights});
  auto const plan = engine::plan_from_weights(shape, current_device());
  check_launch(kBackwardName,
               engine::sparse_softmax_backward(geometry, grad_logits, grad_weights, weights, plan,
                                               c10::cuda::getCurrentCUDAStream()));
};

constexpr auto kSupportBackward = [](rowwise::RowGeometry<3> const& geometry, auto* grad_logits,
                                     auto const* grad_weights, int32_t const* support,
                                     int64_t capacity) {
  using Scalar = std::remove_pointer_t<decltype(grad_logits)>;
  auto const shape = engine::shape_of_result<Scalar>(geometry, grad_logits, capacity);
  auto const plan = engine::plan_from_support(shape, current_device());
  check_launch(kSupportBackwardName, engine::sparse_softmax_support_backward(
                                         geometry, grad_logits, grad_weights, support, capacity,
                                         plan, c10::cuda::getCurrentCUDAStream()));
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

std::tuple<at::Tensor, at::Tensor> forward_with_support_cuda(at::Tensor const& z, int64_t k,
                                                             int64_t dim,
                                                             std::optional<at::ScalarType> dtype) {
  return run_forward_with_support(kWithSupportName, z, k, dim, dtype, kForwardWithSupport);
}

at::Tensor support_backward_cuda(at::Tensor const& grad_output, at::Tensor const& support,
                                 int64_t dim, at::ScalarType input_dtype) {
  return run_support_backward(kSupportBackwardName, grad_output, support, dim, input_dtype,
                              kSupportBackward);
}

at::Tensor of_candidates_cuda(at::Tensor const& candidates, int64_t k, int64_t dim,
                              int64_t length) {
  return run_forward_of_candidates(kOfCandidatesName, candidates, k, dim, length, kForward);
}

at::Tensor of_candidates_backward_cuda(at::Tensor const& grad_output, at::Tensor const& output,
                                       int64_t dim, int64_t length) {
  return run_backward(kOfCandidatesBackwardName, grad_output, output, dim, output.scalar_type(),
                      kBackward, length);
}

}  // namespace

TORCH_LIBRARY_IMPL(zeta, CUDA, library) {
  if (is_second_copy()) return;
  library.impl("sparse_softmax", &forward_cuda);
  library.impl("sparse_softmax.out", &forward_out_cuda);
  library.impl("_sparse_softmax_backward", &backward_cuda);
  library.impl("_sparse_softmax_with_support", &forward_with_support_cuda);
  library.impl("_sparse_softmax_support_backward", &support_backward_cuda);
  library.impl("_sparse_softmax_of_candidates", &of_candidates_cuda);
  library.impl("_sparse_softmax_of_candidates_backward", &of_candidates_backward_cuda);
}

}  // namespace zeta::ops::sparse_softmax
