#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

#include "kernels.h"
#include "mappings/family.h"
#include "row_reference.h"
#include "rows.h"

// The members of the family whose threshold is searched for, on the CPU.
namespace zeta::rowwise {
namespace {

constexpr double kAlphas[] = {1, 1.01, 1.1, 1.25, 1.5, 1.75, 1.99};

template <class Scalar>
bool have_same_bits(std::vector<Scalar> const& a, std::vector<Scalar> const& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(Scalar)) == 0;
}

template <class Scalar>
void expect_near(std::vector<Scalar> const& weights, std::vector<Scalar> const& logits,
                 double alpha, int64_t k) {
  auto const expected = reference::forward_row(widened(logits), k, alpha);
  // Beside the rounding to Scalar, numbers of 53 bits are off by a few units.
  long double const tolerance = kTolerance<Scalar> + 0x1p-51L;
  long double worst = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    long double const weight = widen(weights[i]);
    if (expected[i] == 0) {
      ASSERT_LE(weight, 0x1p-90L) << i;
    }
    worst = std::max(worst, std::abs(weight - expected[i]));
  }
  EXPECT_LE(worst, tolerance) << "alpha " << alpha << ", n " << logits.size() << ", k " << k;
}

template <class Scalar>
class Entmax : public testing::Test {};
TYPED_TEST_SUITE(Entmax, Scalars);

TYPED_TEST(Entmax, IsNearTheReferenceOnEveryInstructionSet) {
  for (double const alpha : kAlphas) {
    auto const all_kernels = kernels_of_this_machine<TypeParam>(alpha);
    for (int64_t const length : {1, 2, 3, 7, 8, 9, 31, 64, 100, 257, 1000}) {
      for (double const scale : {0.01, 0.3, 1.0, 5.0, 100.0}) {
        auto const logits =
            normal_row<TypeParam>(length, scale, static_cast<uint64_t>(length * 7 + scale));
        for (int64_t const k : {int64_t{1}, int64_t{3}, int64_t{40}, length}) {
          std::vector<std::vector<TypeParam>> results;
          for (auto const& kernels : all_kernels) {
            std::vector<TypeParam> weights(logits.size());
            kernels.forward(alpha, contiguous_rows(1, length), weights.data(), logits.data(), k, 0,
                            1);
            results.push_back(weights);
            EXPECT_TRUE(have_same_bits(weights, results[0])) << alpha << " " << length << " " << k;
          }
          expect_near(results[0], logits, alpha, k);
        }
      }
    }
  }
}

// A term, and how many entries of a row have it.
struct Terms {
  double term;
  int64_t count;
};

template <class Mapping>
struct Searched {
  typename Mapping::Threshold threshold;
  int sums;
};

// Takes the curvatures times `factor`; with 0 the search is by Newton's method.
template <class Mapping, class Search>
Searched<Mapping> searched(Mapping const& mapping, std::vector<Terms> const& row, Search search,
                           double factor) {
  int sums = 0;
  for (bool is_over = false; !is_over && sums < 1000; ++sums) {
    mappings::RootSum sum;
    double curvatures = 0;
    for (auto const& [term, count] : row) {
      auto const level = mapping.level(term, search.point());
      sum.add(mapping.sum_of(level), count);
      if (level.is_above) curvatures += level.curvatures * static_cast<double>(count) * factor;
    }
    is_over = search.advance(sum, curvatures);
  }
  return {mapping.threshold(search), sums};
}

int sums_of_search(double alpha, int64_t length, std::vector<Terms> const& row) {
  return mappings::with_mapping(alpha, [&]<template <class> class MappingOf>() {
    using Mapping = MappingOf<double>;
    if constexpr (mappings::kHasSearch<Mapping>) {
      Mapping const mapping(0, Mapping::fixed(length, alpha));
      return std::max(searched(mapping, row, mapping.search(), 0).sums,
                      searched(mapping, row, mapping.search(), 1).sums);
    }
    return 0;
  });
}

TEST(RootSearch, TakesFewSums) {
  for (double const alpha : kAlphas) {
    for (int64_t const length : {1, 2, 3, 1000, 4096, 65536, 131072, 1 << 20, (1 << 24) + 1}) {
      EXPECT_LE(sums_of_search(alpha, length, {{0, length}}), 60) << alpha << " " << length;
      EXPECT_LE(sums_of_search(alpha, length, {{0, 1}}), 60) << alpha << " " << length;
      EXPECT_LE(sums_of_search(alpha, length, {{0, 1}, {-0.99, length}}), 60)
          << alpha << " " << length;
    }
  }
}

// Where every weight rounds to 0, rests alone make up the sum.
TEST(RootSearch, EndsForMoreEqualEntriesThan32BitsCount) {
  for (double const alpha : kAlphas) {
    for (int64_t const length : {(int64_t{1} << 31) + 1, int64_t{1} << 33}) {
      EXPECT_LE(sums_of_search(alpha, length, {{0, length}}), 200) << alpha << " " << length;
    }
  }
}

// Calls visit(mapping, row) for rows of some lengths and each alpha whose threshold is a root.
template <class Visit>
void for_each_row_with_root(Visit const& visit) {
  std::mt19937_64 generator(5);
  std::uniform_real_distribution<double> distances(0, 1);
  for (int64_t const length : {1, 2, 9, 200}) {
    std::vector<Terms> row = {{0, 1}};
    for (int64_t i = 1; i < length; ++i) row.push_back({-distances(generator), 1});
    for (double const alpha : kAlphas) {
      SCOPED_TRACE(testing::Message() << alpha << " " << length);
      mappings::with_mapping(alpha, [&]<template <class> class MappingOf>() {
        using Mapping = MappingOf<double>;
        if constexpr (mappings::kHasSearch<Mapping> && Mapping::kHasReach) {
          visit(Mapping(0, Mapping::fixed(length, alpha)), row);
        }
      });
    }
  }
}

// The root is a property of the row, not of the way to it: neither of where the search starts nor
// of the curvatures that it is given.
TEST(RootSearch, EveryWayLeadsToTheSameThreshold) {
  double const infinity = std::numeric_limits<double>::infinity();
  double const nan = std::numeric_limits<double>::quiet_NaN();
  for_each_row_with_root([&](auto const& mapping, std::vector<Terms> const& row) {
    auto const expected = searched(mapping, row, mapping.search(), 0).threshold;
    for (double const c : {1.0, 0.999, 0.5, 1e-3, 1e-12, 0.0, -0.3, 7.0, 1e300, nan, expected.root,
                           expected.root * 1.001, expected.root * 0.999}) {
      auto const start = mapping.threshold_below(-1 / mapping.b(), -std::min(c, 1.0) / mapping.b());
      for (double const factor : {0.0, 1.0, 0.5, -1.0, 1e9, infinity, nan}) {
        auto const result = searched(mapping, row, mapping.search(start), factor).threshold;
        EXPECT_EQ(result.root, expected.root) << c << " " << factor;
        EXPECT_EQ(result.c, expected.c) << c << " " << factor;
      }
    }
  });
}

// One sum where the search starts, one at the root, and one a unit below.
TEST(RootSearch, NearTheRootItTakesThreeSums) {
  for_each_row_with_root([](auto const& mapping, std::vector<Terms> const& row) {
    double const root = searched(mapping, row, mapping.search(), 0).threshold.root;
    double const error = 0x1p-18 * mapping.b();  // of estimates in float
    for (double const c : {root, root * (1 - error), std::min(1.0, root * (1 + error))}) {
      auto const start = mapping.threshold_below(-c / mapping.b(), -c / mapping.b());
      EXPECT_LE(searched(mapping, row, mapping.search(start), 1).sums, 3) << c - root;
    }
  });
}

TEST(RootSearch, WithoutTheMaximumItsRootIsOne) {
  mappings::Entmax15<float> const mapping(0, mappings::FixedPoint<float>(8));
  for (double const start : {1.0, 0.4, 0.0}) {
    auto search = mapping.search(mapping.threshold_below(-2 * start, -2 * start));
    int sums = 1;
    for (; !search.advance({}); ++sums) ASSERT_LT(sums, 200) << start;
    EXPECT_EQ(search.root(), 1) << start;
    EXPECT_EQ(mapping.threshold(search).c, 1) << start;
  }
}

TYPED_TEST(Entmax, PartsAndStridesChangeNoBit) {
  constexpr int64_t kLength = 3000;
  for (double const alpha : kAlphas) {
    for (double const scale : {0.001, 0.3, 3.0}) {
      auto const logits = normal_row<TypeParam>(kLength, scale, 5);
      for (int64_t const k : {int64_t{2}, int64_t{70}, int64_t{1500}, kLength}) {
        std::vector<TypeParam> expected(kLength);
        cpu::entmax(alpha, contiguous_rows(1, kLength), expected.data(), logits.data(), k, 0, 1);
        for (auto const& kernels : kernels_of_this_machine<TypeParam>(alpha)) {
          std::vector<TypeParam> weights(kLength);
          kernels.forward_split(alpha, weights.data(), logits.data(), kLength, k, 3,
                                [](int64_t count, auto* task, void* context) {
                                  for (int64_t i = 0; i < count; ++i) task(context, i);
                                });
          EXPECT_TRUE(have_same_bits(weights, expected)) << alpha << " " << scale << " " << k;
          std::vector<TypeParam> spread(2 * kLength);
          for (int64_t i = 0; i < kLength; ++i) spread[2 * i] = logits[i];
          RowGeometryBuilder<2> builder;
          builder.set_row(kLength, {1, 2});
          std::vector<TypeParam> strided(kLength);
          kernels.forward(alpha, builder.build(), strided.data(), spread.data(), k, 0, 1);
          EXPECT_TRUE(have_same_bits(strided, expected)) << alpha << " " << scale << " " << k;
        }
      }
    }
  }
}

// Rows of one geometry are taken in groups, and one that comes alone is not.
TYPED_TEST(Entmax, RowsThatComeTogetherHaveTheBitsOfEachAlone) {
  double const infinity = std::numeric_limits<double>::infinity();
  constexpr int64_t kRows = 37;
  std::mt19937_64 generator(3);
  for (double const alpha : kAlphas) {
    for (int64_t const length : {1, 2, 5, 8, 15, 16, 17, 33, 66, 100, 255, 1000, 2049, 4500}) {
      for (double const scale : {0.0, 0.02, 1.0, 8.0}) {
        auto logits = normal_row<TypeParam>(kRows * length, scale, generator());
        // Each fifth row is masked by half, and some have other unusual entries.
        for (int64_t row = 0; row < kRows; row += 5) {
          for (int64_t i = 0; i < length; ++i) {
            if (generator() % 2 == 0) logits[row * length + i] = narrow<TypeParam>(-infinity);
          }
        }
        for (int64_t row = 2; row < kRows; row += 11) {
          double const unusual = row % 3 == 0 ? -infinity : row % 3 == 1 ? infinity : NAN;
          for (int64_t i = row % 2; i < length; i += 3) {
            logits[row * length + i] = narrow<TypeParam>(unusual);
          }
        }
        for (int64_t const k : {int64_t{1}, int64_t{8}, int64_t{32}, int64_t{60}, length}) {
          if (k > length) continue;
          for (auto const& kernels : kernels_of_this_machine<TypeParam>(alpha)) {
            std::vector<TypeParam> together(kRows * length);
            std::vector<TypeParam> alone(kRows * length);
            kernels.forward(alpha, contiguous_rows(kRows, length), together.data(), logits.data(),
                            k, 0, kRows);
            for (int64_t row = 0; row < kRows; ++row) {
              kernels.forward(alpha, contiguous_rows(1, length), alone.data() + row * length,
                              logits.data() + row * length, k, 0, 1);
            }
            ASSERT_TRUE(have_same_bits(together, alone))
                << alpha << " " << length << " " << scale << " " << k;
          }
        }
      }
    }
  }
}

// What comes before and after an entry in the row decides what is listed when.
TYPED_TEST(Entmax, OrderChangesNoWeight) {
  constexpr int64_t kLength = 500;
  for (double const alpha : kAlphas) {
    auto logits = normal_row<TypeParam>(kLength, 0.5, 11);
    for (int64_t const k : {int64_t{5}, int64_t{100}, kLength}) {
      std::sort(logits.begin(), logits.end(),
                [](TypeParam a, TypeParam b) { return widen(a) < widen(b); });
      std::vector<TypeParam> ascending(kLength);
      cpu::entmax(alpha, contiguous_rows(1, kLength), ascending.data(), logits.data(), k, 0, 1);
      std::reverse(logits.begin(), logits.end());
      std::vector<TypeParam> descending(kLength);
      cpu::entmax(alpha, contiguous_rows(1, kLength), descending.data(), logits.data(), k, 0, 1);
      auto const by_weight = [](TypeParam a, TypeParam b) { return widen(a) < widen(b); };
      std::sort(ascending.begin(), ascending.end(), by_weight);
      std::sort(descending.begin(), descending.end(), by_weight);
      EXPECT_TRUE(have_same_bits(ascending, descending)) << alpha << " " << k;
    }
  }
}

TYPED_TEST(Entmax, TiesAndUnusualRows) {
  double const infinity = std::numeric_limits<double>::infinity();
  auto const row = [&](double alpha, std::vector<double> const& numbers, int64_t k) {
    std::vector<TypeParam> logits;
    for (double const number : numbers) logits.push_back(narrow<TypeParam>(number));
    std::vector<TypeParam> weights(logits.size());
    auto const length = static_cast<int64_t>(logits.size());
    cpu::entmax(alpha, contiguous_rows(1, length), weights.data(), logits.data(), k, 0, 1);
    return widened(weights);
  };
  for (double const alpha : kAlphas) {
    auto const tied = row(alpha, {1, 1, 1, 1}, 2);
    EXPECT_NEAR(tied[0], 0.5, 0x1p-52);
    EXPECT_EQ(tied, (std::vector<double>{tied[0], tied[0], 0, 0}));
    EXPECT_EQ(row(alpha, {-infinity, 2, -infinity}, 3), (std::vector<double>{0, 1, 0}));
    EXPECT_EQ(row(alpha, {0.0, -0.0, -5000}, 1), (std::vector<double>{1, 0, 0}));
    for (double const bad : {infinity, std::numeric_limits<double>::quiet_NaN()}) {
      for (double const weight : row(alpha, {1, bad, 0}, 1)) EXPECT_TRUE(std::isnan(weight));
    }
    for (double const weight : row(alpha, {-infinity, -infinity}, 2)) {
      EXPECT_TRUE(std::isnan(weight));
    }
  }
}

// Of equal entries all terms round alike, so that the sum keeps its value over many units of c.
TYPED_TEST(Entmax, LongRowsOfEqualEntries) {
  for (double const alpha : kAlphas) {
    for (int64_t const length : {4097, 65536, 1000003}) {
      std::vector<TypeParam> const logits(length, narrow<TypeParam>(0.5));
      std::vector<TypeParam> weights(length);
      cpu::entmax(alpha, contiguous_rows(1, length), weights.data(), logits.data(), length, 0, 1);
      double const expected = 1 / static_cast<double>(length);
      double const tolerance = 8 * kTolerance<TypeParam> * expected;
      // The smallest float16 numbers are multiples of 2^-24.
      double const unit = std::is_same_v<TypeParam, Float16> ? 0x1p-25 : 0;
      EXPECT_NEAR(widen(weights[0]), expected, tolerance + unit) << alpha << " " << length;
      EXPECT_TRUE(std::all_of(weights.begin(), weights.end(), [&](TypeParam weight) {
        return widen(weight) == widen(weights[0]);
      }));
    }
  }
}

TYPED_TEST(Entmax, BackwardIsTheDerivative) {
  for (double const alpha : kAlphas) {
    for (int64_t const length : {1, 5, 40, 300}) {
      auto const logits = normal_row<TypeParam>(length, 0.7, 3);
      auto const grads = normal_row<TypeParam>(length, 1, 4);
      std::vector<TypeParam> weights(length);
      cpu::entmax(alpha, contiguous_rows(1, length), weights.data(), logits.data(), 20, 0, 1);
      RowGeometryBuilder<3> builder;
      builder.set_row(length, {1, 1, 1});
      std::vector<TypeParam> result(length);
      cpu::entmax_backward(alpha, builder.build(), result.data(), grads.data(), weights.data(), 0,
                           1);
      auto const expected = reference::backward_row(widened(grads), widened(weights), alpha);
      for (int64_t i = 0; i < length; ++i) {
        EXPECT_LE(std::abs(widen(result[i]) - expected[i]),
                  kTolerance<TypeParam> * std::max(1.0L, std::abs(expected[i])) * 4)
            << alpha << " " << length;
      }
    }
  }
}

// Rows of an operand of the backwards, contiguous or side by side with a gap.
struct Strides {
  Strides(bool in_columns, int64_t rows, int64_t length)
      : column(in_columns ? rows + 1 : 1), row(in_columns ? 1 : length) {}

  int64_t at(int64_t of_row, int64_t of_column) const { return of_row * row + of_column * column; }

  int64_t column;
  int64_t row;
};

template <class Element>
std::vector<Element> laid_out(std::vector<Element> const& rows, Strides const& strides,
                              int64_t length) {
  auto const count = static_cast<int64_t>(rows.size()) / length;
  std::vector<Element> result(strides.at(count - 1, length - 1) + 1);
  for (int64_t row = 0; row < count; ++row) {
    for (int64_t i = 0; i < length; ++i) result[strides.at(row, i)] = rows[row * length + i];
  }
  return result;
}

template <class Scalar>
struct BackwardRows {
  double alpha;
  int64_t length;
  int64_t capacity;
  std::vector<Scalar> grads;
  std::vector<Scalar> weights;
  std::vector<int32_t> support;

  int64_t rows() const { return static_cast<int64_t>(grads.size()) / length; }
};

// The bits of all NaNs are one number here: which of them an operation gives is the processor's
// choice.
template <class Scalar>
std::vector<Scalar> with_one_nan(std::vector<Scalar> numbers) {
  for (Scalar& number : numbers) {
    if (std::isnan(widen(number))) number = narrow<Scalar>(-7);
  }
  return numbers;
}

template <class Scalar>
std::vector<Scalar> backward_of_weights(cpu::Kernels<Scalar> const& kernels,
                                        BackwardRows<Scalar> const& of, bool in_columns) {
  Strides const strides(in_columns, of.rows(), of.length);
  RowGeometryBuilder<3> builder;
  builder.set_row(of.length, {strides.column, strides.column, strides.column});
  builder.add_batch_dimension(of.rows(), {strides.row, strides.row, strides.row});
  auto result = laid_out(of.grads, strides, of.length);
  auto const grads = result;
  auto const weights = laid_out(of.weights, strides, of.length);
  kernels.backward(of.alpha, builder.build(), result.data(), grads.data(), weights.data(), 0,
                   of.rows());
  return with_one_nan(result);
}

template <class Scalar>
std::vector<Scalar> backward_of_support(cpu::Kernels<Scalar> const& kernels,
                                        BackwardRows<Scalar> const& of, bool in_columns,
                                        bool weights_in_columns) {
  Strides const strides(in_columns, of.rows(), of.length);
  Strides const of_weights(weights_in_columns, of.rows(), of.length);
  Strides const of_support(weights_in_columns, of.rows(), 1 + of.capacity);
  RowGeometryBuilder<4> builder;
  builder.set_row(of.length,
                  {strides.column, strides.column, of_weights.column, of_support.column});
  builder.add_batch_dimension(of.rows(),
                              {strides.row, strides.row, of_weights.row, of_support.row});
  auto const grads = laid_out(of.grads, strides, of.length);
  std::vector<Scalar> result(grads.size());
  // The gaps between columns are no rows.
  if (in_columns) {
    for (size_t i = of.rows(); i < result.size(); i += of.rows() + 1) result[i] = grads[i];
  }
  auto const weights = laid_out(of.weights, of_weights, of.length);
  auto const support = laid_out(of.support, of_support, 1 + of.capacity);
  kernels.support_backward(of.alpha, builder.build(), result.data(), grads.data(), weights.data(),
                           support.data(), of.capacity, 0, of.rows());
  return with_one_nan(result);
}

template <class Scalar>
void expect_same_backwards(BackwardRows<Scalar> const& of) {
  std::vector<std::vector<Scalar>> expected(2);
  for (auto const& kernels : kernels_of_this_machine<Scalar>(of.alpha)) {
    for (bool const in_columns : {false, true}) {
      auto const result = backward_of_weights(kernels, of, in_columns);
      if (expected[in_columns].empty()) expected[in_columns] = result;
      EXPECT_TRUE(have_same_bits(result, expected[in_columns])) << "of weights, " << in_columns;
      for (bool const weights_in_columns : {false, true}) {
        EXPECT_TRUE(have_same_bits(backward_of_support(kernels, of, in_columns, weights_in_columns),
                                   expected[in_columns]))
            << "of the support, " << in_columns << weights_in_columns;
      }
    }
  }
  Strides const columns(true, of.rows(), of.length);
  for (int64_t row = 0; row < of.rows(); ++row) {
    for (int64_t i = 0; i < of.length; ++i) {
      ASSERT_TRUE(have_same_bits(std::vector{expected[0][row * of.length + i]},
                                 std::vector{expected[1][columns.at(row, i)]}))
          << "row " << row << ", column " << i;
    }
  }
}

TYPED_TEST(Entmax, BackwardOfTheSupportIsThatOfTheWeights) {
  constexpr int64_t kRows = 35;
  std::vector<double> alphas(std::begin(kAlphas), std::end(kAlphas));
  alphas.push_back(2);
  for (double const alpha : alphas) {
    for (int64_t const length : {1, 7, 40, 300, 2500}) {
      for (int64_t const k : {int64_t{1}, int64_t{8}, length}) {
        SCOPED_TRACE(testing::Message() << "alpha " << alpha << ", n " << length << ", k " << k);
        int64_t const capacity = std::min(k, length);
        BackwardRows<TypeParam> rows = {alpha, length, capacity, {}, {}, {}};
        rows.grads = normal_row<TypeParam>(kRows * length, 1, 51);
        rows.weights.resize(rows.grads.size());
        rows.support.resize(kRows * (1 + capacity));
        auto logits = normal_row<TypeParam>(kRows * length, 0.5, 52);
        logits[length + length / 2] = narrow<TypeParam>(NAN);
        // Gradients off the support do not count, whatever they are.
        rows.grads[3 * length + length / 2] = narrow<TypeParam>(INFINITY);
        rows.grads[4 * length] = narrow<TypeParam>(NAN);
        RowGeometryBuilder<3> builder;
        builder.set_row(length, {1, 1, 1});
        builder.add_batch_dimension(kRows, {length, length, 1 + capacity});
        cpu::entmax_with_support(alpha, builder.build(), rows.weights.data(), logits.data(),
                                 rows.support.data(), k, 0, kRows);
        expect_same_backwards(rows);
      }
    }
  }
}

// Weights that no forward gives: not in [0, 1], or so small that their slope is 0. No sum
// overflows, and both backwards take them alike.
TYPED_TEST(Entmax, BackwardOfAnyWeights) {
  double const infinity = std::numeric_limits<double>::infinity();
  double const least = std::is_same_v<TypeParam, Float16> ? 0x1p-24
                       : sizeof(TypeParam) < 8            ? 0x1p-133
                                                          : 0x1p-1074;
  double const some[] = {0, -0.0, 0.25, 0.5, 1, -0.25, 1.5, 30000, infinity, -infinity, least};
  double const some_grads[] = {1, -2, 0.125, 60000, infinity, -infinity, NAN};
  std::vector<double> alphas(std::begin(kAlphas), std::end(kAlphas));
  for (double const alpha : alphas) {
    for (int64_t const length : {3, 20, 200}) {
      constexpr int64_t kRows = 40;
      std::mt19937_64 random(static_cast<uint64_t>(length));
      BackwardRows<TypeParam> rows = {alpha, length, length, {}, {}, {}};
      for (int64_t row = 0; row < kRows; ++row) {
        std::vector<int32_t> columns;
        for (int64_t i = 0; i < length; ++i) {
          auto const grad = some_grads[random() % (row % 2 == 0 ? 4 : std::size(some_grads))];
          double const weight = random() % 4 == 0 ? some[random() % std::size(some)] : 0;
          rows.grads.push_back(narrow<TypeParam>(grad));
          rows.weights.push_back(narrow<TypeParam>(weight));
          if (weight != 0) columns.push_back(static_cast<int32_t>(i));
        }
        rows.support.push_back(static_cast<int32_t>(columns.size()));
        columns.resize(length, -1);
        rows.support.insert(rows.support.end(), columns.begin(), columns.end());
      }
      SCOPED_TRACE(testing::Message() << "alpha " << alpha << ", n " << length);
      expect_same_backwards(rows);
      auto nearest = rows;
      for (TypeParam& weight : nearest.weights) {
        weight = narrow<TypeParam>(std::clamp<double>(widen(weight), 0, 1));
      }
      for (auto const& kernels : kernels_of_this_machine<TypeParam>(alpha)) {
        EXPECT_TRUE(have_same_bits(backward_of_weights(kernels, rows, false),
                                   backward_of_weights(kernels, nearest, false)));
      }
    }
  }
}

}  // namespace
}  // namespace zeta::rowwise
