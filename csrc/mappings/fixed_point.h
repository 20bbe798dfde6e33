#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "mappings/host_device.h"
#include "mappings/lanes.h"

// Converts the numbers of a row to integers. The order of integer additions does not matter, so a
// sum over the support has the same bits for any kernel, instruction set, thread count or device.
namespace zeta::mappings {

__extension__ typedef __int128 int128;

namespace detail {

inline constexpr int kExponentBias = 1023;
inline constexpr int kFractionBits = 52;

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

// Returns how many fraction bits an integer has: at most 50, so that round_to_integer() works for
// numbers of up to 2 in magnitude, and fewer for long rows, so that the sum of `length` numbers of
// at most 1 in magnitude, as integers, does not exceed 2^62.
ZETA_HOST_DEVICE constexpr int fraction_bits(int64_t length) {
  int bits = 50;
  while (bits > 1 && length > (int64_t{1} << (62 - bits))) --bits;
  return bits;
}

// The magic-number bias, 1.5 * 2^52: added to |x| <= 2^51 it leaves no bit for a fraction.
inline constexpr double kRoundingShift = 6755399441055744.0;

// Returns the nearest integer, ties to even. Unlike rint, this vectorises without SSE4.1.
template <class Doubles>
ZETA_HOST_DEVICE constexpr Doubles round_to_integer(Doubles x) {
  return (x + kRoundingShift) - kRoundingShift;
}

template <class Doubles>
using IntegersOf = LanesLike<int64_t, Doubles>;

template <class Doubles>
ZETA_HOST_DEVICE constexpr Doubles numbers_of(IntegersOf<Doubles> const& integers) {
  if constexpr (std::is_same_v<Doubles, double>) {
    return static_cast<double>(integers);
  } else {
    return __builtin_convertvector(integers, Doubles);
  }
}

// Divides by a positive divisor and rounds towards minus infinity. The overload for int64_t takes
// quotients of at most 2^50 in magnitude: there double division is off by a quarter at most, so the
// integer nearest to it is the floor or the one above. Unlike integer division, it vectorises.
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
  Doubles integer;   // with the bias of FixedPoint<float>::displaced()
  Doubles fraction;  // as a number, not in units
};

// Converts numbers to integers in units of 2^-F. For float, which also serves float16 and bfloat16,
// F is fraction_bits(length); for double it is twice that, and an integer has two limbs.
template <class Real>
class FixedPoint;

template <>
class FixedPoint<float> {
 public:
  using Integer = int64_t;

  // Holds a number of [-1, 1], or the sum of at most `length` such numbers.
  struct Number {
    int64_t value = 0;

    ZETA_HOST_DEVICE constexpr void add(Number other) { value += other.value; }
    ZETA_HOST_DEVICE constexpr Number times(int64_t factor) const { return {value * factor}; }
  };

  // Holds a quotient as its floor and a fraction in [0, 1), both in units. Only the fraction is
  // rounded, to double.
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

  // Returns a number a few units below the quotient. It is exact in double.
  ZETA_HOST_DEVICE constexpr double below(Quotient const& quotient) const {
    return static_cast<double>(quotient.integer - 4) * unit_;
  }

  // Returns the floor of x in units, with fraction 0, for x in [-2, 1].
  ZETA_HOST_DEVICE constexpr Quotient floor(double x) const {
    double const nearest = round_to_integer(x * scale_);
    return {static_cast<int64_t>(nearest > x * scale_ ? nearest - 1 : nearest), 0};
  }

  // Returns x - quotient, rounded once.
  ZETA_HOST_DEVICE constexpr double minus(Number x, Quotient quotient) const {
    return (static_cast<double>(x.value - quotient.integer) - quotient.fraction) * unit_;
  }

  // The functions below do the same for several numbers at once, in the lanes of vectors of double.
  // There a number carries the magic-number bias, 1.5 * 2^52 units: adding it rounds the number to
  // a multiple of the unit, and the last bits of the sum are those of the integer.
  template <class Doubles>
  ZETA_HOST_DEVICE constexpr Doubles displaced(Doubles const& x) const {
    return x + displacement_;
  }
  ZETA_HOST_DEVICE constexpr double displaced(Quotient const& quotient) const {
    return static_cast<double>(quotient.integer) * unit_ + displacement_;
  }
  ZETA_HOST_DEVICE constexpr double displacement() const { return displacement_; }

  // Takes the bias off x, by one difference of integers and no conversion.
  ZETA_HOST_DEVICE Number from_displaced(double x) const {
    return {static_cast<int64_t>(detail::bits_of(x) - detail::bits_of(displacement_))};
  }

  // Takes the biases off the sum of the bits of so many numbers.
  ZETA_HOST_DEVICE Number from_sum(uint64_t bits, uint64_t count) const {
    return {static_cast<int64_t>(bits - count * detail::bits_of(displacement_))};
  }

  // Does the same as divide(). A comparison of vectors gives 0 or -1 in each lane.
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

  // Returns the nearest multiples of the unit.
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
    int64_t low = 0;   // in units of 2^-2bits; about half a unit of `high` at most

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
    // This is Knuth's two-sum: high + low is a - b exactly.
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

  // Returns a quotient that is at most x and above x - 2^(1 - bits), for x in [-2, 1].
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
