#include "ops/family.h"

#include <utility>

#include "ops/member_operator.h"

namespace zeta::ops::family {

at::Tensor backward(at::Tensor const& grad_output, at::Tensor const& output, double alpha,
                    int64_t dim, at::ScalarType input_dtype,
                    std::optional<c10::SymInt> const& length) {
  using Signature = at::Tensor(at::Tensor const&, at::Tensor const&, double, int64_t,
                               at::ScalarType, std::optional<c10::SymInt>);
  static auto const handle = find_operator<Signature>(kBackwardName);
  return handle.call(grad_output, output, alpha, dim, input_dtype, length);
}

std::tuple<at::Tensor, at::Tensor> forward_with_support(at::Tensor const& z, double alpha,
                                                        c10::SymInt k, int64_t dim,
                                                        std::optional<at::Tensor> const& mask,
                                                        std::optional<at::ScalarType> dtype) {
  static auto const handle = find_operator<decltype(forward_with_support)>(kWithSupportName);
  return handle.call(z, alpha, std::move(k), dim, mask, dtype);
}

at::Tensor support_backward(at::Tensor const& grad_output, at::Tensor const& support,
                            std::optional<at::Tensor> const& output, double alpha, int64_t dim,
                            at::ScalarType input_dtype) {
  static auto const handle = find_operator<decltype(support_backward)>(kSupportBackwardName);
  return handle.call(grad_output, support, output, alpha, dim, input_dtype);
}

at::Tensor of_candidates(at::Tensor const& candidates, double alpha, c10::SymInt k, int64_t dim,
                         c10::SymInt length) {
  using Signature = at::Tensor(at::Tensor const&, double, c10::SymInt, int64_t, c10::SymInt);
  static auto const handle = find_operator<Signature>(kOfCandidatesName);
  return handle.call(candidates, alpha, std::move(k), dim, std::move(length));
}

at::Tensor forward_of_alphas(at::Tensor const& z, at::Tensor const& alpha,
                             std::optional<c10::SymInt> k, int64_t dim,
                             std::optional<at::Tensor> const& mask,
                             std::optional<at::ScalarType> dtype) {
  static auto const handle =
      find_operator<decltype(forward_of_alphas)>(members::Entmax::kName, "tensor_alpha");
  return handle.call(z, alpha, std::move(k), dim, mask, dtype);
}

at::Tensor& forward_of_alphas_out(at::Tensor const& z, at::Tensor const& alpha,
                                  std::optional<c10::SymInt> k, int64_t dim,
                                  std::optional<at::Tensor> const& mask,
                                  std::optional<at::ScalarType> dtype, at::Tensor& out) {
  static auto const handle =
      find_operator<decltype(forward_of_alphas_out)>(members::Entmax::kName, "tensor_alpha_out");
  return handle.call(z, alpha, std::move(k), dim, mask, dtype, out);
}

std::tuple<at::Tensor, at::Tensor> compact_of_alphas(at::Tensor const& z, at::Tensor const& alpha,
                                                     std::optional<c10::SymInt> k, int64_t dim,
                                                     std::optional<at::Tensor> const& mask,
                                                     std::optional<at::ScalarType> dtype) {
  static auto const handle =
      find_operator<decltype(compact_of_alphas)>(members::Entmax::kName, "tensor_alpha_compact");
  return handle.call(z, alpha, std::move(k), dim, mask, dtype);
}

at::Tensor of_candidates(at::Tensor const& candidates, at::Tensor const& alpha, c10::SymInt k,
                         int64_t dim, c10::SymInt length) {
  using Signature =
      at::Tensor(at::Tensor const&, at::Tensor const&, c10::SymInt, int64_t, c10::SymInt);
  static auto const handle = find_operator<Signature>(kOfCandidatesName, "tensor_alpha");
  return handle.call(candidates, alpha, std::move(k), dim, std::move(length));
}

at::Tensor largest(at::Tensor const& z, c10::SymInt k, int64_t dim,
                   std::optional<at::Tensor> const& mask) {
  static auto const handle = find_operator<decltype(largest)>(kLargestName);
  return handle.call(z, std::move(k), dim, mask);
}

}  // namespace zeta::ops::family
