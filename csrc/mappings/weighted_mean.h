#pragma once

#include <cmath>
#include <cstdint>

#include "mappings/fixed_point.h"
#include "mappings/host_device.h"

// The gradient of every mapping is slope * (g - mean), with mean = sum(slope * g) / sum(slope).
// The products are rounded to integers relative to the largest product, the slopes to multiples of
// a unit: sums of integers have no order.
namespace zeta::mappings {

namespace detail {

// Returns the same as mappings::power_of_two(), but makes a normal number from its bits.
ZETA_HOST_DEVICE double power_of_two(int exponent) {
  int const biased = exponent + kExponentBias;
  if (biased <= 0) return mappings::power_of_two(exponent);
  return double_of_bits(static_cast<uint64_t>(biased) << kFractionBits);
}

}  // namespace detail

template <class Real>
struct Mean;

template <>
struct Mean<float> {
  double value = 0;

  ZETA_HOST_DEVICE double subtracted_from(double g) const { return g - value; }
};

template <>
struct Mean<double> {
  double high = 0;
  double low = 0;

  ZETA_HOST_DEVICE double subtracted_from(double g) const {
    double const difference = g - high;
    if (!(difference - difference == 0)) return difference;  // infinite or NaN
    double const high_part = difference - g;
    double const error = (g - (difference - high_part)) - (high + high_part);
    return difference + (error - low);
  }
};

// A first pass over the row finds the scale of the products.
struct ProductScale {
  double largest = 0;      // the largest magnitude of a finite product
  double non_finite = 0;   // sum of the infinite and NaN ones
  bool nan_slope = false;  // the row's weights are NaN, and so is its gradient

  ZETA_HOST_DEVICE constexpr void add(double slope, double product) {
    if (slope != slope) nan_slope = true;
    if (product - product != 0) {
      non_finite += product;
    } else {
      double const magnitude = product < 0 ? -product : product;
      if (magnitude > largest) largest = magnitude;
    }
  }
  ZETA_HOST_DEVICE constexpr void add(ProductScale const& other) {
    if (other.largest > largest) largest = other.largest;
    non_finite += other.non_finite;
    nan_slope = nan_slope || other.nan_slope;
  }
};

template <class Real>
class WeightedMean {
 public:
  using Fixed = FixedPoint<Real>;
  using Product = typename Fixed::Number;
  using Slope = typename FixedPoint<float>::Number;

  struct Sum {
    Product products;
    Slope slopes;

    ZETA_HOST_DEVICE constexpr void add(Sum const& other) {
      products.add(other.products);
      slopes.add(other.slopes);
    }
  };

  // What the integers of all rows of one length have in common.
  struct Integers {
    ZETA_HOST_DEVICE explicit Integers(int64_t length)
        : products(length), slopes(length), slope_bits(fraction_bits(length)) {}

    Fixed products;
    FixedPoint<float> slopes;
    int slope_bits;
  };

  ZETA_HOST_DEVICE WeightedMean(ProductScale const& scale, int64_t length)
      : WeightedMean(scale, Integers(length)) {}

  // `integers` can be made once for all rows of one length.
  ZETA_HOST_DEVICE WeightedMean(ProductScale const& scale, Integers const& integers)
      : integers_(integers),
        exponent_(exponent_above(scale.largest)),
        inverse_scale_(detail::power_of_two(-exponent_)),
        non_finite_(scale.non_finite) {}

  ZETA_HOST_DEVICE Sum term(double slope, double product) const {
    return term(integers_, inverse_scale_, slope, product);
  }

  // Does the same for callers that keep the scales of several rows apart from what the rows share.
  ZETA_HOST_DEVICE static Sum term(Integers const& integers, double inverse_scale, double slope,
                                   double product) {
    // No integer stands for infinity or NaN.
    bool const finite = product - product == 0;
    return {integers.products.from_double(finite ? product * inverse_scale : 0),
            integers.slopes.from_double(slope == slope ? slope : 0)};
  }

  ZETA_HOST_DEVICE double inverse_scale() const { return inverse_scale_; }

  // A sum over no entry at all has the mean 0.
  ZETA_HOST_DEVICE Mean<Real> mean(Sum const& sum) const;

 private:
  // Returns the e with 2^(e-1) <= x < 2^e for x > 0, and 0 for x = 0. It is never so low that 2^-e
  // would be infinite.
  ZETA_HOST_DEVICE static int exponent_above(double x) {
    int const biased = static_cast<int>(detail::bits_of(x) >> detail::kFractionBits);
    int const exponent = x == 0 ? 0 : biased - (detail::kExponentBias - 1);
    return exponent < -kLargestExponent ? -kLargestExponent : exponent;
  }

  static constexpr int kLargestExponent = 1000;

  Integers integers_;
  int exponent_;
  double inverse_scale_;
  double non_finite_;
};

template <>
ZETA_HOST_DEVICE Mean<float> WeightedMean<float>::mean(Sum const& sum) const {
  if (non_finite_ != 0) return {non_finite_};
  if (sum.slopes.value == 0) return {0};
  double const products = static_cast<double>(sum.products.value);
  double const slopes = static_cast<double>(sum.slopes.value);
  return {products / slopes * detail::power_of_two(exponent_)};
}

template <>
ZETA_HOST_DEVICE Mean<double> WeightedMean<double>::mean(Sum const& sum) const {
  if (non_finite_ != 0) return {non_finite_, 0};
  if (sum.slopes.value == 0) return {0, 0};
  // This is a long division, with dividend and divisor as pairs of doubles.
  int128 const dividend = integers_.products.integer(sum.products);
  auto const dividend_high = static_cast<double>(dividend);
  auto const dividend_low = static_cast<double>(dividend - static_cast<int128>(dividend_high));
  auto const divisor_high = static_cast<double>(sum.slopes.value);
  auto const divisor_low =
      static_cast<double>(sum.slopes.value - static_cast<int64_t>(divisor_high));
  double const high = dividend_high / divisor_high;
  double const remainder = std::fma(-high, divisor_high, dividend_high);
  double const low = (remainder + (dividend_low - high * divisor_low)) / divisor_high;
  double const unit = detail::power_of_two(exponent_ - integers_.slope_bits);
  return {high * unit, low * unit};
}

}  // namespace zeta::mappings
