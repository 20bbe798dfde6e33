#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "lanes.h"
#include "mappings/fixed_point.h"
#include "mappings/weighted_mean.h"

// Sums that are exact: of numbers as integers, and means over a support.
namespace zeta::mappings {
namespace {

TEST(PowerOfTwo, IsExactOverTheWholeRange) {
  for (int exponent = -1074; exponent <= 1023; ++exponent) {
    EXPECT_EQ(power_of_two(exponent), std::ldexp(1.0, exponent)) << exponent;
    EXPECT_EQ(detail::power_of_two(exponent), std::ldexp(1.0, exponent)) << exponent;
  }
}

TEST(FractionBits, KeepSumsOfARowBelow2To62) {
  for (int64_t length : {int64_t{1}, int64_t{4096}, int64_t{4097}, int64_t{1} << 20,
                         (int64_t{1} << 31) + 1, int64_t{1} << 50}) {
    int const bits = fraction_bits(length);
    EXPECT_GE(bits, 1);
    EXPECT_LE(bits, 50);
    EXPECT_LE(std::ldexp(static_cast<double>(length), bits), std::ldexp(1.0, 62)) << length;
  }
  EXPECT_EQ(fraction_bits(4096), 50);
  EXPECT_EQ(fraction_bits(4097), 49);
}

TEST(FractionBits, AreNeverFewerThanOne) {
  EXPECT_EQ(fraction_bits((int64_t{1} << 60) + 1), 1);
  EXPECT_EQ(fraction_bits(std::numeric_limits<int64_t>::max()), 1);
}

TEST(RoundToInteger, TakesTheNearestAndTiesToEven) {
  for (double x : {0.0, 0.5, 1.5, 2.5, -0.5, -1.5, 0.49999999999999994, 1234567.25}) {
    EXPECT_EQ(round_to_integer(x), std::nearbyint(x)) << x;
  }
  double const largest = std::ldexp(1.0, 51);
  EXPECT_EQ(round_to_integer(-largest), -largest);
  EXPECT_EQ(round_to_integer(-largest + 1), -largest + 1);
}

TEST(FloorDivide, RoundsTowardsMinusInfinity) {
  EXPECT_EQ(floor_divide(int64_t{7}, 2), 3);
  EXPECT_EQ(floor_divide(int64_t{-7}, 2), -4);
  EXPECT_EQ(floor_divide(int64_t{-8}, 2), -4);
  EXPECT_EQ(static_cast<int64_t>(floor_divide(int128{-1}, 3)), -1);
  // Where double division rounds to the integer above.
  for (int64_t quotient : {int64_t{1} << 50, (int64_t{1} << 50) - 1, -(int64_t{1} << 50)}) {
    for (int64_t divisor : {int64_t{1}, int64_t{3}, int64_t{1000}, int64_t{4095}}) {
      for (int64_t remainder : {int64_t{0}, divisor / 2, divisor - 1}) {
        EXPECT_EQ(floor_divide(quotient * divisor + remainder, divisor), quotient);
      }
    }
  }
}

// A dividend of more bits than a double has, that is `remainder` above a multiple of the divisor.
struct Division {
  explicit Division(std::mt19937_64& random) {
    divisor = static_cast<int64_t>(random() % 4000 + 1);
    quotient = static_cast<int64_t>(random() >> 14) - (int64_t{1} << 49);
    remainder = std::vector<int64_t>{0, divisor / 2, divisor - 1}[random() % 3];
  }
  int64_t dividend() const { return quotient * divisor + remainder; }

  int64_t divisor;
  int64_t quotient;
  int64_t remainder;
};

TEST(FloorDivide, IsExactWhereDoublesAreNot) {
  std::mt19937_64 random(6);
  for (int trial = 0; trial < 10000; ++trial) {
    Division const division(random);
    EXPECT_EQ(floor_divide(division.dividend(), division.divisor), division.quotient);
  }
}

TEST(FixedPointOfFloat, DividesInLanesAsInOne) {
  FixedPoint<float> const fixed(100);
  std::mt19937_64 random(7);
  for (int trial = 0; trial < 10000; ++trial) {
    Integers dividends;
    Integers divisors;
    for (int lane = 0; lane < kLanes; ++lane) {
      Division const division(random);
      dividends[lane] = division.dividend();
      divisors[lane] = division.divisor;
    }
    auto const quotients = fixed.divide_lanes<Doubles>(dividends, divisors);
    for (int lane = 0; lane < kLanes; ++lane) {
      auto const quotient = fixed.divide(dividends[lane], divisors[lane]);
      EXPECT_EQ(quotients.integer[lane], fixed.displaced(quotient));
      EXPECT_EQ(quotients.fraction[lane], quotient.fraction * fixed.unit());
    }
  }
}

TEST(FixedPoint, IsAboveAQuotientOnlyFromTheNextInteger) {
  FixedPoint<float> const narrow(3);
  EXPECT_FALSE(narrow.is_above({5}, {5, 0.5}));
  EXPECT_TRUE(narrow.is_above({6}, {5, 0.5}));
  FixedPoint<double> const wide(3);
  EXPECT_FALSE(wide.is_above({2, 5}, {{2, 5}, 0.5}));
  EXPECT_TRUE(wide.is_above({2, 6}, {{2, 5}, 0.5}));
}

TEST(FixedPoint, BeginsAtZero) {
  EXPECT_EQ(FixedPoint<float>::Quotient().integer, 0);
  EXPECT_EQ(FixedPoint<float>::Quotient().fraction, 0);
  EXPECT_EQ(FixedPoint<double>::Quotient().fraction, 0);
}

TEST(FixedPointOfDouble, FloorIsTheLargestOfItsHighIntegersNotAbove) {
  FixedPoint<double> const fixed(100);
  for (double x : {0.0, -1.0, -0.5, -0.3, 0x1p-51, -0x1p-51, -0x1p-50}) {
    auto const floor = fixed.floor(x);
    EXPECT_EQ(static_cast<double>(floor.integer.high), std::floor(x * 0x1p50)) << x;
    EXPECT_EQ(floor.integer.low, 0);
    EXPECT_EQ(floor.fraction, 0);
  }
}

TEST(FixedPointOfDouble, MinusTakesBothLimbsAndTheFraction) {
  FixedPoint<double> const fixed(100);
  EXPECT_EQ(fixed.minus({7, 100}, {{7, 40}, 0.25}), 59.75 * 0x1p-100);
  EXPECT_EQ(fixed.minus({8, 3}, {{7, 5}, 0.5}), (0x1p50 - 2.5) * 0x1p-100);
}

TEST(FixedPointOfDouble, HoldsDifferencesThatDoubleCannot) {
  FixedPoint<double> const fixed(3);
  double const maximum = 1.0;
  double const logit = 0x1p-80;  // 1 - 2^-80 is no double
  auto const difference = fixed.difference(logit, maximum);
  EXPECT_TRUE(fixed.integer(difference) == -fixed.one() + (int128{1} << 20));
  auto const of_tiny = fixed.difference(-0.75, logit);
  EXPECT_TRUE(fixed.integer(of_tiny) == fixed.one() / 4 * -3 - (int128{1} << 20));
}

TEST(FixedPointOfDouble, QuotientGivesBackTheDividend) {
  FixedPoint<double> const fixed(1000);
  std::mt19937_64 random(1);
  for (int trial = 0; trial < 1000; ++trial) {
    int128 const dividend =
        -static_cast<int128>(random() >> 8) * static_cast<int64_t>(random() >> 30);
    auto const divisor = static_cast<int64_t>(random() % 1000 + 1);
    auto const quotient = fixed.divide(dividend, divisor);
    int128 const rest = dividend - fixed.integer(quotient.integer) * divisor;
    EXPECT_TRUE(rest >= 0 && rest < divisor);
    EXPECT_LE(std::abs(quotient.integer.low), int64_t{1} << 49);
    EXPECT_DOUBLE_EQ(quotient.fraction * static_cast<double>(divisor), static_cast<double>(rest));
  }
}

TEST(FixedPointOfFloat, FloorIsTheLargestIntegerNotAbove) {
  FixedPoint<float> const fixed(100);
  for (double x : {0.0, -1.0, -0.5, -0.3, 0x1p-51, -0x1p-51, -0x1p-50}) {
    auto const floor = fixed.floor(x);
    EXPECT_EQ(static_cast<double>(floor.integer), std::floor(x * 0x1p50)) << x;
    EXPECT_EQ(floor.fraction, 0);
    EXPECT_LT(fixed.below(floor), x);
  }
}

template <class Real>
Mean<Real> mean_of(std::vector<double> const& numbers) {
  ProductScale scale;
  for (double const x : numbers) scale.add(1, x);
  WeightedMean<Real> const weighted_mean(scale, static_cast<int64_t>(numbers.size()));
  typename WeightedMean<Real>::Sum sum;
  for (double const x : numbers) sum.add(weighted_mean.term(1, x));
  return weighted_mean.mean(sum);
}

TEST(WeightedMean, DoesNotDependOnOrder) {
  std::mt19937_64 random(3);
  std::normal_distribution<double> normal;
  std::vector<double> numbers(999);
  for (auto& x : numbers) x = normal(random) * std::ldexp(1.0, static_cast<int>(random() % 60));
  auto const before = mean_of<double>(numbers);
  std::shuffle(numbers.begin(), numbers.end(), random);
  auto const after = mean_of<double>(numbers);
  EXPECT_EQ(before.high, after.high);
  EXPECT_EQ(before.low, after.low);
}

TEST(WeightedMean, IsWiderThanDouble) {
  auto const mean = mean_of<double>({1, 0, 0});
  double const third = 1.0 / 3;  // is 2^-54 / 3 below the third
  EXPECT_DOUBLE_EQ(mean.subtracted_from(third), -0x1p-54 / 3);
}

TEST(WeightedMean, DividesWhatDoublesCannotHold) {
  double const third = 1.0 / 3;
  EXPECT_DOUBLE_EQ(mean_of<double>({1, 0x1p-60, 0}).subtracted_from(third),
                   -(0x1p-54 + 0x1p-60) / 3);
  // 17 slopes of 1 - 2^-50 are no double.
  double const slope = 1 - 0x1p-50;
  ProductScale scale;
  scale.add(slope, slope);
  WeightedMean<double> const weighted_mean(scale, 17);
  WeightedMean<double>::Sum sum;
  for (int i = 0; i < 17; ++i) sum.add(weighted_mean.term(slope, slope));
  EXPECT_EQ(weighted_mean.mean(sum).high, 1);
  EXPECT_EQ(weighted_mean.mean(sum).low, 0);
}

TEST(WeightedMean, HoldsForTinyAndHugeNumbers) {
  for (double const x : {0x1p-1074, 0x1p-1000, 0x1p1023}) {
    EXPECT_EQ(mean_of<double>({x, x, x}).subtracted_from(x), 0) << x;
    EXPECT_EQ(mean_of<double>({x, -x}).high, 0) << x;
  }
}

TEST(WeightedMean, CarriesInfinityAndNaN) {
  double const infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(mean_of<float>({1, infinity}).value, infinity);
  EXPECT_TRUE(std::isnan(mean_of<float>({infinity, -infinity}).value));
  EXPECT_EQ(mean_of<double>({1, -infinity}).subtracted_from(1), infinity);
}

TEST(WeightedMean, OfNothingIsZero) {
  EXPECT_EQ(mean_of<float>({}).value, 0);
  EXPECT_EQ(mean_of<double>({}).high, 0);
  EXPECT_EQ(mean_of<double>({}).low, 0);
}

TEST(WeightedMean, IsThatOfTheNumbers) {
  EXPECT_EQ(mean_of<float>({1, 2, -6}).value, -1);
  EXPECT_EQ(mean_of<double>({1, 2, -6}).high, -1);
  EXPECT_EQ(mean_of<double>({1, INFINITY}).low, 0);
}

TEST(WeightedMean, ScalesTheLargestProductToLessThanOne) {
  for (auto const& [largest, inverse_scale] : std::vector<std::pair<double, double>>{
           {0, 1}, {0.75, 1}, {1, 0.5}, {2, 0.25}, {0x1p1022, 0x1p-1023}}) {
    WeightedMean<float> const weighted_mean(ProductScale{largest}, 1);
    EXPECT_EQ(weighted_mean.inverse_scale(), inverse_scale) << largest;
  }
}

TEST(WeightedMean, LeavesOutWhatNoIntegerStandsFor) {
  auto const term = WeightedMean<float>(ProductScale{1}, 1).term(NAN, INFINITY);
  EXPECT_EQ(term.products.value, 0);
  EXPECT_EQ(term.slopes.value, 0);
}

TEST(ProductScale, IsTheLargestMagnitudeOfBothParts) {
  ProductScale scale;
  scale.add(1, 2);
  scale.add(1, -3);
  scale.add(1, 1);
  EXPECT_EQ(scale.largest, 3);
  EXPECT_FALSE(scale.nan_slope);
  ProductScale other;
  other.add(1, -5);
  other.add(1, INFINITY);
  other.add(NAN, 1);
  EXPECT_TRUE(other.nan_slope);
  scale.add(other);
  other.add(scale);
  for (ProductScale const& both : {scale, other}) {
    EXPECT_EQ(both.largest, 5);
    EXPECT_EQ(both.non_finite, INFINITY);
    EXPECT_TRUE(both.nan_slope);
  }
}

TEST(Mean, IsSubtractedWithItsLowPart) {
  EXPECT_EQ((Mean<float>{0.25}.subtracted_from(1)), 0.75);
  EXPECT_EQ((Mean<double>{0.5, 0x1p-54}.subtracted_from(1)), 0.5 - 0x1p-54);
  EXPECT_EQ((Mean<double>{0x1p-54, 0x1p-55}.subtracted_from(1)), 1 - 0x1p-53);
}

TEST(Mean, BeginsAtZero) {
  EXPECT_EQ(Mean<float>().value, 0);
  EXPECT_EQ(Mean<double>().high, 0);
  EXPECT_EQ(Mean<double>().low, 0);
}

}  // namespace
}  // namespace zeta::mappings
