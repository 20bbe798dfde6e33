#include <ATen/native/Resize.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

#include "ops/row_arguments.h"
#include "ops/second_copy.h"
#include "ops/sparse_softmax.h"
#include "ops/support.h"

namespace zeta::ops::sparse_softmax {
namespace {

at::Tensor forward_meta(at::Tensor const& z, c10::SymInt k, int64_t dim,
                        std::optional<at::ScalarType> dtype) {
  auto const arguments = check_forward(kName, z, k, dim, dtype);
  return at::empty_like(z, z.options().dtype(arguments.dtype));
}

at::Tensor& forward_out_meta(at::Tensor const& z, c10::SymInt k, int64_t dim,
                             std::optional<at::ScalarType> dtype, at::Tensor& out) {
  check_forward_out(kName, z, k, dim, dtype, out);
  at::native::resize_output_symint(out, z.sym_sizes());
  return out;
}

at::Tensor backward_meta(at::Tensor const& grad_output, at::Tensor const& output, int64_t dim,
                         at::ScalarType input_dtype) {
  check_backward(kBackwardName, grad_output, output, dim, input_dtype);
  return at::empty_like(output, output.options().dtype(input_dtype));
}

std::tuple<at::Tensor, at::Tensor> forward_with_support_meta(at::Tensor const& z, c10::SymInt k,
                                                             int64_t dim,
                                                             std::optional<at::ScalarType> dtype) {
  auto const arguments = check_forward_with_support(kWithSupportName, z, k, dim, dtype);
  return {at::empty_like(z, z.options().dtype(arguments.dtype)),
          empty_support(z, k, arguments.dim)};
}

at::Tensor support_backward_meta(at::Tensor const& grad_output, at::Tensor const& support,
                                 int64_t dim, at::ScalarType input_dtype) {
  check_support_backward(kSupportBackwardName, grad_output, support, dim, input_dtype);
  return at::empty_like(grad_output, grad_output.options().dtype(input_dtype));
}

at::Tensor of_candidates_meta(at::Tensor const& candidates, c10::SymInt k, int64_t dim,
                              c10::SymInt length) {
  check_of_candidates(kOfCandidatesName, candidates, k, dim, length);
  return at::empty_like(candidates);
}

at::Tensor of_candidates_backward_meta(at::Tensor const& grad_output, at::Tensor const& output,
                                       int64_t dim, c10::SymInt) {
  check_backward(kOfCandidatesBackwardName, grad_output, output, dim, output.scalar_type());
  return at::empty_like(output);
}

}  // namespace

TORCH_LIBRARY_IMPL(zeta, Meta, library) {
  if (is_second_copy()) return;
  library.impl("sparse_softmax", &forward_meta);
  library.impl("sparse_softmax.out", &forward_out_meta);
  library.impl("_sparse_softmax_backward", &backward_meta);
  library.impl("_sparse_softmax_with_support", &forward_with_support_meta);
  library.impl("_sparse_softmax_support_backward", &support_backward_meta);
  library.impl("_sparse_softmax_of_candidates", &of_candidates_meta);
  library.impl("_sparse_softmax_of_candidates_backward", &of_candidates_backward_meta);
}

}  // namespace zeta::ops::sparse_softmax
