#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>

#include "ops/cuda/check_launch.h"
#include "ops/cuda/compact.h"
#include "ops/driver.h"
#include "ops/register_kernels.h"
#include "rowwise/cuda/backward/plan.h"
#include "rowwise/cuda/by_sums.h"
#include "rowwise/cuda/entmax.h"
#include "rowwise/cuda/forward/plan.h"
#include "rowwise/cuda/largest.h"
#include "rowwise/cuda/shape.h"
#include "rowwise/mask.h"
#include "rowwise/row_geometry.h"

namespace zeta::ops {
namespace {

namespace engine = rowwise::cuda;
using rowwise::MaskEntry;
using rowwise::RowGeometry;

engine::Device current_device() {
  engine::Device device = {};
  auto const number = c10::cuda::current_device();
  C10_CUDA_CHECK(
      cudaDeviceGetAttribute(&device.multiprocessors, cudaDevAttrMultiProcessorCount, number));
  C10_CUDA_CHECK(cudaDeviceGetAttribute(&device.shared_bytes,
                                        cudaDevAttrMaxSharedMemoryPerMultiprocessor, number));
  return device;
}

struct CudaLaunches {
  template <class Scalar>
  static void forward(char const* name, double alpha, RowGeometry<2> const& geometry,
                      Scalar* weights, Scalar const* logits, int64_t k) {
    forward_with_support(name, alpha, rowwise::with_operands<3>(geometry), weights, logits, nullptr,
                         k);
  }

  template <class Scalar>
  static void forward_with_support(char const* name, double alpha, RowGeometry<3> const& geometry,
                                   Scalar* weights, Scalar const* logits, int32_t* support,
                                   int64_t k) {
    auto shape = engine::shape_of<3, Scalar>(geometry, {weights, logits}, k);
    shape.is_by_sums = engine::is_by_sums(alpha);
    auto const plan = engine::requested_plan(shape, current_device());
    int64_t const bytes = engine::entmax_workspace<Scalar>(geometry, k, plan);
    at::Tensor workspace;
    if (bytes != 0) workspace = at::empty({bytes}, at::TensorOptions(at::kCUDA).dtype(at::kByte));
    check_launch(name, engine::entmax(alpha, geometry, weights, logits, support, k, plan,
                                      bytes != 0 ? workspace.mutable_data_ptr() : nullptr,
                                      c10::cuda::getCurrentCUDAStream()));
  }

  template <class Scalar>
  static void forward_masked(char const* name, double alpha, RowGeometry<4> const& geometry,
                             Scalar* weights, Scalar const* logits, int32_t* support,
                             MaskEntry const* mask, int64_t k) {
    auto shape = engine::shape_of_masked<Scalar>(geometry, {weights, logits}, k);
    shape.is_by_sums = engine::is_by_sums(alpha);
    auto const plan = engine::requested_plan(shape, current_device());
    check_launch(name, engine::entmax_masked(alpha, geometry, weights, logits, support, mask, k,
                                             plan, c10::cuda::getCurrentCUDAStream()));
  }

  template <class Scalar>
  static void forward_of_alphas(char const* name, RowGeometry<4> const& geometry, Scalar* weights,
                                Scalar const* logits, double const* alphas, MaskEntry const* mask,
                                int64_t k) {
    check_launch(name, engine::entmax_of_alphas(geometry, weights, logits, alphas, mask, k,
                                                c10::cuda::getCurrentCUDAStream()));
  }

  template <class Scalar>
  static void backward(char const* name, double alpha, RowGeometry<3> const& geometry,
                       Scalar* grad_logits, Scalar const* grad_weights, Scalar const* weights) {
    auto shape = engine::shape_of<3, Scalar>(geometry, {grad_logits, grad_weights, weights});
    shape.is_by_sums = engine::is_by_sums(alpha);
    auto const plan = engine::plan_from_weights(shape, current_device());
    check_launch(name, engine::entmax_backward(alpha, geometry, grad_logits, grad_weights, weights,
                                               plan, c10::cuda::getCurrentCUDAStream()));
  }

  template <class Scalar>
  static void support_backward(char const* name, double alpha, RowGeometry<3> const& geometry,
                               Scalar* grad_logits, Scalar const* grad_weights,
                               int32_t const* support, int64_t capacity) {
    auto const shape = engine::shape_of_result<Scalar>(geometry, grad_logits, capacity);
    auto const plan = engine::plan_from_support(shape, current_device());
    check_launch(
        name, engine::entmax_support_backward(alpha, geometry, grad_logits, grad_weights, support,
                                              capacity, plan, c10::cuda::getCurrentCUDAStream()));
  }

  // The kernels that read the gradient at the support alone take constant slopes.
  template <class Scalar>
  static void support_backward(char const* name, double alpha, RowGeometry<4> const& geometry,
                               Scalar* grad_logits, Scalar const* grad_weights,
                               Scalar const* weights, int32_t const* /*support*/,
                               int64_t /*capacity*/) {
    backward(name, alpha, rowwise::with_operands<3>(geometry), grad_logits, grad_weights, weights);
  }

  template <class Scalar>
  static void largest(char const* name, RowGeometry<2> const& geometry, int64_t* indices,
                      Scalar const* entries, int64_t count) {
    check_launch(name, engine::largest(geometry, indices, entries, count,
                                       c10::cuda::getCurrentCUDAStream()));
  }

  template <class Scalar>
  static void largest_masked(char const* name, RowGeometry<3> const& geometry, int64_t* indices,
                             Scalar const* entries, MaskEntry const* mask, int64_t count) {
    check_launch(name, engine::largest_masked(geometry, indices, entries, mask, count,
                                              c10::cuda::getCurrentCUDAStream()));
  }
};

struct CudaKernels : DeviceKernels<CudaLaunches> {
  static Compact compact(MemberOperator const& member, at::Tensor const& z, Call const& call) {
    return compact_of_rows(z, check_forward(member.name, z, call), call.alpha, call);
  }

  static Compact compact_of_alphas(at::Tensor const& z, at::Tensor const& alpha,
                                   std::optional<c10::SymInt> k, int64_t dim,
                                   std::optional<at::Tensor> const& mask,
                                   std::optional<at::ScalarType> dtype) {
    Call const call = call_of_alphas(std::move(k), dim, mask, dtype);
    auto const arguments = check_of_alphas(members::Entmax::kName, z, alpha, call);
    return compact_of_rows(z, arguments, alpha, call);
  }

 private:
  template <class Alpha>
  static Compact compact_of_rows(at::Tensor const& z, RowArguments const& arguments,
                                 Alpha const& alpha, Call const& call) {
    c10::DeviceGuard const guard(z.device());
    auto const& [dim, dtype] = arguments;
    return compact_of_largest(converted(z, dtype), alpha, call.k, dim, call.mask);
  }
};

}  // namespace

ZETA_LIBRARY_IMPL(CUDA, library) { register_kernels<CudaKernels>(library); }

}  // namespace zeta::ops
