#include "ops/sparse_softmax.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>
#include <zeta/ops.h>

#include <utility>

#include "ops/second_copy.h"

namespace zeta::ops::sparse_softmax {
namespace {

template <class Signature>
c10::TypedOperatorHandle<Signature> find(char const* name, char const* overload) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).typed<Signature>();
}

}  // namespace

at::Tensor forward(at::Tensor const& z, c10::SymInt k, int64_t dim,
                   std::optional<at::ScalarType> dtype) {
  static auto const handle = find<ForwardSignature>("zeta::sparse_softmax", "");
  return handle.call(z, std::move(k), dim, dtype);
}

at::Tensor& forward_out(at::Tensor const& z, c10::SymInt k, int64_t dim,
                        std::optional<at::ScalarType> dtype, at::Tensor& out) {
  static auto const handle = find<ForwardOutSignature>("zeta::sparse_softmax", "out");
  return handle.call(z, std::move(k), dim, dtype, out);
}

at::Tensor backward(at::Tensor const& grad_output, at::Tensor const& output, int64_t dim,
                    at::ScalarType input_dtype) {
  static auto const handle = find<BackwardSignature>("zeta::_sparse_softmax_backward", "");
  return handle.call(grad_output, output, dim, input_dtype);
}

std::tuple<at::Tensor, at::Tensor> forward_with_support(at::Tensor const& z, c10::SymInt k,
                                                        int64_t dim,
                                                        std::optional<at::ScalarType> dtype) {
  static auto const handle = find<WithSupportSignature>("zeta::_sparse_softmax_with_support", "");
  return handle.call(z, std::move(k), dim, dtype);
}

at::Tensor support_backward(at::Tensor const& grad_output, at::Tensor const& support, int64_t dim,
                            at::ScalarType input_dtype) {
  static auto const handle =
      find<SupportBackwardSignature>("zeta::_sparse_softmax_support_backward", "");
  return handle.call(grad_output, support, dim, input_dtype);
}

TORCH_LIBRARY_FRAGMENT(zeta, library) {
  if (is_second_copy()) return;
  // flexible_layout says that inputs may have any strides, so Inductor need not copy them.
  std::vector<at::Tag> const tags = {at::Tag::pt2_compliant_tag, at::Tag::flexible_layout};
  library.def(
      "sparse_softmax(Tensor z, SymInt k=3, int dim=-1, *, ScalarType? dtype=None) -> Tensor",
      tags);
  library.def(
      "sparse_softmax.out(Tensor z, SymInt k=3, int dim=-1, *, ScalarType? dtype=None, "
      "Tensor(a!) out) -> Tensor(a!)",
      {at::Tag::pt2_compliant_tag});
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
  // Projects rows given only the k largest entries of each of their parts, in order of index,
  // padded with any number of -inf. Gives the same bits as projecting the full row of `length`
  // entries.
  library.def(
      "_sparse_softmax_of_candidates(Tensor candidates, SymInt k, int dim, SymInt length) -> "
      "Tensor",
      tags);
  library.def(
      "_sparse_softmax_of_candidates_backward(Tensor grad_output, Tensor output, int dim, "
      "SymInt length) -> Tensor",
      tags);
}

}  // namespace zeta::ops::sparse_softmax

namespace zeta {

at::Tensor sparse_softmax(at::Tensor const& z, int64_t k, int64_t dim,
                          std::optional<at::ScalarType> dtype) {
  return ops::sparse_softmax::forward(z, k, dim, dtype);
}

at::Tensor& sparse_softmax_out(at::Tensor& out, at::Tensor const& z, int64_t k, int64_t dim,
                               std::optional<at::ScalarType> dtype) {
  return ops::sparse_softmax::forward_out(z, k, dim, dtype, out);
}

}  // namespace zeta
