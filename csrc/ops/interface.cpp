// The functions of the installed header.
#include <zeta/ops.h>

#include "ops/member_operator.h"

namespace zeta {

namespace {

using SparseSoftmax = ops::MemberCalls<ops::members::SparseSoftmax>;

}  // namespace

at::Tensor sparse_softmax(at::Tensor const& z, int64_t k, int64_t dim,
                          std::optional<at::ScalarType> dtype) {
  return SparseSoftmax::forward(z, k, dim, dtype);
}

at::Tensor& sparse_softmax_out(at::Tensor& out, at::Tensor const& z, int64_t k, int64_t dim,
                               std::optional<at::ScalarType> dtype) {
  return SparseSoftmax::forward_out(z, k, dim, dtype, out);
}

}  // namespace zeta
