#pragma once

#include <cstdint>

#include "mappings/host_device.h"

// Numbers of rows of float16 or bfloat16 in float, for several rows at once: each lane of a vector
// is of a row of its own. Comparisons of vectors are 0 or -1.
//
// A logit of so few digits is a multiple of the unit, 2^-24, unless it is a bfloat16 that is not 0
// and smaller in magnitude than kLeastBFloat16. Float holds differences of such multiples exactly
// up to 1, and larger ones never as less than 1.
namespace zeta::mappings {

struct ShortTerms {
  static constexpr float kUnit = 0x1p-24F;
  static constexpr int32_t kOne = 1 << 24;
  static constexpr float kLeastBFloat16 = 0x1p-17F;

  // A support that ends above this has no smaller one, however their terms were rounded.
  static constexpr float kReachOfFine = 2 * kLeastBFloat16;

  // With so many of them in a support its weights are exact, as sum_rounded_to_odd() says.
  static constexpr int kMost = 128;

  // Differences of [-1, 0] in units. Lower ones, of which convertvector might make anything, become
  // an integer below -kOne.
  template <class Integers, class Floats>
  ZETA_HOST_DEVICE static constexpr Integers integers(Floats const& differences) {
    Floats const units = differences * static_cast<float>(kOne);
    Floats const lowest = Floats{} - static_cast<float>(kOne + 2);
    return __builtin_convertvector(units > lowest ? units : lowest, Integers);
  }
};

// A quotient is the sum of a multiple of the unit and of less than one, which is rounded.
template <class Floats>
struct ShortQuotients {
  Floats high;
  Floats low;

  // Of multiples of the unit in [0, 1] by integers from 2 to kMost, or of 1 by 1.
  ZETA_HOST_DEVICE static constexpr ShortQuotients of(Floats const& dividends,
                                                      Floats const& divisors) {
    Floats const quotient = dividends / divisors;
    // Floats from 0.5 to 1 are multiples of the unit.
    Floats const nearest = (quotient + 0.5F) - 0.5F;
    // The float quotient is off by less than 1 / divisor units, so this is the floor of the exact
    // one, and its product with the divisor is no more than the dividend, thus exact.
    Floats const high = nearest > quotient ? nearest - ShortTerms::kUnit : nearest;
    return {high, (dividends - high * divisors) / divisors};
  }
};

// The bits of exact + low, where `exact` is a multiple of the unit in [0, 1] and `low` is less than
// one in magnitude: if that sum, which must be above 0, is not a float, it becomes the next float
// to 0 with a last bit of 1 (round to odd). Rounded again, to a half type, that is what rounding
// the sum once gives.
//
// It is also what rounding w gives, the sum with the exact quotient by kappa in place of `low`,
// which is rounded by 2^-25 units at most: no midpoint m between two numbers of the half type lies
// between the two. In units, w is an integer divided by kappa. For float16, whose smallest numbers
// are multiples of the unit, m is a multiple of 1/2, so that w is m or differs by 1 / (2 kappa).
// For bfloat16 and 2^e <= w < 2^(e+1), m is a multiple of 2^(e-8). From 1 on (e >= 8) they are
// equal or differ by 1 / kappa; else by 2^(e-8) / kappa, which is above 1 / (512 kappa^2), since w
// is at least 1 / kappa. For kappa up to 128 that is 2^-23. If w is m, it has so few digits that
// `low` is not rounded.
template <class Integers, class Floats>
ZETA_HOST_DEVICE constexpr Integers sum_rounded_to_odd(Floats const& exact, Floats const& low) {
  Floats const sum = exact + low;
  // `exact` is 0 or larger than `low`, so this is not rounded (Dekker 1971).
  Floats const error = (exact - sum) + low;
  Integers const bits = reinterpret_cast<Integers>(sum);
  Integers const towards_zero = error < 0 ? bits - 1 : bits;
  return error != 0 ? towards_zero | 1 : towards_zero;
}

}  // namespace zeta::mappings
