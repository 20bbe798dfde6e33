#pragma once

#include <cmath>
#include <cstdint>

#include "mappings/weighted_mean.h"
#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/stages/words.cuh"

// Computes the mean that is subtracted from a row's gradient, for mappings whose slope is 1 on the
// support. Some lanes of a warp hold the row's entries.
namespace zeta::rowwise::cuda {

namespace detail {

template <class Number>
struct Largest {
  Number value;

  __device__ void add(Largest other) { value = other.value > value ? other.value : value; }
};

struct NonFinite {
  double sum;

  __device__ void add(NonFinite other) { sum += other.sum; }
};

template <class Number>
__device__ inline bool is_finite(Number x) {
  return x - x == 0;
}

// Sums the terms of mappings::WeightedMean for products with the slope 1. For a row with infinities
// or NaN the sum may be any number, since nothing depends on it.
template <class Real>
class UnitTerms {
 public:
  using Fixed = mappings::FixedPoint<Real>;

  __device__ UnitTerms(Fixed const& fixed, double inverse_scale)
      : fixed_(fixed), inverse_scale_(inverse_scale) {}

  __device__ void add(double grad) {
    sum_.add(fixed_.from_double(is_finite(grad) ? grad * inverse_scale_ : 0));
  }
  __device__ typename Fixed::Number sum() const { return sum_; }

 private:
  Fixed const& fixed_;
  double inverse_scale_;
  typename Fixed::Number sum_;
};

// Converts a product to an integer and scales it in one fused multiply-add, with the magic-number
// bias kRoundingShift: the bits of the result count the integer. The scales are powers of two whose
// product fits double, so only the addition rounds.
template <>
class UnitTerms<float> {
 public:
  using Fixed = mappings::FixedPoint<float>;

  __device__ UnitTerms(Fixed const& fixed, double inverse_scale)
      : scale_(inverse_scale * fixed.scale()) {}

  __device__ void add(float grad) {
    double const shifted = std::fma(static_cast<double>(grad), scale_, mappings::kRoundingShift);
    sum_ +=
        mappings::detail::bits_of(shifted) - mappings::detail::bits_of(mappings::kRoundingShift);
  }
  __device__ Fixed::Number sum() const { return {static_cast<int64_t>(sum_)}; }

 private:
  double scale_;
  uint64_t sum_ = 0;
};

}  // namespace detail

// Returns the mean of mappings::WeightedMean for slopes of 1. for_each(visit) calls visit(grad) for
// the entries of this lane, and is called several times. Entries that are not in the support have a
// `grad` of 0. `count` is how many entries of this lane are in the support. All lanes of the warp
// call this.
template <class Real, class ForEach>
__device__ inline mappings::Mean<Real> row_mean(
    Lanes const& lanes, typename mappings::WeightedMean<Real>::Integers const& integers, int count,
    ForEach const& for_each) {
  using WeightedMean = mappings::WeightedMean<Real>;
  Real largest = 0;
  for_each([&](Real grad) { largest = larger_or_nan(largest, std::abs(grad)); });
  mappings::ProductScale scale;
  bool const all_finite = !lanes.any(!detail::is_finite(largest));
  if (!all_finite) {
    largest = 0;
    detail::NonFinite others = {0};
    for_each([&](Real grad) {
      if (!detail::is_finite(grad)) {
        others.sum += static_cast<double>(grad);
      } else if (std::abs(grad) > largest) {
        largest = std::abs(grad);
      }
    });
    scale.non_finite = lanes.reduce(others).sum;
  }
  scale.largest = static_cast<double>(lanes.reduce(detail::Largest<Real>{largest}).value);

  WeightedMean const mean(scale, integers);
  typename WeightedMean::Sum sum;
  detail::UnitTerms<Real> terms(integers.products, mean.inverse_scale());
  for_each([&](Real grad) { terms.add(grad); });
  sum = {terms.sum(), {integers.slopes.one() * count}};
  // The mean is then infinite or NaN, whatever the sum is.
  if (!all_finite && scale.non_finite != 0) sum = {};
  return mean.mean(lanes.reduce(sum));
}

}  // namespace zeta::rowwise::cuda
