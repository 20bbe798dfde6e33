#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <random>
#include <vector>

#include "mappings/fixed_point.h"
#include "mappings/sparse_softmax.h"
#include "mappings/weighted_mean.h"

namespace zeta::mappings {
namespace {

TEST(PowerOfTwo, IsExactOverTheWholeRange) {
  for (int exponent = -1074; exponent <= 1023; ++exponent) {
    EXPECT_EQ(power_of_two(exponent), std::ldexp(1.0, exponent)) << exponent;
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

TEST(FixedPointOfDouble, HoldsDifferencesThatDoubleCannot) {
  FixedPoint<double> const fixed(3);
  double const maximum = 1.0;
  double const logit = 0x1p-80;  // 1 - 2^-80 is no double
  auto const difference = fixed.difference(logit, maximum);
  EXPECT_TRUE(fixed.integer(difference) == -fixed.one() + (int128{1} << 20));
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
    EXPECT_DOUBLE_EQ(quotient.fraction * static_cast<double>(divisor), static_cast<double>(rest));
  }
}

// The weights of a row, by raising the threshold until what lies above it no longer changes.
template <class Real>
std::vector<double> project(std::vector<Real> const& logits) {
  SparseSoftmax<Real> const mapping(*std::max_element(logits.begin(), logits.end()),
                                    static_cast<int64_t>(logits.size()));
  auto is_above = [&](Real logit, auto const& threshold) {
    return logit >= mapping.lower_bound() && mapping.is_above(mapping.term(logit), threshold);
  };
  auto threshold = mapping.lowest_threshold();
  int64_t count = 0;
  while (true) {
    typename SparseSoftmax<Real>::Sum sum;
    for (Real const logit : logits) {
      if (is_above(logit, threshold)) sum.add(mapping.term(logit));
    }
    if (sum.count == count) break;
    count = sum.count;
    threshold = mapping.threshold(sum);
  }
  std::vector<double> weights;
  for (Real const logit : logits) {
    weights.push_back(is_above(logit, threshold) ? mapping.weight(mapping.term(logit), threshold)
                                                 : 0);
  }
  return weights;
}

template <class Real>
class SparseSoftmaxTest : public testing::Test {};
using Reals = testing::Types<float, double>;
// The kernels' shortcut for small k, against the general way.
TEST(SparseSoftmaxOfFloat, WeightsOfLargestAreThoseOfTheProjection) {
  using Mapping = SparseSoftmax<float>;
  std::mt19937_64 random(5);
  for (double scale : {0.001, 0.1, 0.4, 1.0, 1e30}) {
    std::normal_distribution<double> normal(0, scale);
    for (int repeat = 0; repeat < 2000; ++repeat) {
      Mapping::Fixed const fixed(int64_t{1} << (repeat % 20));
      double logits[4];
      for (double& logit : logits) logit = static_cast<float>(normal(random));
      std::sort(logits, logits + 4, std::greater<>());
      if (repeat % 5 == 0) logits[3] = -INFINITY;
      if (repeat % 7 == 0) logits[1] = logits[0];
      double weights[4];
      Mapping::weights_of_largest(logits, fixed, weights);

      Mapping const mapping(static_cast<float>(logits[0]), fixed);
      Mapping::Sum sum;
      auto threshold = mapping.lowest_threshold();
      for (double const logit : logits) {
        if (logit < mapping.lower_bound()) break;
        auto const term = mapping.term(static_cast<float>(logit));
        if (!mapping.is_above(term, threshold)) break;
        sum.add(term);
        threshold = mapping.threshold(sum);
      }
      for (int i = 0; i < 4; ++i) {
        bool const can_be_in = logits[i] >= mapping.lower_bound();
        auto const term = mapping.term(static_cast<float>(can_be_in ? logits[i] : logits[0]));
        bool const is_in = can_be_in && mapping.is_above(term, threshold);
        EXPECT_EQ(weights[i], is_in ? mapping.weight(term, threshold) : 0) << i;
        EXPECT_TRUE(!is_in || logits[i] >= mapping.lower_bound(threshold)) << i;
      }
    }
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

TYPED_TEST_SUITE(SparseSoftmaxTest, Reals);

TYPED_TEST(SparseSoftmaxTest, GivesKnownProjections) {
  using Row = std::vector<TypeParam>;
  EXPECT_EQ(project(Row{2.0, 1.5, 0.125, -1.0, 3.25, 0.75}),
            (std::vector<double>{0, 0, 0, 0, 1, 0}));
  EXPECT_EQ(project(Row{0.5, 0.5}), (std::vector<double>{0.5, 0.5}));
  EXPECT_EQ(project(Row{1.0, 0.5}), (std::vector<double>{0.75, 0.25}));
  EXPECT_EQ(project(Row{7}), (std::vector<double>{1}));
}

TYPED_TEST(SparseSoftmaxTest, LeavesOutALogitOneBelowTheMaximum) {
  using Row = std::vector<TypeParam>;
  EXPECT_EQ(project(Row{1.0, 0.0}), (std::vector<double>{1, 0}));
  auto const above = std::nextafter(TypeParam{0}, TypeParam{1});
  auto const weights = project(Row{1.0, above});
  EXPECT_NEAR(weights[0], 1, 1e-30);
  EXPECT_LE(weights[1], 1e-30);
}

TYPED_TEST(SparseSoftmaxTest, HandlesDifferencesThatOverflow) {
  TypeParam const huge = std::numeric_limits<TypeParam>::max();
  EXPECT_EQ(project(std::vector<TypeParam>{huge, -huge, huge}), (std::vector<double>{0.5, 0, 0.5}));
}

TYPED_TEST(SparseSoftmaxTest, FindsThresholdsJustBelowANumber) {
  SparseSoftmax<TypeParam> const mapping(0, 1000);
  for (double x : {-2.0, -1.0, -0.75, -0.1, -1e-10, 0.0}) {
    auto const threshold = mapping.threshold_below(x);
    // below() is a few units lower still.
    EXPECT_LT(mapping.below(threshold), x);
    EXPECT_NEAR(mapping.below(threshold), x, 0x1p-46);
    bool const is_above = mapping.is_above(mapping.term(static_cast<TypeParam>(x / 2)), threshold);
    EXPECT_TRUE(is_above || x <= -1 || x == 0);
  }
}

TYPED_TEST(SparseSoftmaxTest, WeightsOfLongRowsSumToOne) {
  std::mt19937_64 random(2);
  std::normal_distribution<double> normal(0, 0.01);
  std::vector<TypeParam> logits(100000);
  for (auto& logit : logits) logit = static_cast<TypeParam>(normal(random));
  auto const weights = project(logits);
  long double sum = 0;
  for (double const weight : weights) sum += weight;
  EXPECT_NEAR(static_cast<double>(sum), 1, 1e-10);
  EXPECT_GT(std::count_if(weights.begin(), weights.end(), [](double w) { return w > 0; }), 50);
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

TEST(WeightedMean, OfNothingIsZero) { EXPECT_EQ(mean_of<float>({}).value, 0); }

}  // namespace
}  // namespace zeta::mappings
