#pragma once

#include "mappings/elementary.h"
#include "mappings/fixed_point.h"
#include "mappings/host_device.h"

namespace zeta::mappings {

namespace detail {

// Returns (e^r - 1 - r - r^2 / 2) / r^3 for |r| <= ln(2) / 2, given r and its square. The
// coefficients are those with the least maximum of the error relative to e^r, 2^-63.9 (Remez,
// 1934). The order of Estrin (1960) has fewer dependent steps than that of Horner.
template <class Doubles>
ZETA_HOST_DEVICE Doubles exponential_beyond_square(Doubles const& r, Doubles const& r2) {
  Doubles const r4 = r2 * r2;
  Doubles const from_0 = (0x1.555555555555ap-3 + 0x1.5555555555531p-5 * r) +
                         (0x1.111111110efc3p-7 + 0x1.6c16c16c26fe6p-10 * r) * r2;
  Doubles const from_4 = (0x1.a01a01b26902ap-13 + 0x1.a01a01527ce19p-16 * r) +
                         (0x1.71ddf2707b250p-19 + 0x1.27e58cefbeeb2p-22 * r) * r2;
  Doubles const from_8 = 0x1.af68603d56024p-26 + 0x1.1e67164ae8551p-29 * r;
  return (from_0 + from_4 * r4) + from_8 * (r4 * r4);
}

}  // namespace detail

// Returns e^x for x <= 0, and 0 where that is below 2^-1022. The error is below 0.7 units in the
// last place. No result is above 1, that of 0 is 1, and a larger x never has a smaller result: what
// is rounded off before the last addition is less than half of what neighbours differ by.
template <class Doubles>
ZETA_HOST_DEVICE Doubles exponential(Doubles const& x) {
  constexpr double kInverseLogarithmOfTwo = 0x1.71547652b82fep+0;
  constexpr double kLeastArgument = -0x1.6232bdd7abcd2p+9;  // just above ln(2^-1022)

  // x is n ln(2) + r with an integer n (Cody and Waite, Software Manual for the Elementary
  // Functions, 1980), which the last bits of `shifted` hold. `high` is exact.
  Doubles const shifted = x * kInverseLogarithmOfTwo + kRoundingShift;
  Doubles const n = shifted - kRoundingShift;
  Doubles const high = x - n * detail::kLogarithmOfTwoHigh;
  Doubles const low = n * detail::kLogarithmOfTwoLow;
  Doubles const r = high - low;

  // Dekker's fast two-sum (1971): sum + rest is 1 + high exactly.
  Doubles const sum = 1.0 + high;
  Doubles const rest = (1.0 - sum) + high;
  Doubles const r2 = r * r;
  Doubles const curve = r2 * (0.5 + r * detail::exponential_beyond_square(r, r2));
  Doubles const power = sum + (curve + (rest - low));

  // n, added to the bits of the exponent, multiplies by 2^n.
  Doubles const scaled = detail::lanes_of_bits<Doubles>(
      detail::bits_of_lanes(power) + (detail::bits_of_lanes(shifted) << detail::kFractionBits));
  return x < kLeastArgument ? Doubles{} : scaled;
}

}  // namespace zeta::mappings
