#include <ATen/native/Resize.h>
#include <ATen/ops/empty_like.h>

#include <tuple>

#include "ops/register_kernels.h"
#include "ops/results.h"
#include "ops/row_arguments.h"

namespace zeta::ops {
namespace {

// What kernels give, without memory: the shapes and dtypes of results, or the errors.
struct Shapes {
  static at::Tensor forward(MemberOperator const& member, at::Tensor const& z, Call const& call) {
    auto const arguments = check_forward(member.name, z, call);
    return at::empty_like(z, z.options().dtype(arguments.dtype));
  }

  static at::Tensor& forward_out(MemberOperator const& member, at::Tensor const& z,
                                 Call const& call, at::Tensor& out) {
    check_forward_out(member.name, z, call, out);
    at::native::resize_output_symint(out, z.sym_sizes());
    return out;
  }

  static at::Tensor forward_of_alphas(at::Tensor const& z, at::Tensor const& alpha,
                                      std::optional<c10::SymInt> k, int64_t dim,
                                      std::optional<at::Tensor> const& mask,
                                      std::optional<at::ScalarType> dtype) {
    auto const arguments = check_of_alphas(members::Entmax::kName, z, alpha,
                                           call_of_alphas(std::move(k), dim, mask, dtype));
    return at::empty_like(z, z.options().dtype(arguments.dtype));
  }

  static at::Tensor& forward_of_alphas_out(at::Tensor const& z, at::Tensor const& alpha,
                                           std::optional<c10::SymInt> k, int64_t dim,
                                           std::optional<at::Tensor> const& mask,
                                           std::optional<at::ScalarType> dtype, at::Tensor& out) {
    check_of_alphas_out(members::Entmax::kName, z, alpha,
                        call_of_alphas(std::move(k), dim, mask, dtype), out);
    at::native::resize_output_symint(out, z.sym_sizes());
    return out;
  }

  static Compact compact(MemberOperator const& member, at::Tensor const& z, Call const& call) {
    auto const [dim, dtype] = check_forward(member.name, z, call);
    return empty_compact(z, call.k, dim, dtype);
  }

  static Compact compact_of_alphas(at::Tensor const& z, at::Tensor const& alpha,
                                   std::optional<c10::SymInt> k, int64_t dim,
                                   std::optional<at::Tensor> const& mask,
                                   std::optional<at::ScalarType> dtype) {
    Call const call = call_of_alphas(std::move(k), dim, mask, dtype);
    auto const arguments = check_of_alphas(members::Entmax::kName, z, alpha, call);
    return empty_compact(z, call.k, arguments.dim, arguments.dtype);
  }

  static at::Tensor backward(at::Tensor const& grad_output, at::Tensor const& output, double alpha,
                             int64_t dim, at::ScalarType input_dtype,
                             std::optional<c10::SymInt> length) {
    check_backward(family::kBackwardName, grad_output, output, alpha, dim, input_dtype, length);
    return at::empty_like(output, output.options().dtype(input_dtype));
  }

  static std::tuple<at::Tensor, at::Tensor> forward_with_support(
      at::Tensor const& z, double alpha, c10::SymInt k, int64_t dim,
      std::optional<at::Tensor> const& mask, std::optional<at::ScalarType> dtype) {
    auto const arguments = check_forward_with_support(family::kWithSupportName, z,
                                                      {alpha, k, dim, tensor_of(mask), dtype});
    return {at::empty_like(z, z.options().dtype(arguments.dtype)),
            empty_support(z, k, arguments.dim)};
  }

  static at::Tensor support_backward(at::Tensor const& grad_output, at::Tensor const& support,
                                     std::optional<at::Tensor> const& output, double alpha,
                                     int64_t dim, at::ScalarType input_dtype) {
    check_support_backward(family::kSupportBackwardName, grad_output, support, output, alpha, dim,
                           input_dtype);
    return at::empty_like(grad_output, grad_output.options().dtype(input_dtype));
  }

  static at::Tensor of_candidates(at::Tensor const& candidates, double alpha, c10::SymInt k,
                                  int64_t dim, c10::SymInt length) {
    check_of_candidates(family::kOfCandidatesName, candidates,
                        {alpha, k, dim, at::Tensor(), std::nullopt}, length);
    return at::empty_like(candidates);
  }

  static at::Tensor candidates_of_alphas(at::Tensor const& candidates, at::Tensor const& alpha,
                                         c10::SymInt k, int64_t dim, c10::SymInt length) {
    check_candidates_of_alphas(family::kOfCandidatesName, candidates, alpha,
                               call_of_alphas(std::move(k), dim, std::nullopt, std::nullopt),
                               length);
    return at::empty_like(candidates);
  }

  static at::Tensor largest(at::Tensor const& z, c10::SymInt k, int64_t dim,
                            std::optional<at::Tensor> const& mask) {
    int64_t const row_dim = check_largest(family::kLargestName, z, k, dim, tensor_of(mask));
    return empty_largest(z, k, row_dim, at::kLong);
  }
};

}  // namespace

ZETA_LIBRARY_IMPL(Meta, library) { register_kernels<Shapes>(library); }

}  // namespace zeta::ops
