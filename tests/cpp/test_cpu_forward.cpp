#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <type_traits>
#include <vector>

#include "../simt/guarded_array.h"
#include "row_reference.h"
#include "rows.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/ordered_key.h"

namespace zeta::rowwise {
namespace {

template <class Scalar>
class CpuForward : public testing::Test {};
TYPED_TEST_SUITE(CpuForward, Scalars);

template <class Scalar>
std::vector<long double> reference_row(std::vector<Scalar> const& logits, int64_t k) {
  return reference::forward_row(widened(logits), k);
}

TYPED_TEST(CpuForward, EqualsTheReference) {
  for (int64_t length : {1, 2, 3, 15, 16, 17, 31, 33, 255, 1023, 1025, 5000}) {
    for (int64_t k : {int64_t{1}, int64_t{2}, int64_t{3}, int64_t{32}, length - 1, length}) {
      for (double scale : {5.0, 1.0, 0.1, 0.001}) {
        if (k < 1) continue;
        auto const logits = normal_row<TypeParam>(length, scale, static_cast<uint64_t>(length + k));
        auto const weights = forward(logits, k);
        auto const expected = reference_row(logits, k);
        for (size_t column = 0; column < logits.size(); ++column) {
          ASSERT_NEAR(widen(weights[column]), expected[column], kTolerance<TypeParam>)
              << "length " << length << ", k " << k << ", scale " << scale << ", column " << column;
        }
      }
    }
  }
}

// Of rows of 2^40 entries, which leave 22 bits for the fractions of a term, or twice as many.
TYPED_TEST(CpuForward, SumsAsInTheRowThatTheEntriesAreOf) {
  constexpr int64_t kRows = 70;
  double const unit = std::is_same_v<TypeParam, double> ? 0x1p-44 : 0x1p-22;
  for (int64_t length : {2, 8, 20, 100, 600, 9000}) {
    for (int64_t k : {int64_t{1}, int64_t{2}, int64_t{4}, int64_t{40}, length}) {
      auto const logits = normal_row<TypeParam>(kRows * length, 0.3, static_cast<uint64_t>(k));
      auto geometry = contiguous_rows(kRows, length);
      geometry.full_length = int64_t{1} << 40;
      std::vector<TypeParam> weights(logits.size());
      cpu::entmax(kAlpha, geometry, weights.data(), logits.data(), k, 0, kRows);
      for (int64_t row = 0; row < kRows; ++row) {
        auto const first = logits.begin() + row * length;
        auto rounded = widened(std::vector<TypeParam>(first, first + length));
        double const maximum = *std::max_element(rounded.begin(), rounded.end());
        for (double& logit : rounded) {
          logit = maximum + std::nearbyint((logit - maximum) / unit) * unit;
        }
        auto const expected = reference::forward_row(rounded, k);
        for (int64_t column = 0; column < length; ++column) {
          ASSERT_NEAR(widen(weights[row * length + column]), expected[column],
                      kTolerance<TypeParam>)
              << "length " << length << ", k " << k << ", row " << row << ", column " << column;
        }
      }
    }
  }
}

TYPED_TEST(CpuForward, TiesGoToTheLowestColumns) {
  std::vector<TypeParam> logits(5000, narrow<TypeParam>(0.25));
  for (size_t column = 0; column < 20; ++column) logits[column] = narrow<TypeParam>(-3);
  auto const weights = forward(logits, 4);
  for (size_t column = 0; column < logits.size(); ++column) {
    EXPECT_EQ(widen(weights[column]), column >= 20 && column < 24 ? 0.25 : 0) << column;
  }
}

// The next larger number, behind more ties than are kept, in lists and in rows too dense for one.
TYPED_TEST(CpuForward, WhatIsALittleLargerThanTiesIsKept) {
  constexpr int64_t kLength = 5000;
  constexpr int64_t kLarger = 50;
  auto const tie = narrow<TypeParam>(0.25);
  auto const larger = scalar_of<TypeParam>(key_of(tie) + 1);
  std::vector<TypeParam> logits(kLength, tie);
  std::fill(logits.end() - kLarger, logits.end(), larger);
  for (int64_t k : {int64_t{51}, int64_t{300}, int64_t{3000}}) {
    auto const weights = forward(logits, k);
    for (int64_t column = 0; column < kLength; ++column) {
      bool const is_kept = column < k - kLarger || column >= kLength - kLarger;
      ASSERT_EQ(widen(weights[column]) != 0, is_kept) << "k " << k << ", column " << column;
    }
  }
}

TYPED_TEST(CpuForward, MinusZeroTiesWithZero) {
  auto const logits = std::vector{narrow<TypeParam>(-1), narrow<TypeParam>(-0.0),
                                  narrow<TypeParam>(0), narrow<TypeParam>(-0.0)};
  auto const weights = forward(logits, 1);
  EXPECT_EQ(widen(weights[1]), 1);
  EXPECT_EQ(widen(weights[2]), 0);
  EXPECT_FALSE(std::signbit(widen(weights[0])));
}

// Each new entry beats all before it, so that the candidates overflow again and again.
TYPED_TEST(CpuForward, AscendingRowsEqualTheReference) {
  for (int64_t k : {1, 7, 1000, 20000}) {
    std::vector<TypeParam> logits;
    for (int column = 0; column < 20000; ++column) {
      logits.push_back(narrow<TypeParam>(column / 40000.0));
    }
    auto const weights = forward(logits, k);
    auto const expected = reference_row(logits, k);
    for (size_t column = 0; column < logits.size(); ++column) {
      ASSERT_NEAR(widen(weights[column]), expected[column], kTolerance<TypeParam>) << column;
    }
  }
}

// Rows of which some are ordinary, and some hold ties, few distinct numbers, -inf, NaN or +inf.
template <class Scalar>
std::vector<Scalar> mixed_rows(int64_t rows, int64_t length) {
  double const infinity = std::numeric_limits<double>::infinity();
  std::mt19937_64 random(static_cast<uint64_t>(length));
  std::vector<Scalar> logits;
  for (int64_t row = 0; row < rows; ++row) {
    double const scale = std::vector{5.0, 1.0, 0.1, 0.01, 0.0}[static_cast<size_t>(row % 5)];
    auto values = normal_row<Scalar>(length, scale, random());
    auto const any = [&] { return random() % values.size(); };
    if (row % 7 == 1) values[any()] = narrow<Scalar>(row % 2 == 0 ? NAN : -NAN);
    if (row % 7 == 2) values[any()] = narrow<Scalar>(infinity);
    if (row % 7 == 3) std::fill_n(values.begin(), any(), narrow<Scalar>(-infinity));
    if (row % 7 == 4) {
      for (auto& value : values) value = narrow<Scalar>(std::rint(2 * widen(value)) / 4);
    }
    if (row % 7 == 5) {
      for (auto& value : values) value = narrow<Scalar>(random() % 2 == 0 ? 0.0 : -0.0);
    }
    logits.insert(logits.end(), values.begin(), values.end());
  }
  return logits;
}

template <class Scalar>
void expect_same_bits(std::vector<Scalar> const& actual, std::vector<Scalar> const& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    bool const both_nan =
        widen(actual[i]) != widen(actual[i]) && widen(expected[i]) != widen(expected[i]);
    ASSERT_TRUE(both_nan || std::memcmp(&actual[i], &expected[i], sizeof(Scalar)) == 0)
        << "entry " << i << ": " << widen(actual[i]) << " and " << widen(expected[i]);
  }
}

template <class Scalar>
std::vector<Scalar> forward_each_alone(std::vector<Scalar> const& logits, int64_t length,
                                       int64_t k) {
  std::vector<Scalar> weights;
  for (auto begin = logits.begin(); begin != logits.end(); begin += length) {
    auto const of_row = forward(std::vector<Scalar>(begin, begin + length), k);
    weights.insert(weights.end(), of_row.begin(), of_row.end());
  }
  return weights;
}

// Those that choose other code.
std::vector<int64_t> limits(int64_t length) {
  std::vector<int64_t> result;
  for (int64_t k :
       {int64_t{1}, int64_t{3}, int64_t{4}, int64_t{5}, int64_t{8}, int64_t{20}, length / 2}) {
    if (1 <= k && k < length) result.push_back(k);
  }
  result.push_back(length);
  return result;
}

// Many rows are taken together and one row alone, by other code. Guard pages follow the last entry.
TYPED_TEST(CpuForward, RowsTogetherHaveTheBitsOfEachAlone) {
  for (int64_t length : {1,  2,   3,   7,   8,   10,  15,  16,  17,   31,   32,   33,  40,
                         64, 100, 128, 129, 255, 256, 257, 512, 1024, 1025, 3000, 8192}) {
    int64_t const rows = length <= 64 ? 283 : 71;
    auto const logits = mixed_rows<TypeParam>(rows, length);
    simt::GuardedArray<TypeParam> guarded_logits(logits.size(), TypeParam{});
    std::copy(logits.begin(), logits.end(), guarded_logits.data());
    for (int64_t k : limits(length)) {
      SCOPED_TRACE(testing::Message() << "length " << length << ", k " << k);
      auto const expected = forward_each_alone(logits, length, k);
      simt::GuardedArray<TypeParam> guarded_weights(logits.size(), narrow<TypeParam>(-7));
      cpu::entmax(kAlpha, contiguous_rows(rows, length), guarded_weights.data(),
                  guarded_logits.data(), k, 0, rows);
      std::vector<TypeParam> together(guarded_weights.data(),
                                      guarded_weights.data() + logits.size());
      expect_same_bits(together, expected);
    }
  }
}

// Short rows are taken by code of their own, also one alone. Tiny numbers are finer than floats
// that hold the terms of half types.
TYPED_TEST(CpuForward, ShortRowsHaveTheBitsOfRowsWithMaskedEntriesBehind) {
  constexpr int64_t kLonger = 100;
  constexpr int64_t kRows = 71;
  for (int64_t length : {5, 6, 8, 9, 13, 16, 17, 20, 24, 25, 31, 32, 33, 48, 49, 63, 64}) {
    for (double scale : {1.0, 1e-4}) {
      auto logits = mixed_rows<TypeParam>(kRows, length);
      std::vector<TypeParam> longer;
      for (size_t i = 0; i < logits.size(); ++i) {
        logits[i] = narrow<TypeParam>(scale * widen(logits[i]));
        longer.push_back(logits[i]);
        if ((i + 1) % length == 0) {
          longer.resize(longer.size() + kLonger - length,
                        narrow<TypeParam>(-std::numeric_limits<double>::infinity()));
        }
      }
      for (int64_t k : limits(length)) {
        SCOPED_TRACE(testing::Message() << "length " << length << ", k " << k << ", " << scale);
        auto const of_longer = forward_each_alone(longer, kLonger, k);
        std::vector<TypeParam> expected;
        for (auto row = of_longer.begin(); row != of_longer.end(); row += kLonger) {
          expected.insert(expected.end(), row, row + length);
        }
        std::vector<TypeParam> weights(logits.size());
        cpu::entmax(kAlpha, contiguous_rows(kRows, length), weights.data(), logits.data(), k, 0,
                    kRows);
        expect_same_bits(weights, expected);
      }
    }
  }
}

// As many candidates in each row as its list has room for, about, and none among the last entries.
TYPED_TEST(CpuForward, FullListsOfAGroupHaveTheBitsOfEachAlone) {
  constexpr int64_t kRows = 71;
  constexpr int64_t kLongest = cpu::tuning::kLongestListOfGroup;
  for (int64_t length : {kLongest + 64, 2 * kLongest + 44, 5 * kLongest}) {
    for (int64_t candidates : {kLongest - 1, kLongest, kLongest + 1}) {
      auto logits = normal_row<TypeParam>(kRows * length, 0.001, static_cast<uint64_t>(length));
      for (auto row = logits.begin(); row != logits.end(); row += length) {
        std::fill(row + candidates, row + length, narrow<TypeParam>(-8));
      }
      for (int64_t k : limits(length)) {
        SCOPED_TRACE(testing::Message()
                     << length << " entries, " << candidates << " candidates, k " << k);
        std::vector<TypeParam> weights(logits.size());
        cpu::entmax(kAlpha, contiguous_rows(kRows, length), weights.data(), logits.data(), k, 0,
                    kRows);
        expect_same_bits(weights, forward_each_alone(logits, length, k));
      }
    }
  }
}

// Narrow rows, of which many entries are in the support. Their numbers near 0 are finer than the
// terms of half types; in a row of 2^40 entries all are.
TYPED_TEST(CpuForward, NarrowRowsHaveTheBitsOfEachAlone) {
  constexpr int64_t kRows = 71;
  for (int64_t length : {33, 40, 64, 65, 100, 256, 257, 512, 1000, 2048}) {
    for (double scale : {0.03, 0.01, 1e-4, 1e-6}) {
      auto logits = normal_row<TypeParam>(kRows * length, scale, static_cast<uint64_t>(length));
      // Some lie far from 0, and a row among them is masked.
      for (int64_t i = 20 * length; i < 50 * length; ++i) {
        logits[i] = narrow<TypeParam>(widen(logits[i]) + 2.5);
      }
      std::fill_n(logits.begin() + 30 * length, length,
                  narrow<TypeParam>(-std::numeric_limits<double>::infinity()));
      for (int64_t k : {int64_t{40}, length / 3, length}) {
        for (int64_t full_length : {length, int64_t{1} << 40}) {
          SCOPED_TRACE(testing::Message() << "length " << length << " of " << full_length << ", k "
                                          << k << ", scale " << scale);
          auto geometry = contiguous_rows(kRows, length);
          geometry.full_length = full_length;
          std::vector<TypeParam> together(logits.size());
          std::vector<TypeParam> alone(logits.size());
          cpu::entmax(kAlpha, geometry, together.data(), logits.data(), k, 0, kRows);
          for (int64_t row = 0; row < kRows; ++row) {
            cpu::entmax(kAlpha, geometry, alone.data(), logits.data(), k, row, row + 1);
          }
          expect_same_bits(together, alone);
        }
      }
    }
  }
}

TYPED_TEST(CpuForward, RowsInColumnsHaveTheBitsOfEachAlone) {
  constexpr int64_t kRows = 71;
  for (int64_t length : {1, 2, 7, 16, 33, 256, 1025}) {
    auto const logits = mixed_rows<TypeParam>(kRows, length);
    auto const transposed = [&](size_t i) {
      return i % static_cast<size_t>(length) * kRows + i / static_cast<size_t>(length);
    };
    std::vector<TypeParam> columns(logits.size());
    for (size_t i = 0; i < logits.size(); ++i) columns[transposed(i)] = logits[i];
    RowGeometryBuilder<2> builder;
    builder.set_row(length, {kRows, kRows});
    builder.add_batch_dimension(kRows, {1, 1});
    auto const geometry = builder.build();
    for (int64_t k : limits(length)) {
      SCOPED_TRACE(testing::Message() << "length " << length << ", k " << k);
      std::vector<TypeParam> weight_columns(logits.size());
      cpu::entmax(kAlpha, geometry, weight_columns.data(), columns.data(), k, 0, kRows);
      std::vector<TypeParam> weights(logits.size());
      for (size_t i = 0; i < logits.size(); ++i) weights[i] = weight_columns[transposed(i)];
      expect_same_bits(weights, forward_each_alone(logits, length, k));
    }
  }
}

// Memory that begins with a line of the caches.
template <class Scalar>
struct AlignedArray {
  explicit AlignedArray(int64_t count) : memory(static_cast<size_t>(count) * sizeof(Scalar) + 64) {
    void* first = memory.data();
    size_t space = memory.size();
    data = static_cast<Scalar*>(
        std::align(64, static_cast<size_t>(count) * sizeof(Scalar), first, space));
  }

  std::vector<char> memory;
  Scalar* data;
};

// Results that are large are written around the caches. A few of their rows show it.
TYPED_TEST(CpuForward, RowsOfLargeResultsHaveTheBitsOfEachAlone) {
  constexpr int64_t kBytes = int64_t{40} << 20;
  for (int64_t length : {8, 16, 20, 32, 64, 100, 256, 1000, 1024, 4096, 20000, 150000}) {
    int64_t const rows = kBytes / (length * static_cast<int64_t>(sizeof(TypeParam)));
    int64_t const shown = std::min<int64_t>(rows, length <= 64 ? 283 : length <= 4096 ? 71 : 14);
    auto const logits = mixed_rows<TypeParam>(shown, length);
    AlignedArray<TypeParam> large_logits(rows * length);
    AlignedArray<TypeParam> large_weights(rows * length);
    std::copy(logits.begin(), logits.end(), large_logits.data);
    for (int64_t k : limits(length)) {
      SCOPED_TRACE(testing::Message() << "length " << length << ", k " << k);
      cpu::entmax(kAlpha, contiguous_rows(rows, length), large_weights.data, large_logits.data, k,
                  0, shown);
      std::vector<TypeParam> const weights(large_weights.data, large_weights.data + shown * length);
      expect_same_bits(weights, forward_each_alone(logits, length, k));
    }
  }
}

TYPED_TEST(CpuForward, ARowInPartsHasTheBitsOfTheWhole) {
  constexpr int64_t kLength = 5000;
  constexpr int64_t kRows = 35;
  auto const logits = mixed_rows<TypeParam>(kRows, kLength);
  auto const in_order = [](int64_t count, void (*task)(void*, int64_t), void* context) {
    for (int64_t i = 0; i < count; ++i) task(context, i);
  };
  for (int64_t k : {int64_t{1}, int64_t{3}, int64_t{200}, kLength}) {
    for (int64_t parts : {1, 2, 7}) {
      for (int64_t row = 0; row < kRows; ++row) {
        SCOPED_TRACE(testing::Message() << "k " << k << ", parts " << parts << ", row " << row);
        auto const begin = logits.begin() + row * kLength;
        std::vector<TypeParam> const values(begin, begin + kLength);
        std::vector<TypeParam> weights(values.size(), narrow<TypeParam>(-7));
        cpu::entmax_split<TypeParam>(kAlpha, weights.data(), values.data(), kLength, k, parts,
                                     in_order);
        expect_same_bits(weights, forward(values, k));
      }
    }
  }
}

TYPED_TEST(CpuForward, RowsThatAreNotOrdinaryAreNaN) {
  double const infinity = std::numeric_limits<double>::infinity();
  double const nan = std::numeric_limits<double>::quiet_NaN();
  for (int64_t length : {100, 20000, 100000}) {
    auto const ordinary = normal_row<TypeParam>(length, 1, 5);
    for (double const odd : {infinity, nan, -nan}) {
      for (int64_t position : {int64_t{0}, int64_t{1}, length / 6, length / 2, length - 1}) {
        SCOPED_TRACE(testing::Message() << odd << " in " << position << " of " << length);
        auto logits = ordinary;
        logits[position] = narrow<TypeParam>(odd);
        if (std::signbit(odd)) {
          auto* const bytes = reinterpret_cast<unsigned char*>(&logits[position]);
          bytes[sizeof(TypeParam) - 1] |= 0x80;
        }
        auto const weights = forward(logits, 3);
        EXPECT_EQ(std::count_if(weights.begin(), weights.end(),
                                [](TypeParam weight) { return std::isnan(widen(weight)); }),
                  length);
      }
    }
  }
  std::vector<TypeParam> const masked(50, narrow<TypeParam>(-infinity));
  for (TypeParam const weight : forward(masked, 3)) EXPECT_TRUE(std::isnan(widen(weight)));
}

// Each row alone among ordinary ones, so that nothing but itself tells of it.
TYPED_TEST(CpuForward, AMaskedRowAmongOthersIsNaN) {
  double const infinity = std::numeric_limits<double>::infinity();
  constexpr int64_t kRows = 71;
  constexpr int64_t kMasked = 37;
  for (int64_t length : {1, 2, 7, 16, 20, 25, 33, 64, 100, 257, 1024, 3000}) {
    auto logits = normal_row<TypeParam>(kRows * length, 1, 6);
    std::fill_n(logits.begin() + kMasked * length, length, narrow<TypeParam>(-infinity));
    for (int64_t k : limits(length)) {
      SCOPED_TRACE(testing::Message() << "length " << length << ", k " << k);
      std::vector<TypeParam> weights(logits.size());
      cpu::entmax(kAlpha, contiguous_rows(kRows, length), weights.data(), logits.data(), k, 0,
                  kRows);
      for (int64_t i = 0; i < kRows * length; ++i) {
        ASSERT_EQ(std::isnan(widen(weights[i])), i / length == kMasked) << "entry " << i;
      }
    }
  }
}

TYPED_TEST(CpuForward, MaskedEntriesWeighNothing) {
  std::vector<TypeParam> logits(40, narrow<TypeParam>(-std::numeric_limits<double>::infinity()));
  logits[7] = narrow<TypeParam>(-2);
  logits[33] = narrow<TypeParam>(-2);
  auto const weights = forward(logits, 5);
  for (size_t column = 0; column < logits.size(); ++column) {
    EXPECT_EQ(widen(weights[column]), column == 7 || column == 33 ? 0.5 : 0);
  }
}

}  // namespace
}  // namespace zeta::rowwise
