#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "ops/autograd/slopes.h"

namespace zeta::ops {

// The derivatives of entmax with an alpha for each row, given its output p. With b = alpha - 1 and
// slopes s = p^(1 - b) on the support, they are
//
//   by z:      t -> s (t - sum(s t) / sum(s)),
//   by alpha:  (p - q) / b^2 - (p log p - q sum(p log p)) / b   with  q = s / sum(s),
//
// and for alpha = 1 the latter's limit, p (sum(p log(p)^2) - log(p)^2) / 2. (Correia, Niculae,
// Martins, "Adaptively sparse transformers", EMNLP 2019.) All of it is made of PyTorch's own
// operators, in double, and so can be differentiated again, but that the limit at 1 does not change
// with alpha.
class DerivativesOfAlphas {
 public:
  DerivativesOfAlphas(at::Tensor const& output, at::Tensor const& alpha, int64_t dim);

  // What a change of z makes of the output; the same for the gradient that arrives, since the
  // Jacobian is symmetric.
  at::Tensor by_z(at::Tensor const& tensor) const;

  // What a unit of alpha makes of the output.
  at::Tensor by_alpha() const;

 private:
  at::Tensor b_;
  Slopes slopes_;
};

// Sets gradients and tangents of the output.
void set_derivatives_of_alphas(at::Tensor const& output, at::Tensor const& z,
                               at::Tensor const& alpha, int64_t dim);

}  // namespace zeta::ops
