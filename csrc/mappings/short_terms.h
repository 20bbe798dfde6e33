#pragma once

#include <cstdint>

#include "mappings/host_device.h"

// Computes terms and weights of float16 or bfloat16 rows in float, for several rows at once: each
// lane of a vector belongs to a row of its own. A comparison of vectors gives 0 or -1 in each lane.
//
// A logit of these types is a multiple of the unit, 2^-24, unless it is a bfloat16 that is not 0
// and smaller in magnitude than kLeastBFloat16. The difference of two such multiples is exact in
// float if it is at most 1. A larger difference may be rounded, but never to less than 1.
namespace zeta::mappings {

struct ShortTerms {
  static constexpr float kUnit = 0x1p-24F;
  static constexpr int32_t kOne = 1 << 24;
  static constexpr float kLeastBFloat16 = 0x1p-17F;

  // If no entry of a support was found to be below this, the support holds no bfloat16 that is
  // smaller in magnitude than kLeastBFloat16, however the terms of such numbers were rounded.
  static constexpr float kReachOfFine = 2 * kLeastBFloat16;

  // The largest support for which sum_rounded_to_odd() is known to give the right weights.
  static constexpr int kMost = 128;

  // Converts differences in [-1, 0] to integers in units. Lower differences become an integer below
  // -kOne: convertvector is undefined for numbers that are out of the range of integers.
  template <class Integers, class Floats>
  ZETA_HOST_DEVICE static constexpr Integers integers(Floats const& differences) {
    Floats const units = differences * static_cast<float>(kOne);
    Floats const lowest = Floats{} - static_cast<float>(kOne + 2);
    return __builtin_convertvector(units > lowest ? units : lowest, Integers);
  }
};

// Holds a quotient as the sum of `high`, a multiple of the unit, and `low`, which is less than a
// unit and is rounded.
template <class Floats>
struct ShortQuotients {
  Floats high;
  Floats low;

  // Divides multiples of the unit in [0, 1] by integers from 2 to kMost, or 1 by 1.
  ZETA_HOST_DEVICE static constexpr ShortQuotients of(Floats const& dividends,
                                                      Floats const& divisors) {
    Floats const quotient = dividends / divisors;
    // Floats from 0.5 to 1 are multiples of the unit, so the sum is rounded to one.
    Floats const nearest = (quotient + 0.5F) - 0.5F;
    // The float quotient is off by less than 1 / divisor units, so `high` is the floor of the exact
    // quotient. Its product with the divisor does not exceed the dividend, so it is exact.
    Floats const high = nearest > quotient ? nearest - ShortTerms::kUnit : nearest;
    return {high, (dividends - high * divisors) / divisors};
  }
};

// Returns the bits of exact + low rounded to odd: a sum that is no float becomes the next float
// towards 0, with its last bit set to 1. `exact` is a multiple of the unit in [0, 1], `low` is less
// than a unit in magnitude, and their sum is above 0. Rounding the result again, to a half type,
// gives what rounding the sum once gives.
//
// It also gives what rounding the exact weight w gives. The sum differs from w only since `low` was
// rounded, by 2^-25 units at most, and no midpoint m between two numbers of the half type lies
// between w and the sum:
// - In units, w is an integer divided by kappa, the size of the support.
// - For float16, whose smallest numbers are multiples of the unit, m is a multiple of 1/2. So w is
//   m or differs from it by at least 1 / (2 kappa).
// - For bfloat16 and 2^e <= w < 2^(e+1), m is a multiple of 2^(e-8). If e >= 8, m is an integer, so
//   w is m or differs from it by at least 1 / kappa. If e < 8, w is m or differs from it by at
//   least 2^(e-8) / kappa. That is above 1 / (512 kappa^2), since w is at least 1 / kappa, and no
//   less than 2^-23 for kappa up to 128.
// - If w is m, it has so few digits that `low` is not rounded.
template <class Integers, class Floats>
ZETA_HOST_DEVICE constexpr Integers sum_rounded_to_odd(Floats const& exact, Floats const& low) {
  Floats const sum = exact + low;
  // `exact` is 0 or larger than `low`, so the error is exact (Dekker 1971).
  Floats const error = (exact - sum) + low;
  Integers const bits = reinterpret_cast<Integers>(sum);
  Integers const towards_zero = error < 0 ? bits - 1 : bits;
  return error != 0 ? towards_zero | 1 : towards_zero;
}

}  // namespace zeta::mappings
