#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include "lanes.h"
#include "mappings/fixed_point.h"
#include "mappings/sparse_softmax.h"

// From logits to thresholds and weights.
namespace zeta::mappings {
namespace {

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

TEST(SparseSoftmaxOfFloat, LanesOfARowGiveWhatEachLogitGives) {
  using Mapping = SparseSoftmax<float>;
  std::mt19937_64 random(8);
  std::uniform_real_distribution<float> uniform(-1, 0);
  for (int trial = 0; trial < 1000; ++trial) {
    float const maximum = 8 * uniform(random);
    Mapping const mapping(maximum, int64_t{1} << (trial % 20));
    Doubles logits;
    for (int lane = 0; lane < kLanes; ++lane) logits[lane] = maximum + uniform(random);
    Mapping::Sum sum;
    sum.add(mapping.term(maximum), 2);
    sum.add(mapping.term(static_cast<float>(logits[0])));
    auto threshold = mapping.threshold(sum);
    // Where the first lane is the threshold itself, it is not above.
    if (trial % 3 == 0) threshold.integer = mapping.term(static_cast<float>(logits[0])).value;

    Doubles const terms = mapping.terms(logits);
    auto const is_above = mapping.is_above(terms, threshold);
    Doubles const weights = mapping.weights(terms, threshold);
    for (int lane = 0; lane < kLanes; ++lane) {
      auto const term = mapping.term(static_cast<float>(logits[lane]));
      EXPECT_EQ(std::bit_cast<int64_t>(static_cast<double>(terms[lane])) -
                    std::bit_cast<int64_t>(mapping.term_of_maximum()),
                term.value);
      EXPECT_EQ(is_above[lane] != 0, mapping.is_above(term, threshold));
      EXPECT_EQ(weights[lane], mapping.weight(term, threshold));
    }
  }
}

TEST(SparseSoftmaxOfFloat, LanesOfSeveralRowsGiveWhatEachRowGives) {
  using Mapping = SparseSoftmax<float>;
  std::mt19937_64 random(9);
  std::uniform_real_distribution<float> uniform(-1, 0);
  for (int trial = 0; trial < 1000; ++trial) {
    Mapping::Fixed const fixed(int64_t{1} << (trial % 20));
    Doubles maxima;
    Doubles logits;
    Integers sums;
    Integers counts;
    for (int lane = 0; lane < kLanes; ++lane) {
      maxima[lane] = 8 * uniform(random);
      logits[lane] = static_cast<float>(maxima[lane] + uniform(random));
      Mapping const mapping(static_cast<float>(maxima[lane]), fixed);
      auto const term = mapping.term(static_cast<float>(logits[lane])).value;
      counts[lane] = static_cast<int64_t>(random() % 4 + 1);
      sums[lane] = term * (counts[lane] - 1);
      // Where the sum is such that the logit is the threshold itself, it is not above.
      if (trial % 3 == 0) sums[lane] = term * counts[lane] + fixed.one();
    }
    Doubles const terms = Mapping::terms(logits, maxima, fixed);
    auto const thresholds = Mapping::thresholds<Doubles>(sums, counts, fixed);
    auto const is_above = Mapping::is_above(terms, thresholds);
    Doubles const weights = Mapping::weights(terms, thresholds);
    for (int lane = 0; lane < kLanes; ++lane) {
      Mapping const mapping(static_cast<float>(maxima[lane]), fixed);
      auto const term = mapping.term(static_cast<float>(logits[lane]));
      auto const threshold = mapping.threshold({{sums[lane]}, counts[lane]});
      EXPECT_EQ(is_above[lane] != 0, mapping.is_above(term, threshold));
      EXPECT_EQ(weights[lane], mapping.weight(term, threshold));
    }
  }
}

// The last logit is the threshold of those before it, rounded down, or a unit beside that.
TEST(SparseSoftmaxOfFloat, WeightsOfLargestAreThoseOfTheProjectionAroundTheThreshold) {
  using Mapping = SparseSoftmax<float>;
  Mapping::Fixed const fixed(4);
  Mapping const mapping(0, fixed);
  std::mt19937_64 random(10);
  for (int trial = 0; trial < 1000; ++trial) {
    Mapping::Term terms[4];
    Mapping::Sum sum;
    sum.add(terms[0]);
    for (int i = 1; i < 3; ++i) {
      terms[i].value = std::min(-static_cast<int64_t>(random() >> 16), terms[i - 1].value);
      sum.add(terms[i]);
    }
    auto threshold = mapping.threshold(sum);
    terms[3].value = threshold.integer + trial % 3 - 1;
    if (mapping.is_above(terms[3], threshold)) {
      sum.add(terms[3]);
      threshold = mapping.threshold(sum);
    }
    double logits[4];
    for (int i = 0; i < 4; ++i) logits[i] = static_cast<double>(terms[i].value) * fixed.unit();
    double weights[4];
    Mapping::weights_of_largest(logits, fixed, weights);
    for (int i = 0; i < 4; ++i) {
      bool const is_in = mapping.is_above(terms[i], threshold);
      EXPECT_EQ(weights[i], is_in ? mapping.weight(terms[i], threshold) : 0) << i;
    }
  }
}

// The weights of some logits by a form of terms, and whether it may be used.
template <class Terms, int Digits>
bool weights_of_terms(std::vector<float> const& logits, FixedPoint<float> const& fixed,
                      std::vector<double>& weights) {
  Terms const terms(*std::max_element(logits.begin(), logits.end()), fixed);
  auto const count = static_cast<int>(logits.size());
  typename Terms::Sum sum;
  float least_magnitude = std::numeric_limits<float>::infinity();
  for (float logit : logits) {
    terms.add(sum, logit);
    least_magnitude = std::min(least_magnitude, std::abs(logit));
  }
  auto const level = terms.level(sum, count);
  weights.clear();
  for (float logit : logits) {
    weights.push_back(terms.is_above(logit, level) ? terms.weight(logit, level) : 0);
  }
  return Terms::template is_exact<Digits>(least_magnitude, count, fixed);
}

TEST(SparseSoftmaxOfFloat, IntegerTermsGiveTheThresholdOfTheirSum) {
  using Mapping = SparseSoftmax<float>;
  std::mt19937_64 random(11);
  for (int64_t length : {int64_t{100}, int64_t{1} << 40}) {
    Mapping::Fixed const fixed(length);
    for (int trial = 0; trial < 200; ++trial) {
      std::vector<float> logits = {0};
      for (int i = 0; i < trial; ++i) {
        logits.push_back(-std::uniform_real_distribution<float>(0, 1)(random));
      }
      Mapping const mapping(0, fixed);
      Mapping::Sum sum;
      for (float logit : logits) sum.add(mapping.term(logit));
      auto const threshold = mapping.threshold(sum);
      std::vector<double> weights;
      EXPECT_TRUE((weights_of_terms<Mapping::IntegerTerms, 24>(logits, fixed, weights)));
      for (size_t i = 0; i < logits.size(); ++i) {
        auto const term = mapping.term(logits[i]);
        bool const is_in = mapping.is_above(term, threshold);
        EXPECT_EQ(weights[i], is_in ? mapping.weight(term, threshold) : 0) << trial << ", " << i;
      }
    }
  }
}

TEST(SparseSoftmaxOfFloat, CoarseTermsGiveTheNearestFloats) {
  using Mapping = SparseSoftmax<float>;
  Mapping::Fixed const fixed(2048);
  std::mt19937_64 random(12);
  for (int count : {1, 2, 3, 7, 100, 1000, 2047}) {
    // Of eight digits, and no coarser than so many have to be.
    std::vector<float> logits = {1};
    int const exponent = std::ilogb(static_cast<float>(count) + 1) + 2 - 24 + 7;
    float const least = std::ldexp(1.0F, exponent);
    while (static_cast<int>(logits.size()) < count) {
      float const scale = std::ldexp(1.0F, static_cast<int>(random() % 5));
      logits.push_back(least * scale * (1 + static_cast<float>(random() % 128) / 128));
    }
    std::vector<double> weights;
    std::vector<double> expected;
    ASSERT_TRUE((weights_of_terms<Mapping::CoarseTerms, 8>(logits, fixed, weights))) << count;
    weights_of_terms<Mapping::IntegerTerms, 8>(logits, fixed, expected);
    for (size_t i = 0; i < logits.size(); ++i) {
      EXPECT_EQ(weights[i], static_cast<float>(expected[i])) << count << ", " << i;
    }
  }
}

TEST(SparseSoftmaxOfFloat, CoarseTermsAreNoFinerThanFloatHolds) {
  using Coarse = SparseSoftmax<float>::CoarseTerms;
  FixedPoint<float> const fixed(2048);
  EXPECT_TRUE(Coarse::is_exact<8>(0x1p-14F, 3, fixed));
  EXPECT_FALSE(Coarse::is_exact<8>(0x1.fp-15F, 3, fixed));
  EXPECT_FALSE(Coarse::is_exact<8>(0x1p-14F, 4, fixed));
  EXPECT_FALSE(Coarse::is_exact<11>(0x1p-12F, 3, fixed));
  EXPECT_TRUE(Coarse::is_exact<11>(0x1p-11F, 3, fixed));
  // Nor than the row's own unit.
  EXPECT_FALSE(Coarse::is_exact<8>(1, 3, FixedPoint<float>(int64_t{1} << 42)));
}

// To so many digits, ties to even.
double rounded_to(int digits, double x) {
  if (x == 0) return 0;
  double const unit = std::ldexp(1.0, std::ilogb(x) - digits + 1);
  return std::nearbyint(x / unit) * unit;
}

// The weights of logits, larger first, as general kernels find them.
template <int K>
void weigh_in_general(float const (&logits)[K], FixedPoint<float> const& fixed,
                      double (&weights)[K]) {
  SparseSoftmax<float> const mapping(logits[0], fixed);
  SparseSoftmax<float>::Sum sum;
  auto threshold = mapping.lowest_threshold();
  for (int i = 0; i < K && logits[i] >= mapping.lower_bound(); ++i) {
    auto const term = mapping.term(logits[i]);
    if (!mapping.is_above(term, threshold)) break;
    sum.add(term);
    threshold = mapping.threshold(sum);
  }
  for (int i = 0; i < K; ++i) {
    weights[i] = i < sum.count ? mapping.weight(mapping.term(logits[i]), threshold) : 0;
  }
}

template <int K>
void expect_exact_weights_in_float() {
  using Mapping = SparseSoftmax<float>;
  Mapping::Fixed const fixed(512);
  EXPECT_TRUE(Mapping::has_weights_in_float<K>(fixed));
  std::mt19937_64 random(13);
  for (int digits : {8, 11, 12}) {
    int exact = 0;
    for (int trial = 0; trial < 20000; ++trial) {
      std::normal_distribution<double> normal(trial % 3, std::ldexp(1.0, -(trial % 6)));
      float logits[K];
      for (float& logit : logits) logit = static_cast<float>(rounded_to(digits, normal(random)));
      std::sort(logits, logits + K, std::greater<>());
      if (K > 1 && trial % 7 == 0) logits[K - 1] = -INFINITY;
      float weights[K];
      if (!Mapping::weights_of_largest(logits, weights)) continue;
      ++exact;
      double expected[K];
      weigh_in_general(logits, fixed, expected);
      for (int i = 0; i < K; ++i) {
        EXPECT_EQ(rounded_to(digits, weights[i]), rounded_to(digits, expected[i])) << i;
      }
    }
    EXPECT_GT(exact, 10000) << digits;
  }
}

TEST(SparseSoftmaxOfFloat, WeightsOfLargestInFloatAreRoundedAsExactOnes) {
  expect_exact_weights_in_float<1>();
  expect_exact_weights_in_float<2>();
  expect_exact_weights_in_float<3>();
  expect_exact_weights_in_float<4>();
  expect_exact_weights_in_float<5>();
  expect_exact_weights_in_float<8>();
}

template <int K>
bool has_exact_weights_in_float(float const (&logits)[K]) {
  float weights[K];
  return SparseSoftmax<float>::weights_of_largest(logits, weights);
}

TEST(SparseSoftmaxOfFloat, WeightsOfLargestInFloatAreOfNoFinerLogitsThanFloatHolds) {
  EXPECT_TRUE(has_exact_weights_in_float({0.5F, 0x1p-22F}));
  EXPECT_FALSE(has_exact_weights_in_float({0.5F, 0x1p-23F}));
  EXPECT_FALSE(has_exact_weights_in_float({0x1p-23F, 0.0F}));
  EXPECT_FALSE(has_exact_weights_in_float({1.0F, 0x1p-23F}));
  EXPECT_TRUE(has_exact_weights_in_float({1.5F, 0x1p-23F}));
  EXPECT_TRUE(has_exact_weights_in_float({0.5F, 0x1p-20F, 0, 0, 0}));
  EXPECT_FALSE(has_exact_weights_in_float({0.5F, 0x1p-21F, 0, 0, 0}));
  // Nor of rows with a coarser unit.
  FixedPoint<float> const coarse(int64_t{1} << 41);
  EXPECT_FALSE(SparseSoftmax<float>::has_weights_in_float<4>(coarse));
  EXPECT_TRUE(SparseSoftmax<float>::has_weights_in_float<5>(coarse));
}

TEST(SparseSoftmaxOfFloat, WeightsOfLargestAreNoMoreThanK) {
  struct {
    double weights[2];
    double beyond = -7;
  } result;
  SparseSoftmax<float>::weights_of_largest({1.0, 0.5}, FixedPoint<float>(2), result.weights);
  EXPECT_EQ(result.weights[1], 0.25);
  EXPECT_EQ(result.beyond, -7);
}

// Of a term that is above the quotient, and below what the quotient of doubles rounds to.
TEST(SparseSoftmaxOfFloat, KeepsALogitAHairAboveTheThreshold) {
  constexpr int64_t kCount = 3071;
  SparseSoftmax<float> const mapping(0.5, kCount);
  SparseSoftmax<float>::Term const term = {605553 - (int64_t{1} << 49)};
  int64_t const sum = term.value * kCount - 14 + (int64_t{1} << 50);
  EXPECT_TRUE(mapping.is_above(term, mapping.threshold({{sum}, kCount})));
}

TEST(SparseSoftmaxOfFloat, EstimatesTheThresholdOfASum) {
  EXPECT_EQ(SparseSoftmax<float>::estimated_threshold(-0.5F, 2), -0.75F);
}

TEST(SparseSoftmaxOfFloat, SlopesAreOneOnTheSupport) {
  SparseSoftmax<float>::Slope const slope(/*alpha=*/2);
  EXPECT_EQ(slope(0.0), 0);
  EXPECT_EQ(slope(-0.0), 0);
  EXPECT_EQ(slope(0.25), 1);
  EXPECT_EQ(slope(1.0), 1);
  EXPECT_TRUE(std::isnan(slope(NAN)));
}

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

TYPED_TEST_SUITE(SparseSoftmaxTest, Reals);

TYPED_TEST(SparseSoftmaxTest, GivesKnownProjections) {
  using Row = std::vector<TypeParam>;
  EXPECT_EQ(project(Row{2.0, 1.5, 0.125, -1.0, 3.25, 0.75}),
            (std::vector<double>{0, 0, 0, 0, 1, 0}));
  EXPECT_EQ(project(Row{0.5, 0.5}), (std::vector<double>{0.5, 0.5}));
  EXPECT_EQ(project(Row{1.0, 0.5}), (std::vector<double>{0.75, 0.25}));
  EXPECT_EQ(project(Row{7}), (std::vector<double>{1}));
  EXPECT_EQ(project(Row{1.0, 0.125}), (std::vector<double>{0.9375, 0.0625}));
}

TYPED_TEST(SparseSoftmaxTest, ReachesOneBelowTheMaximum) {
  SparseSoftmax<TypeParam> const mapping(5, 3);
  EXPECT_EQ(mapping.lower_bound(), 4);
  auto const threshold = mapping.lowest_threshold();
  EXPECT_FALSE(mapping.is_above(mapping.term(4), threshold));
  EXPECT_TRUE(
      mapping.is_above(mapping.term(std::nextafter(TypeParam{4}, TypeParam{5})), threshold));
}

TYPED_TEST(SparseSoftmaxTest, SumsAddInAnyGroups) {
  SparseSoftmax<TypeParam> const mapping(0, 100);
  auto const term = mapping.term(-0.25);
  typename SparseSoftmax<TypeParam>::Sum sum;
  sum.add(term, 3);
  sum.add(term);
  typename SparseSoftmax<TypeParam>::Sum twice;
  twice.add(sum);
  twice.add(sum);
  EXPECT_EQ(twice.count, 8);
  EXPECT_EQ(mapping.weight(term, mapping.threshold(twice)), 0.125);
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

}  // namespace
}  // namespace zeta::mappings
