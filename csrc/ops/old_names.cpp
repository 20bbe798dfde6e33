// Internal operators of version 0.1, which knew alpha = 2 alone. Programs that it saved with a
// backward name them. They are calls of the family's operators.
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "ops/family.h"
#include "ops/registration.h"

namespace zeta::ops {
namespace {

constexpr double kAlpha = 2;

at::Tensor backward(at::Tensor const& grad_output, at::Tensor const& output, int64_t dim,
                    at::ScalarType input_dtype) {
  return family::backward(grad_output, output, kAlpha, dim, input_dtype, std::nullopt);
}

std::tuple<at::Tensor, at::Tensor> forward_with_support(at::Tensor const& z, c10::SymInt k,
                                                        int64_t dim,
                                                        std::optional<at::ScalarType> dtype) {
  return family::forward_with_support(z, kAlpha, std::move(k), dim, /*mask=*/std::nullopt, dtype);
}

at::Tensor support_backward(at::Tensor const& grad_output, at::Tensor const& support, int64_t dim,
                            at::ScalarType input_dtype) {
  return family::support_backward(grad_output, support, std::nullopt, kAlpha, dim, input_dtype);
}

}  // namespace

ZETA_LIBRARY_FRAGMENT(library) {
  std::vector<at::Tag> const tags = {at::Tag::pt2_compliant_tag, at::Tag::flexible_layout};
  library.def(
      "_sparse_softmax_backward(Tensor grad_output, Tensor output, int dim, "
      "ScalarType input_dtype) -> Tensor",
      tags);
  library.def(
      "_sparse_softmax_with_support(Tensor z, SymInt k, int dim, *, ScalarType? dtype=None) -> "
      "(Tensor output, Tensor support)",
      tags);
  library.def(
      "_sparse_softmax_support_backward(Tensor grad_output, Tensor support, int dim, "
      "ScalarType input_dtype) -> Tensor",
      tags);
}

ZETA_LIBRARY_IMPL(CompositeImplicitAutograd, library) {
  library.impl("_sparse_softmax_backward", &backward);
  library.impl("_sparse_softmax_with_support", &forward_with_support);
  library.impl("_sparse_softmax_support_backward", &support_backward);
}

}  // namespace zeta::ops
