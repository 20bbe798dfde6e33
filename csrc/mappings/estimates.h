#pragma once

#include <cmath>
#include <cstdint>

#include "mappings/host_device.h"
#include "mappings/lanes.h"

// The search for the threshold of entmax in float. It is cheap, and tells where the search of
// root_search.h should begin, which no result depends on. Numbers are floats, or floats in the
// lanes of vectors.
namespace zeta::mappings {

namespace detail {

// Returns the logarithm to base 2 of a positive normal number, off by 2^-18 at most. The
// coefficients here and below are those with the least maximum of the error.
template <class Floats>
ZETA_HOST_DEVICE Floats estimated_logarithm(Floats const& x) {
  using Integers = mappings::LanesLike<int32_t, Floats>;
  constexpr int32_t kBitsOfLeastMantissa = 0x3f3504f3;  // of the square root of 1/2
  auto const n = (reinterpret_cast<Integers>(x) - kBitsOfLeastMantissa) >> 23;
  Floats const f = reinterpret_cast<Floats>(reinterpret_cast<Integers>(x) - (n << 23)) - 1.0F;
  Floats const f2 = f * f;
  Floats const curve = (1.44271348F - 0.72113186F * f) +
                       ((0.47934801F - 0.36749F * f) + (0.32215492F - 0.20659182F * f) * f2) * f2;
  return __builtin_convertvector(n, Floats) + f * curve;
}

// Returns 2^x for x < 127, off by a factor of 1 + 2^-18 at most, and 2^-126 for x < -126.
template <class Floats>
ZETA_HOST_DEVICE Floats estimated_power_of_two(Floats const& x) {
  using Bits = mappings::LanesLike<uint32_t, Floats>;
  Floats const exponent = x > -126.0F ? x : Floats{} - 126.0F;
  Floats const shifted = exponent + 0x1.8p23F;  // its last bits hold the nearest integer
  Floats const f = exponent - (shifted - 0x1.8p23F);
  Floats const f2 = f * f;
  Floats const power =
      (0.99999926F + 0.69312181F * f) + ((0.24024745F + 0.05591786F * f) + 0.0095701F * f2) * f2;
  return reinterpret_cast<Floats>(reinterpret_cast<Bits>(power) +
                                  (reinterpret_cast<Bits>(shifted) << 23));
}

}  // namespace detail

// Returns x^exponent for a positive normal x, if that is below 2^127.
template <class Floats>
ZETA_HOST_DEVICE Floats estimated_power(Floats const& x, float exponent) {
  return detail::estimated_power_of_two<Floats>(exponent * detail::estimated_logarithm(x));
}

// Does the same for one number, by the instructions that a GPU has for it.
ZETA_HOST_DEVICE float estimated_power(float x, float exponent) {
#ifdef __CUDA_ARCH__
  return exp2f(exponent * __log2f(x));
#else
  return std::exp2(exponent * std::log2(x));
#endif
}

// An upper limit for how far the estimates of c may be off, besides what sums of more than a few
// floats add.
inline constexpr float kEstimateError = 0x1p-14F;

// After a step of no more than this part of c, Newton's method is about as near as floats allow.
inline constexpr float kLastStep = 0x1p-11F;

// Far above the root, Newton's method looks for where the b-th power of the sum of weights is 1.
// That is a norm of the numbers whose powers the weights are. It is convex in c, as the sum is, so
// no step from either side ends below the root; and it is nearer to a straight line, which makes
// steps few. Elsewhere the sum does as well.
template <class Floats>
ZETA_HOST_DEVICE constexpr auto is_far_above_root(Floats const& weights) {
  return weights > 1.1F;
}

// The two functions below return the next c, given sums of weights and slopes at c.
template <class Floats>
ZETA_HOST_DEVICE Floats next_estimate_by_sum(Floats const& c, Floats const& weights,
                                             Floats const& slopes, float b) {
  Floats const next = c - (weights - 1.0F) * b / slopes;
  return next < 1.0F ? next : Floats{} + 1.0F;  // also where no term was above the threshold
}

template <class Floats>
ZETA_HOST_DEVICE Floats next_estimate(Floats const& c, Floats const& weights, Floats const& slopes,
                                      float b) {
  Floats const by_norm = c - (weights - estimated_power(weights, 1 - b)) / slopes;
  Floats const by_sum = next_estimate_by_sum(c, weights, slopes, b);
  return is_far_above_root(weights) ? by_norm : by_sum;
}

}  // namespace zeta::mappings
