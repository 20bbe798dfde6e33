// The functions of the installed header.
#include <zeta/ops.h>

#include "ops/family.h"
#include "ops/member_operator.h"

namespace zeta {

namespace {

using at::ScalarType;
using at::Tensor;
using std::optional;

using SparseSoftmax = ops::MemberCalls<ops::members::SparseSoftmax>;
using TopKSoftmax = ops::MemberCalls<ops::members::TopKSoftmax>;
using Entmax = ops::MemberCalls<ops::members::Entmax>;

optional<c10::SymInt> limit(optional<int64_t> k) {
  return k.has_value() ? optional<c10::SymInt>(*k) : std::nullopt;
}

}  // namespace

Tensor sparse_softmax(Tensor const& z, int64_t k, int64_t dim, optional<ScalarType> dtype,
                      optional<Tensor> const& mask) {
  return SparseSoftmax::forward(z, k, dim, mask, dtype);
}
Tensor& sparse_softmax_out(Tensor& out, Tensor const& z, int64_t k, int64_t dim,
                           optional<ScalarType> dtype, optional<Tensor> const& mask) {
  return SparseSoftmax::forward_out(z, k, dim, mask, dtype, out);
}
std::tuple<Tensor, Tensor> sparse_softmax_compact(Tensor const& z, int64_t k, int64_t dim,
                                                  optional<ScalarType> dtype,
                                                  optional<Tensor> const& mask) {
  return SparseSoftmax::compact(z, k, dim, mask, dtype);
}

Tensor topk_softmax(Tensor const& z, int64_t k, int64_t dim, optional<ScalarType> dtype,
                    optional<Tensor> const& mask) {
  return TopKSoftmax::forward(z, k, dim, mask, dtype);
}
Tensor& topk_softmax_out(Tensor& out, Tensor const& z, int64_t k, int64_t dim,
                         optional<ScalarType> dtype, optional<Tensor> const& mask) {
  return TopKSoftmax::forward_out(z, k, dim, mask, dtype, out);
}
std::tuple<Tensor, Tensor> topk_softmax_compact(Tensor const& z, int64_t k, int64_t dim,
                                                optional<ScalarType> dtype,
                                                optional<Tensor> const& mask) {
  return TopKSoftmax::compact(z, k, dim, mask, dtype);
}

Tensor entmax(Tensor const& z, double alpha, optional<int64_t> k, int64_t dim,
              optional<ScalarType> dtype, optional<Tensor> const& mask) {
  return Entmax::forward(z, alpha, limit(k), dim, mask, dtype);
}
Tensor& entmax_out(Tensor& out, Tensor const& z, double alpha, optional<int64_t> k, int64_t dim,
                   optional<ScalarType> dtype, optional<Tensor> const& mask) {
  return Entmax::forward_out(z, alpha, limit(k), dim, mask, dtype, out);
}
std::tuple<Tensor, Tensor> entmax_compact(Tensor const& z, double alpha, optional<int64_t> k,
                                          int64_t dim, optional<ScalarType> dtype,
                                          optional<Tensor> const& mask) {
  return Entmax::compact(z, alpha, limit(k), dim, mask, dtype);
}

Tensor entmax(Tensor const& z, Tensor const& alpha, optional<int64_t> k, int64_t dim,
              optional<ScalarType> dtype, optional<Tensor> const& mask) {
  return ops::family::forward_of_alphas(z, alpha, limit(k), dim, mask, dtype);
}
Tensor& entmax_out(Tensor& out, Tensor const& z, Tensor const& alpha, optional<int64_t> k,
                   int64_t dim, optional<ScalarType> dtype, optional<Tensor> const& mask) {
  return ops::family::forward_of_alphas_out(z, alpha, limit(k), dim, mask, dtype, out);
}
std::tuple<Tensor, Tensor> entmax_compact(Tensor const& z, Tensor const& alpha, optional<int64_t> k,
                                          int64_t dim, optional<ScalarType> dtype,
                                          optional<Tensor> const& mask) {
  return ops::family::compact_of_alphas(z, alpha, limit(k), dim, mask, dtype);
}

}  // namespace zeta
