#pragma once

#include <bit>
#include <cstdint>

#include "mappings/host_device.h"

// Numbers of a row as integers. Integer addition has no order, so a sum over the support has the
// same bits for any kernel, instruction set, thread count or device.
namespace zeta::mappings {

__extension__ typedef __int128 int128;

namespace detail {

ZETA_HOST_DEVICE uint64_t bits_of(double x) {
#ifdef __CUDA_ARCH__
  return static_cast<uint64_t>(__double_as_longlong(x));
#else
  return std::bit_cast<uint64_t>(x);
#endif
}

ZETA_HOST_DEVICE double double_of_bits(uint64_t bits) {
#ifdef __CUDA_ARCH__
  return __longlong_as_double(static_cast<long long>(bits));
#else
  return std::bit_cast<double>(bits);
#endif
}

}  // namespace detail

// 2^exponent, for exponents of -1074 to 1023.
ZETA_HOST_DEVICE constexpr double power_of_two(int exponent) {
  double result = 1;
  double factor = exponent < 0 ? 0.5 : 2;
  for (unsigned remaining = exponent < 0 ? -exponent : exponent; remaining != 0; remaining /= 2) {
    if (remaining % 2 == 1) result *= factor;
    factor *= factor;
  }
  return result;
}

// Fraction bits of one integer: 50 keeps every conversion from double exact in one addition
// (round_to_integer), and fewer for long rows keep a sum of `length` integers below 2^62.
ZETA_HOST_DEVICE constexpr int fraction_bits(int64_t length) {
  int bits = 50;
  while (bits > 1 && length > (int64_t{1} << (62 - bits))) --bits;
  return bits;
}

// 1.5 * 2^52. Added to |x| <= 2^51 it leaves no bit for a fraction.
inline constexpr double kRoundingShift = 6755399441055744.0;

// The nearest integer, ties to even. Unlike rint this is one instruction everywhere and vectorises
// without SSE4.1.
template <class Doubles>
ZETA_HOST_DEVICE constexpr Doubles round_to_integer(Doubles x) {
  return (x + kRoundingShift) - kRoundingShift;
}

// The quotient rounded towards minus infinity, for a positive divisor. The first form is for
// quotients of at most 2^50 in magnitude: there double division is off by a quarter at most, so the
// integer nearest to it is the floor or the one above. Unlike integer division it is fast and can
// be done in vectors.
ZETA_HOST_DEVICE constexpr int64_t floor_divide(int64_t dividend, int64_t divisor) {
  auto const nearest = static_cast<int64_t>(
      round_to_integer(static_cast<double>(dividend) / static_cast<double>(divisor)));
  return nearest - (dividend < nearest * divisor ? 1 : 0);
}

ZETA_HOST_DEVICE constexpr int128 floor_divide(int128 dividend, int64_t divisor) {
  int128 const quotient = dividend / divisor;
  return quotient - (dividend % divisor < 0 ? 1 : 0);
}

// Quotients in the lanes of vectors.
template <class Doubles>
struct Quotients {
  Doubles integer;   // displaced, see FixedPoint<float>
  Doubles fraction;  // a part of 1, not of the unit
};

// FixedPoint<Real> holds integers in units of 2^-F: F = bits for float, which also serves float16
// and bfloat16, and F = 2 * bits for double, as two limbs.
template <class Real>
class FixedPoint;

template <>
class FixedPoint<float> {
 public:
  using Integer = int64_t;

  // A number of [-1, 1], or the sum of at most `length` of them.
  struct Number {
    int64_t value = 0;

    ZETA_HOST_DEVICE constexpr void add(Number other) { value += other.value; }
    ZETA_HOST_DEVICE constexpr Number times(int64_t factor) const { return {value * factor}; }
  };

  // An integer and a fraction of [0, 1) of its unit: an exact quotient, up to the rounding of the
  // fraction to double.
  struct Quotient {
    int64_t integer = 0;
    double fraction = 0;
  };

  ZETA_HOST_DEVICE explicit constexpr FixedPoint(int64_t length)
      : scale_(power_of_two(fraction_bits(length))),
        unit_(power_of_two(-fraction_bits(length))),
        displacement_(kRoundingShift * unit_),
        one_(int64_t{1} << fraction_bits(length)) {}

  ZETA_HOST_DEVICE constexpr Integer one() const { return one_; }
  ZETA_HOST_DEVICE constexpr double scale() const { return scale_; }
  ZETA_HOST_DEVICE constexpr double unit() const { return unit_; }

  // a - b, which the caller knows to lie in [-1, 1].
  ZETA_HOST_DEVICE constexpr Number difference(float a, float b) const {
    return from_double(static_cast<double>(a) - static_cast<double>(b));
  }

  ZETA_HOST_DEVICE constexpr Number from_double(double x) const {
    return {static_cast<int64_t>(round_to_integer(x * scale_))};
  }

  ZETA_HOST_DEVICE constexpr Integer integer(Number x) const { return x.value; }

  ZETA_HOST_DEVICE constexpr Quotient divide(Integer dividend, int64_t divisor) const {
    int64_t const quotient = floor_divide(dividend, divisor);
    int64_t const remainder = dividend - quotient * divisor;
    return {quotient, static_cast<double>(remainder) / static_cast<double>(divisor)};
  }

  ZETA_HOST_DEVICE constexpr bool is_above(Number x, Quotient quotient) const {
    return x.value > quotient.integer;
  }

  // A number some units below the quotient, exact in double.
  ZETA_HOST_DEVICE constexpr double below(Quotient const& quotient) const {
    return static_cast<double>(quotient.integer - 4) * unit_;
  }

  // The largest integer that is not above x of [-2, 1].
  ZETA_HOST_DEVICE constexpr Quotient floor(double x) const {
    double const nearest = round_to_integer(x * scale_);
    return {static_cast<int64_t>(nearest > x * scale_ ? nearest - 1 : nearest), 0};
  }

  // x - quotient, rounded once.
  ZETA_HOST_DEVICE constexpr double minus(Number x, Quotient quotient) const {
    return (static_cast<double>(x.value - quotient.integer) - quotient.fraction) * unit_;
  }

  // The same for several numbers, in the lanes of vectors of double. Each is displaced, so that its
  // rounding is that of one addition and its last bits are those of the integer.
  template <class Doubles>
  ZETA_HOST_DEVICE constexpr Doubles displaced(Doubles const& x) const {
    return x + displacement_;
  }
  ZETA_HOST_DEVICE constexpr double displaced(Quotient const& quotient) const {
    return static_cast<double>(quotient.integer) * unit_ + displacement_;
  }
  ZETA_HOST_DEVICE constexpr double displacement() const { return displacement_; }

  // The number of which x is the displaced one: one difference of integers, and no conversion.
  ZETA_HOST_DEVICE Number from_displaced(double x) const {
    return {static_cast<int64_t>(detail::bits_of(x) - detail::bits_of(displacement_))};
  }

  // As divide(). Comparisons of vectors are 0 or -1.
  template <class Doubles, class Integers>
  ZETA_HOST_DEVICE constexpr Quotients<Doubles> divide_lanes(Integers const& dividends,
                                                             Integers const& divisors) const {
    auto const divisor = __builtin_convertvector(divisors, Doubles);
    auto const nearest = __builtin_convertvector(
        round_to_integer(__builtin_convertvector(dividends, Doubles) / divisor), Integers);
    Integers const quotient = nearest + (dividends < nearest * divisors);
    auto const remainder = __builtin_convertvector(dividends - quotient * divisors, Doubles);
    return {displaced(__builtin_convertvector(quotient, Doubles) * unit_),
            remainder / divisor * unit_};
  }

  // The nearest multiples of the unit.
  template <class Doubles>
  ZETA_HOST_DEVICE constexpr Doubles rounded(Doubles const& x) const {
    return (x + displacement_) - displacement_;
  }

 private:
  double scale_;
  double unit_;
  double displacement_;
  int64_t one_;
};

template <>
class FixedPoint<double> {
 public:
  using Integer = int128;

  struct Number {
    int64_t high = 0;  // in units of 2^-bits
    int64_t low = 0;   // in units of 2^-2bits, about as large as half a unit of `high`

    ZETA_HOST_DEVICE constexpr void add(Number other) {
      high += other.high;
      low += other.low;
    }
    ZETA_HOST_DEVICE constexpr Number times(int64_t factor) const {
      return {high * factor, low * factor};
    }
  };

  struct Quotient {
    Number integer;
    double fraction = 0;
  };

  ZETA_HOST_DEVICE explicit constexpr FixedPoint(int64_t length)
      : bits_(fraction_bits(length)),
        scale_(power_of_two(fraction_bits(length))),
        unit_(power_of_two(-2 * fraction_bits(length))) {}

  ZETA_HOST_DEVICE constexpr Integer one() const { return int128{1} << (2 * bits_); }

  ZETA_HOST_DEVICE constexpr Number difference(double a, double b) const {
    // Knuth's two-sum: high + low is a - b exactly.
    double const high = a - b;
    double const b_part = high - a;
    double const low = (a - (high - b_part)) - (b + b_part);
    return from_pair(high, low);
  }

  ZETA_HOST_DEVICE constexpr Number from_double(double x) const { return from_pair(x, 0); }

  ZETA_HOST_DEVICE constexpr Integer integer(Number x) const {
    return (static_cast<int128>(x.high) << bits_) + x.low;
  }

  ZETA_HOST_DEVICE constexpr Quotient divide(Integer dividend, int64_t divisor) const {
    int128 const quotient = floor_divide(dividend, divisor);
    auto const remainder = static_cast<int64_t>(dividend - quotient * divisor);
    int128 const half = int128{1} << (bits_ - 1);
    auto const high = static_cast<int64_t>((quotient + half) >> bits_);
    auto const low = static_cast<int64_t>(quotient - (static_cast<int128>(high) << bits_));
    return {{high, low}, static_cast<double>(remainder) / static_cast<double>(divisor)};
  }

  ZETA_HOST_DEVICE constexpr bool is_above(Number x, Quotient quotient) const {
    return integer(x) > integer(quotient.integer);
  }

  ZETA_HOST_DEVICE constexpr double below(Quotient const& quotient) const {
    return static_cast<double>(quotient.integer.high - 4) / scale_;
  }

  // A quotient that is not above x of [-2, 1], by less than 2^(1 - bits).
  ZETA_HOST_DEVICE constexpr Quotient floor(double x) const {
    double const nearest = round_to_integer(x * scale_);
    return {{static_cast<int64_t>(nearest > x * scale_ ? nearest - 1 : nearest), 0}, 0};
  }

  ZETA_HOST_DEVICE constexpr double minus(Number x, Quotient quotient) const {
    double const high = static_cast<double>(x.high - quotient.integer.high) * scale_;
    double const low = static_cast<double>(x.low - quotient.integer.low) - quotient.fraction;
    return (high + low) * unit_;
  }

 private:
  ZETA_HOST_DEVICE constexpr Number from_pair(double x, double correction) const {
    double const scaled = x * scale_;
    double const high = round_to_integer(scaled);
    double const low = round_to_integer((scaled - high) * scale_ + correction * scale_ * scale_);
    return {static_cast<int64_t>(high), static_cast<int64_t>(low)};
  }

  int bits_;
  double scale_;
  double unit_;
};

}  // namespace zeta::mappings
