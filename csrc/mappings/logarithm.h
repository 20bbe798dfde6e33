#pragma once

#include <cstdint>

#include "mappings/elementary.h"
#include "mappings/fixed_point.h"
#include "mappings/host_device.h"

// Errors are below 0.7 units in the last place. A larger number never has a smaller logarithm: what
// is rounded off before the last addition is less than half of what neighbours differ by.
namespace zeta::mappings {

namespace detail {

// A positive double is 2^n m, with an integer n and m in [kLeastMantissa, 2 kLeastMantissa). The
// square of f = m - 1 is at most 1/8, so that half of it is rounded by 2^-58 at most.
inline constexpr double kLeastMantissa = 0x1.5a8p-1;

template <class Doubles>
struct Exponent {
  // Takes a normal number. Its bits, less those of the least mantissa, have n in the place of the
  // exponent, and the bias is added to keep that positive.
  ZETA_HOST_DEVICE explicit Exponent(Doubles const& x)
      : moved(bits_of_lanes(x) + (bits_of(1.0) - bits_of(kLeastMantissa))) {}

  ZETA_HOST_DEVICE Doubles n() const {
    auto const biased = lanes_of_bits<Doubles>((moved >> kFractionBits) | bits_of(kRoundingShift));
    return biased - (kRoundingShift + kExponentBias);
  }
  ZETA_HOST_DEVICE Doubles mantissa() const {
    return lanes_of_bits<Doubles>((moved & kFraction) + bits_of(kLeastMantissa));
  }
  // 2^-n
  ZETA_HOST_DEVICE Doubles inverse_power() const {
    return lanes_of_bits<Doubles>(2 * bits_of(1.0) - (moved & ~kFraction));
  }

  static constexpr uint64_t kFraction = (uint64_t{1} << kFractionBits) - 1;

  Bits<Doubles> moved;
};

// Returns ln((1 + s) / (1 - s)) / s - 2, given the square of s. The coefficients are those with the
// least maximum of the error, 2^-62.7, in the order of Estrin, as in exponential.h.
template <class Doubles>
ZETA_HOST_DEVICE Doubles logarithm_beyond_linear(Doubles const& s2) {
  Doubles const s4 = s2 * s2;
  Doubles const from_0 = (0x1.5555555555552p-1 + 0x1.999999999b0d4p-2 * s2) +
                         (0x1.24924922e35c3p-2 + 0x1.c71c73a9ee3fcp-3 * s2) * s4;
  Doubles const from_4 = (0x1.745c81de47c2ap-3 + 0x1.3b2e8e77c77a9p-3 * s2) +
                         (0x1.0e47e9344a101p-3 + 0x1.181f2160eed75p-3 * s2) * s4;
  return s2 * (from_0 + from_4 * (s4 * s4));
}

// Returns n ln(2) + ln(1 + f) for m = 1 + f. With s = f / (2 + f) the second logarithm is
// f - f^2 / 2 + s (f^2 / 2 + logarithm_beyond_linear(s^2)) (Ng, FDLIBM, 1993).
template <class Doubles>
ZETA_HOST_DEVICE Doubles logarithm_of_parts(Doubles const& n, Doubles const& f) {
  Doubles const s = f / (2.0 + f);
  Doubles const square = 0.5 * f * f;
  Doubles const rest = s * (square + logarithm_beyond_linear(s * s)) + n * kLogarithmOfTwoLow;

  // Dekker's fast two-sums (1971) keep what the sums of the larger terms round off.
  Doubles const power = n * kLogarithmOfTwoHigh;
  Doubles const linear = power + f;
  Doubles const below_linear = (power - linear) + f;
  Doubles const sum = linear - square;
  Doubles const below_sum = (linear - sum) - square;
  return sum + ((below_linear + below_sum) + rest);
}

}  // namespace detail

// Returns ln(x) for 2^-1074 <= x <= 1, which for 1 is 0.
template <class Doubles>
ZETA_HOST_DEVICE Doubles logarithm(Doubles const& x) {
  constexpr double kShift = 54;  // makes any subnormal number normal
  auto const is_subnormal = x < detail::kLeastNormal;
  Doubles const normal = is_subnormal ? x * 0x1p54 : x;
  Doubles const shift = is_subnormal ? Doubles{} + kShift : Doubles{};
  detail::Exponent<Doubles> const exponent(normal);
  return detail::logarithm_of_parts<Doubles>(exponent.n() - shift, exponent.mantissa() - 1.0);
}

// Returns ln(1 - x) for 0 <= x < 1, which for 0 is 0, and any value for other x.
template <class Doubles>
ZETA_HOST_DEVICE Doubles logarithm_of_one_minus(Doubles const& x) {
  // 1 - x is rounded, but serves only to choose n. Then f = 2^-n (1 - x) - 1 is exact: for n = 0 it
  // is -x, and elsewhere x is above 1/4 and f takes no more bits than a double has.
  detail::Exponent<Doubles> const exponent(1.0 - x);
  Doubles const scale = exponent.inverse_power();
  return detail::logarithm_of_parts<Doubles>(exponent.n(), (scale - 1.0) - scale * x);
}

}  // namespace zeta::mappings
