#include "ops/family.h"

#include <utility>

#include "ops/member_operator.h"

namespace zeta::ops::family {

at::Tensor backward(at::Tensor const& grad_output, at::Tensor const& output, double alpha,
                    int64_t dim, at::ScalarType input_dtype) {
  static auto const handle = find_operator<decltype(backward)>(kBackwardName);
  return handle.call(grad_output, output, alpha, dim, input_dtype);
}

std::tuple<at::Tensor, at::Tensor> forward_with_support(at::Tensor const& z, double alpha,
                                                        c10::SymInt k, int64_t dim,
                                                        std::optional<at::ScalarType> dtype) {
  static auto const handle = find_operator<decltype(forward_with_support)>(kWithSupportName);
  return handle.call(z, alpha, std::move(k), dim, dtype);
}

at::Tensor support_backward(at::Tensor const& grad_output, at::Tensor const& support, double alpha,
                            int64_t dim, at::ScalarType input_dtype) {
  static auto const handle = find_operator<decltype(support_backward)>(kSupportBackwardName);
  return handle.call(grad_output, support, alpha, dim, input_dtype);
}

}  // namespace zeta::ops::family
