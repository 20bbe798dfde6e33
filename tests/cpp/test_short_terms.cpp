#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

#include "mappings/short_terms.h"
#include "mappings/sparse_softmax.h"
#include "mappings/wide_terms.h"
#include "rowwise/float16.h"

namespace zeta::mappings {
namespace {

using Floats = float __attribute__((vector_size(8)));
using Doubles = double __attribute__((vector_size(16)));
using ShortIntegers = int32_t __attribute__((vector_size(8)));

Floats both(float x) { return x - Floats{}; }

TEST(ShortTerms, AreIntegersAndNoneIsTooLowForThem) {
  float const infinity = std::numeric_limits<float>::infinity();
  auto const terms = ShortTerms::integers<ShortIntegers>(Floats{-1, -ShortTerms::kUnit});
  EXPECT_EQ(terms[0], -ShortTerms::kOne);
  EXPECT_EQ(terms[1], -1);
  auto const low = ShortTerms::integers<ShortIntegers>(Floats{-infinity, -1.25F});
  EXPECT_LT(low[0], -ShortTerms::kOne);
  EXPECT_LT(low[1], -ShortTerms::kOne);
}

TEST(ShortQuotients, AreMultiplesOfTheUnitAndARest) {
  std::mt19937_64 random(13);
  EXPECT_EQ(ShortQuotients<Floats>::of(both(1), both(1)).high[0], 1);
  for (int divisor = 2; divisor <= ShortTerms::kMost; ++divisor) {
    for (int trial = 0; trial < 1000; ++trial) {
      // Often one next to a multiple of the divisor.
      auto const any = static_cast<int>(random() % (ShortTerms::kOne + 1));
      int const dividend = trial % 2 == 0 ? any : std::max(0, any / divisor * divisor - trial % 3);
      auto const quotients =
          ShortQuotients<Floats>::of(both(static_cast<float>(dividend) * ShortTerms::kUnit),
                                     both(static_cast<float>(divisor)));
      auto const rest = static_cast<float>(dividend % divisor) / static_cast<float>(divisor);
      EXPECT_EQ(quotients.high[0], static_cast<float>(dividend / divisor) * ShortTerms::kUnit);
      EXPECT_EQ(quotients.low[1], rest * ShortTerms::kUnit);
    }
  }
}

template <class Scalar>
uint16_t narrowed(double x) {
  return rowwise::narrow<Scalar>(x).bits;
}

// Quotients next to the midpoints between two numbers of a half type and on them.
TEST(ShortQuotients, RoundedToOddAreRoundedOnceToHalfTypes) {
  for (int divisor = 1; divisor <= ShortTerms::kMost; ++divisor) {
    for (int midpoint = 1; midpoint < 1 << 12; midpoint += 2) {
      for (int exponent = -16; exponent < 15; ++exponent) {
        double const units = std::ldexp(static_cast<double>(midpoint), exponent);
        for (int side : {0, 1, 2}) {
          auto const dividend = static_cast<int64_t>(units * divisor) + side;
          auto const whole = static_cast<float>(dividend / divisor);
          if (dividend == 0 || whole >= 0x1p24F) continue;
          auto const low = static_cast<float>(dividend % divisor) / static_cast<float>(divisor);
          auto const bits = sum_rounded_to_odd<ShortIntegers>(both(whole * ShortTerms::kUnit),
                                                              both(low * ShortTerms::kUnit));
          double const odd = std::bit_cast<float>(static_cast<int32_t>(bits[0]));
          double const exact = static_cast<double>(dividend) / divisor * ShortTerms::kUnit;
          ASSERT_EQ(narrowed<rowwise::BFloat16>(odd), narrowed<rowwise::BFloat16>(exact))
              << dividend << " / " << divisor;
          ASSERT_EQ(narrowed<rowwise::Float16>(odd), narrowed<rowwise::Float16>(exact))
              << dividend << " / " << divisor;
        }
      }
    }
  }
}

TEST(SparseSoftmaxOfFloat, ShortTermsGiveTheWeightsOfHalfTypes) {
  using Mapping = SparseSoftmax<float>;
  std::mt19937_64 random(14);
  for (int count = 1; count <= ShortTerms::kMost; ++count) {
    // Multiples of 2^-24 close enough for all to be in the support.
    std::vector<float> logits = {0.25F};
    while (static_cast<int>(logits.size()) < count) {
      auto const below = static_cast<float>(random() % (ShortTerms::kOne / count));
      logits.push_back(0.25F - below * ShortTerms::kUnit);
    }
    Mapping const mapping(0.25F, count);
    Mapping::Sum sum;
    ShortIntegers sums = {};
    Floats least = both(0.25F);
    for (float logit : logits) {
      sum.add(mapping.term(logit));
      sums += Mapping::short_terms<ShortIntegers>(both(logit), both(0.25F));
      least = both(std::min(logit, static_cast<float>(least[0])));
    }
    auto const threshold = mapping.threshold(sum);
    auto const rests = Mapping::short_rests(
        sums, ShortIntegers{} + count, Mapping::short_terms<ShortIntegers>(least, both(0.25F)));
    ASSERT_GT(rests[0], 0);
    auto const levels =
        Mapping::short_levels(least, __builtin_convertvector(rests, Floats) * ShortTerms::kUnit,
                              both(static_cast<float>(count)));
    for (float logit : logits) {
      double const weight = mapping.weight(mapping.term(logit), threshold);
      auto const bits = Mapping::short_weights<ShortIntegers>(
          Floats{logit, least[0] - ShortTerms::kUnit}, levels);
      double const odd = std::bit_cast<float>(static_cast<int32_t>(bits[0]));
      EXPECT_EQ(narrowed<rowwise::BFloat16>(odd), narrowed<rowwise::BFloat16>(weight)) << count;
      EXPECT_EQ(narrowed<rowwise::Float16>(odd), narrowed<rowwise::Float16>(weight)) << count;
      EXPECT_EQ(bits[1], 0);
    }
  }
}

TEST(WideTerms, HaveTheSmallestUnitForWhichTermsHave24Bits) {
  EXPECT_EQ(WideTerms(1).unit(), 0x1p-24F);
  EXPECT_EQ(WideTerms(0.5F).unit(), 0x1p-24F);
  EXPECT_EQ(WideTerms(0.499F).unit(), 0x1p-25F);
  EXPECT_EQ(WideTerms(0x1p-5F).unit(), 0x1p-28F);
  EXPECT_EQ(WideTerms(0).unit(), WideTerms::kSmallestUnit);
  for (float reach : {1.0F, 0.3F, 0.01F, 0.0F}) {
    WideTerms const wide(reach);
    EXPECT_EQ(wide.least_bfloat16(), 128 * wide.unit());
    EXPECT_LE(reach / wide.unit(), 0x1p24F);
  }
}

TEST(WideTerms, AreIntegersAndNoneIsTooLowForThem) {
  WideTerms const wide(1);
  float const infinity = std::numeric_limits<float>::infinity();
  auto const terms = wide.terms<ShortIntegers>(Floats{0.5F - 3 * wide.unit(), 1}, 1);
  EXPECT_EQ(terms[0], -(1 << 23) - 3);
  EXPECT_EQ(terms[1], 0);
  auto const low = wide.terms<ShortIntegers>(Floats{-infinity, -65504}, 1);
  EXPECT_EQ(low[0], WideTerms::kLowest);
  EXPECT_EQ(low[1], WideTerms::kLowest);
}

TEST(WideQuotients, AreAFloorAndARest) {
  std::mt19937_64 random(15);
  for (int trial = 0; trial < 100000; ++trial) {
    auto const divisor = static_cast<int64_t>(random() % (trial % 2 == 0 ? 2048 : 7) + 1);
    auto const any = static_cast<int64_t>(random() >> (14 + random() % 40));
    // Often one next to a multiple of the divisor.
    int64_t const dividend = -(trial % 3 == 0 ? any : any / divisor * divisor + trial % 5 - 2);
    auto const quotients = WideQuotients<Doubles>::of(Doubles{} + static_cast<double>(dividend),
                                                      Doubles{} + static_cast<double>(divisor));
    int64_t const floor = floor_divide(dividend, divisor);
    ASSERT_EQ(quotients.floor[0], static_cast<double>(floor)) << dividend << " / " << divisor;
    ASSERT_EQ(quotients.fraction[1],
              static_cast<double>(dividend - floor * divisor) / static_cast<double>(divisor));
  }
}

// Rows of numbers of a half type that are all in the support, and one below it.
template <class Scalar>
void expect_wide_weights_of(int count, std::mt19937_64& random) {
  using Mapping = SparseSoftmax<float>;
  // Less than 1 / count below 0.25, in steps of the half type's numbers there.
  float const step = std::is_same_v<Scalar, rowwise::Float16> ? 0x1p-13F : 0x1p-10F;
  auto const steps = std::max(1, static_cast<int>(1 / step) / count);
  std::vector<float> logits = {0.25F};
  while (static_cast<int>(logits.size()) < count) {
    logits.push_back(0.25F - static_cast<float>(static_cast<int>(random() % steps)) * step);
  }
  Mapping const mapping(0.25F, count);
  Mapping::Sum sum;
  for (float logit : logits) sum.add(mapping.term(logit));
  auto const expected = mapping.threshold(sum);

  WideTerms const wide(1.0F / static_cast<float>(count) + 0.01F);
  double of_terms = 0;
  for (float logit : logits) of_terms += wide.terms<ShortIntegers>(both(logit), 0.25F)[0];
  auto const thresholds =
      wide.thresholds(Doubles{} + of_terms, Doubles{} + static_cast<double>(count));
  auto const floor = static_cast<int32_t>(thresholds.floor[0]);
  auto const fraction = static_cast<float>(thresholds.fraction[0]);
  for (float logit : logits) {
    double const weight = mapping.weight(mapping.term(logit), expected);
    auto const terms = wide.terms<ShortIntegers>(Floats{logit, -1}, 0.25F);
    auto const weights = wide.weights<ShortIntegers, Floats>(terms, floor, fraction);
    int32_t const above = terms[0] - floor;
    if (count <= ShortTerms::kMost || above > WideTerms::kFew) {
      ASSERT_EQ(narrowed<Scalar>(weights[0]), narrowed<Scalar>(weight)) << count;
    }
    ASSERT_EQ(narrowed<Scalar>(wide.weight(above, thresholds.fraction[0])),
              narrowed<Scalar>(weight))
        << count;
    ASSERT_EQ(weights[1], 0);
  }
}

TEST(WideTerms, GiveTheWeightsOfHalfTypes) {
  std::mt19937_64 random(16);
  for (int count = 1; count <= 2048; count += 1 + count / 64) {
    expect_wide_weights_of<rowwise::Float16>(count, random);
    expect_wide_weights_of<rowwise::BFloat16>(count, random);
  }
}

// Any integer may be that many units above a threshold of any fraction.
TEST(WideTerms, WeightsAboveAFewUnitsAreRoundedOnceForAnySupport) {
  std::mt19937_64 random(17);
  WideTerms const wide(0);
  for (int trial = 0; trial < 200000; ++trial) {
    auto const count = static_cast<int64_t>(random() % (1 << 20) + 1);
    double const fraction = static_cast<double>(random() % count) / static_cast<double>(count);
    // Half of them next to the midpoints between two numbers of bfloat16.
    auto const any = static_cast<int32_t>(random() % (1 << 24));
    int const exponent = static_cast<int>(random() % 16);
    auto const midpoint = static_cast<int32_t>((2 * (random() % 128 + 128) + 1) << exponent);
    int32_t const above = std::max(WideTerms::kFew + 1, trial % 2 == 0 ? any : midpoint);
    auto const weights = wide.weights<ShortIntegers, Floats>(ShortIntegers{above, above + 1}, 0,
                                                             static_cast<float>(fraction));
    for (int i = 0; i < 2; ++i) {
      double const weight = wide.weight(above + i, fraction);
      ASSERT_EQ(narrowed<rowwise::BFloat16>(weights[i]), narrowed<rowwise::BFloat16>(weight));
      ASSERT_EQ(narrowed<rowwise::Float16>(weights[i]), narrowed<rowwise::Float16>(weight));
    }
  }
}

}  // namespace
}  // namespace zeta::mappings
