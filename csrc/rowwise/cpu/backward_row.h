#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "mappings/weighted_mean.h"
#include "rowwise/cpu/vector.h"
#include "rowwise/float16.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Maps the gradient of one row of weights to that of its logits. The rows are contiguous, and the
// result overlaps neither of the others.
template <template <class> class MappingOf, class Scalar>
void backward_row(Scalar const* grad_weights, Scalar const* weights, Scalar* grad_logits,
                  int64_t length) {
  using Real = widened_t<Scalar>;
  auto for_each_in_support = [&](auto&& visit) {
    for (int64_t column = 0; column < length; ++column) {
      double const slope = MappingOf<Real>::slope(widen(weights[column]));
      if (slope != 0) visit(column, slope, static_cast<double>(widen(grad_weights[column])));
    }
  };

  mappings::ProductScale scale;
  for_each_in_support([&](int64_t, double slope, double grad) { scale.add(slope, slope * grad); });
  if (scale.nan_slope) {
    auto const not_a_number = narrow<Scalar>(std::numeric_limits<double>::quiet_NaN());
    std::fill_n(grad_logits, length, not_a_number);
    return;
  }

  mappings::WeightedMean<Real> const weighted_mean(scale, length);
  typename mappings::WeightedMean<Real>::Sum sum;
  for_each_in_support([&](int64_t, double slope, double grad) {
    sum.add(weighted_mean.term(slope, slope * grad));
  });
  auto const mean = weighted_mean.mean(sum);

  std::fill_n(grad_logits, length, Scalar{});
  for_each_in_support([&](int64_t column, double slope, double grad) {
    grad_logits[column] = narrow<Scalar>(slope * mean.subtracted_from(grad));
  });
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
