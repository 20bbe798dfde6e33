#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "../simt/guarded_array.h"
#include "rowwise/cpu/sparse_softmax.h"
#include "rowwise/float16.h"
#include "rowwise/ordered_key.h"
#include "rowwise/row_geometry.h"

namespace zeta::rowwise {
namespace {

template <class Scalar>
RowGeometry<2> contiguous_rows(int64_t rows, int64_t length) {
  RowGeometryBuilder<2> builder;
  builder.set_row(length, {1, 1});
  builder.add_batch_dimension(rows, {length, length});
  return builder.build();
}

// By sorting, in long double.
template <class Scalar>
std::vector<double> reference_row(std::vector<Scalar> const& logits, int64_t k) {
  std::vector<size_t> order(logits.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return widen(logits[a]) > widen(logits[b]); });
  std::vector<double> weights(logits.size());
  long double const maximum = widen(logits[order[0]]);
  long double sum = 0;
  long double threshold = 0;
  size_t support = 0;
  for (size_t j = 0; j < order.size() && static_cast<int64_t>(j) < k; ++j) {
    long double const logit = widen(logits[order[j]]) - maximum;
    sum += logit;
    if (!(logit * static_cast<long double>(j + 1) > sum - 1)) break;
    support = j + 1;
    threshold = (sum - 1) / static_cast<long double>(support);
  }
  for (size_t j = 0; j < support; ++j) {
    weights[order[j]] = static_cast<double>(widen(logits[order[j]]) - maximum - threshold);
  }
  return weights;
}

template <class Scalar>
std::vector<Scalar> forward(std::vector<Scalar> const& logits, int64_t k) {
  auto const length = static_cast<int64_t>(logits.size());
  std::vector<Scalar> weights(logits.size(), narrow<Scalar>(-7));
  cpu::sparse_softmax(contiguous_rows<Scalar>(1, length), weights.data(), logits.data(), k, 0, 1);
  return weights;
}

template <class Scalar>
std::vector<Scalar> normal_row(int64_t length, double scale, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal(0, scale);
  std::vector<Scalar> row;
  for (int64_t column = 0; column < length; ++column) row.push_back(narrow<Scalar>(normal(random)));
  return row;
}

template <class Scalar>
constexpr double kTolerance = 0;
template <>
constexpr double kTolerance<float> = 0x1p-24;
template <>
constexpr double kTolerance<double> = 0x1p-52;
template <>
constexpr double kTolerance<Float16> = 0x1p-11;
template <>
constexpr double kTolerance<BFloat16> = 0x1p-8;

template <class Scalar>
class RowTest : public testing::Test {};
using Scalars = testing::Types<float, double, Float16, BFloat16>;
TYPED_TEST_SUITE(RowTest, Scalars);

TYPED_TEST(RowTest, EqualsTheReference) {
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

TYPED_TEST(RowTest, TiesGoToTheLowestColumns) {
  std::vector<TypeParam> logits(5000, narrow<TypeParam>(0.25));
  for (size_t column = 0; column < 20; ++column) logits[column] = narrow<TypeParam>(-3);
  auto const weights = forward(logits, 4);
  for (size_t column = 0; column < logits.size(); ++column) {
    EXPECT_EQ(widen(weights[column]), column >= 20 && column < 24 ? 0.25 : 0) << column;
  }
}

TYPED_TEST(RowTest, MinusZeroTiesWithZero) {
  auto const logits = std::vector{narrow<TypeParam>(-1), narrow<TypeParam>(-0.0),
                                  narrow<TypeParam>(0), narrow<TypeParam>(-0.0)};
  auto const weights = forward(logits, 1);
  EXPECT_EQ(widen(weights[1]), 1);
  EXPECT_EQ(widen(weights[2]), 0);
  EXPECT_FALSE(std::signbit(widen(weights[0])));
}

// Each new entry beats all before it, so that the candidates overflow again and again.
TYPED_TEST(RowTest, AscendingRowsEqualTheReference) {
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
  for (int64_t k : {int64_t{1}, int64_t{3}, int64_t{4}, int64_t{5}, int64_t{20}, length / 2}) {
    if (1 <= k && k < length) result.push_back(k);
  }
  result.push_back(length);
  return result;
}

// Many rows are taken together and one row alone, by other code. Guard pages follow the last entry.
TYPED_TEST(RowTest, RowsTogetherHaveTheBitsOfEachAlone) {
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
      cpu::sparse_softmax(contiguous_rows<TypeParam>(rows, length), guarded_weights.data(),
                          guarded_logits.data(), k, 0, rows);
      std::vector<TypeParam> together(guarded_weights.data(),
                                      guarded_weights.data() + logits.size());
      expect_same_bits(together, expected);
    }
  }
}

TYPED_TEST(RowTest, RowsInColumnsHaveTheBitsOfEachAlone) {
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
      cpu::sparse_softmax(geometry, weight_columns.data(), columns.data(), k, 0, kRows);
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
TYPED_TEST(RowTest, RowsOfLargeResultsHaveTheBitsOfEachAlone) {
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
      cpu::sparse_softmax(contiguous_rows<TypeParam>(rows, length), large_weights.data,
                          large_logits.data, k, 0, shown);
      std::vector<TypeParam> const weights(large_weights.data, large_weights.data + shown * length);
      expect_same_bits(weights, forward_each_alone(logits, length, k));
    }
  }
}

TYPED_TEST(RowTest, ARowInPartsHasTheBitsOfTheWhole) {
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
        cpu::sparse_softmax_split<TypeParam>(weights.data(), values.data(), kLength, k, parts,
                                             in_order);
        expect_same_bits(weights, forward(values, k));
      }
    }
  }
}

TYPED_TEST(RowTest, RowsThatAreNotOrdinaryAreNaN) {
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

TYPED_TEST(RowTest, MaskedEntriesWeighNothing) {
  std::vector<TypeParam> logits(40, narrow<TypeParam>(-std::numeric_limits<double>::infinity()));
  logits[7] = narrow<TypeParam>(-2);
  logits[33] = narrow<TypeParam>(-2);
  auto const weights = forward(logits, 5);
  for (size_t column = 0; column < logits.size(); ++column) {
    EXPECT_EQ(widen(weights[column]), column == 7 || column == 33 ? 0.5 : 0);
  }
}

TYPED_TEST(RowTest, BackwardIsTheProjectionOfTheGradient) {
  constexpr int64_t kLength = 100;
  auto const weights = forward(normal_row<TypeParam>(kLength, 0.2, 11), 20);
  auto const grad = normal_row<TypeParam>(kLength, 1, 12);
  std::vector<TypeParam> result(kLength, narrow<TypeParam>(-7));
  RowGeometryBuilder<3> builder;
  builder.set_row(kLength, {1, 1, 1});
  cpu::sparse_softmax_backward(builder.build(), result.data(), grad.data(), weights.data(), 0, 1);
  double mean = 0;
  double count = 0;
  for (size_t column = 0; column < kLength; ++column) {
    if (widen(weights[column]) == 0) continue;
    mean += widen(grad[column]);
    ++count;
  }
  mean /= count;
  EXPECT_GT(count, 1);
  for (size_t column = 0; column < kLength; ++column) {
    double const expected = widen(weights[column]) == 0 ? 0 : widen(grad[column]) - mean;
    EXPECT_NEAR(widen(result[column]), expected, 4 * kTolerance<TypeParam>) << column;
  }
}

// Rows of each kind: ordinary, NaN, with fewer non-zero weights than the capacity.
TYPED_TEST(RowTest, BackwardOfTheSupportIsThatOfTheWeights) {
  constexpr int64_t kRows = 70;
  for (int64_t length : {1, 15, 33, 64, 1000, 20000}) {
    for (int64_t k : {int64_t{1}, int64_t{3}, int64_t{40}, length}) {
      auto logits = normal_row<TypeParam>(kRows * length, 0.5, 21);
      logits[length + length / 2] = narrow<TypeParam>(std::numeric_limits<double>::infinity());
      auto const grad = normal_row<TypeParam>(kRows * length, 1, 22);
      std::vector<TypeParam> weights(logits.size());
      int64_t const capacity = std::min(k, length);
      std::vector<int32_t> support(kRows * (1 + capacity), 12345);
      RowGeometryBuilder<3> builder;
      builder.set_row(length, {1, 1, 1});
      builder.add_batch_dimension(kRows, {length, length, 1 + capacity});
      auto const geometry = builder.build();
      cpu::sparse_softmax_with_support(geometry, weights.data(), logits.data(), support.data(), k,
                                       0, kRows);

      std::vector<TypeParam> expected(logits.size());
      builder = {};
      builder.set_row(length, {1, 1, 1});
      builder.add_batch_dimension(kRows, {length, length, length});
      cpu::sparse_softmax_backward(builder.build(), expected.data(), grad.data(), weights.data(), 0,
                                   kRows);
      std::vector<TypeParam> result(logits.size(), narrow<TypeParam>(-7));
      cpu::sparse_softmax_support_backward(geometry, result.data(), grad.data(), support.data(),
                                           capacity, 0, kRows);
      for (size_t i = 0; i < result.size(); ++i) {
        double const number = widen(result[i]);
        if (std::isnan(number) && std::isnan(widen(expected[i]))) continue;
        ASSERT_EQ(number, widen(expected[i])) << "length " << length << ", k " << k << " at " << i;
      }
      for (int64_t row = 0; row < kRows; ++row) {
        auto const first = weights.begin() + row * length;
        auto const count =
            std::count_if(first, first + length, [](auto x) { return widen(x) != 0; });
        EXPECT_EQ(support[row * (1 + capacity)], row == 1 ? -1 : count);
      }
    }
  }
}

// Any numbers may stand in a support. Nothing beyond the operands' ends is read or written.
TYPED_TEST(RowTest, BackwardOfABadSupportStaysInBounds) {
  constexpr int64_t kRows = 40;
  std::mt19937_64 random(23);
  for (int64_t length : {1, 5, 64, 3000}) {
    for (int64_t capacity : {0, 1, 7, 100}) {
      auto const entries = static_cast<size_t>(kRows * length);
      simt::GuardedArray<TypeParam> grad(entries, narrow<TypeParam>(2));
      simt::GuardedArray<TypeParam> result(entries, narrow<TypeParam>(-7));
      simt::GuardedArray<int32_t> support(static_cast<size_t>(kRows * (1 + capacity)), 0);
      for (size_t i = 0; i < support.size(); ++i) {
        auto const any = static_cast<int32_t>(random());
        support[i] = random() % 4 == 0 ? any : any % (2 * static_cast<int32_t>(length));
      }
      for (int64_t row = 0; row < kRows; row += 3) support[row * (1 + capacity)] = INT32_MAX;
      RowGeometryBuilder<3> builder;
      builder.set_row(length, {1, 1, 1});
      builder.add_batch_dimension(kRows, {length, length, 1 + capacity});
      cpu::sparse_softmax_support_backward(builder.build(), result.data(), grad.data(),
                                           support.data(), capacity, 0, kRows);
      // The mean of equal gradients is their own number.
      for (size_t i = 0; i < entries; ++i) {
        EXPECT_TRUE(widen(result[i]) == 0 || std::isnan(widen(result[i]))) << widen(result[i]);
      }
    }
  }
}

TEST(RowGeometry, KeepsTheFirstOperands) {
  RowGeometryBuilder<3> builder;
  builder.add_batch_dimension(2, {60, 7, 900});
  builder.set_row(4, {5, 8, 1});
  builder.add_batch_dimension(5, {1, 100, 13});
  auto const geometry = builder.build();
  auto const two = first_operands<2>(geometry);
  for (int64_t row = 0; row < geometry.rows; ++row) {
    int64_t all[3];
    int64_t first[2];
    geometry.offsets(row, all);
    two.offsets(row, first);
    EXPECT_EQ(first[0], all[0]);
    EXPECT_EQ(first[1], all[1]);
    EXPECT_EQ(geometry.evenly_spaced_rows(row), 5 - row % 5);
  }
}

TEST(RowGeometry, WalksAnyStrides) {
  // Shape (2, 3, 4, 5), rows along dimension 2; operand 1 is transposed and expanded.
  RowGeometryBuilder<2> builder;
  builder.add_batch_dimension(2, {60, 0});
  builder.add_batch_dimension(3, {20, 1});
  builder.set_row(4, {5, 7});
  builder.add_batch_dimension(5, {1, 100});
  auto const geometry = builder.build();
  ASSERT_EQ(geometry.rows, 30);
  int64_t row = 0;
  for (int64_t a = 0; a < 2; ++a) {
    for (int64_t b = 0; b < 3; ++b) {
      for (int64_t d = 0; d < 5; ++d, ++row) {
        int64_t offsets[2];
        geometry.offsets(row, offsets);
        EXPECT_EQ(offsets[0], a * 60 + b * 20 + d);
        EXPECT_EQ(offsets[1], b + d * 100);
      }
    }
  }
}

TEST(RowGeometry, MergesWhatMemoryAllows) {
  RowGeometryBuilder<1> builder;
  builder.add_batch_dimension(2, {60});
  builder.add_batch_dimension(3, {20});
  builder.add_batch_dimension(1, {12345});
  builder.add_batch_dimension(4, {5});
  builder.set_row(5, {1});
  auto const geometry = builder.build();
  EXPECT_EQ(geometry.batch_dimensions, 1);
  EXPECT_EQ(geometry.rows, 24);
}

TEST(Float16, EveryCodeSurvivesWideningAndNarrowing) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    Float16 const half = {static_cast<uint16_t>(bits)};
    BFloat16 const bfloat = {static_cast<uint16_t>(bits)};
    if (!std::isnan(widen(half))) {
      EXPECT_EQ(narrow<Float16>(widen(half)).bits, bits);
    }
    if (!std::isnan(widen(bfloat))) {
      EXPECT_EQ(narrow<BFloat16>(widen(bfloat)).bits, bits);
    }
  }
  EXPECT_EQ(widen(Float16{0x3c01}), 1 + 0x1p-10F);
  EXPECT_EQ(widen(Float16{0x0001}), 0x1p-24F);
}

TEST(Float16, NarrowRoundsOnceToTheNearestAndTiesToEven) {
  EXPECT_EQ(narrow<Float16>(1 + 0x1p-11).bits, 0x3c00);
  EXPECT_EQ(narrow<Float16>(1 + 0x1p-11 + 0x1p-50).bits, 0x3c01);  // float would make it a tie
  EXPECT_EQ(narrow<Float16>(1 + 0x3p-11).bits, 0x3c02);
  EXPECT_EQ(narrow<Float16>(65519.99).bits, 0x7bff);
  EXPECT_EQ(narrow<Float16>(65520).bits, 0x7c00);
  EXPECT_EQ(narrow<Float16>(0x1p-25).bits, 0);
  EXPECT_EQ(narrow<Float16>(0x1p-25 + 0x1p-70).bits, 1);
  EXPECT_EQ(narrow<BFloat16>(1 + 0x1p-8).bits, 0x3f80);
  EXPECT_EQ(narrow<BFloat16>(1 + 0x1p-8 + 0x1p-50).bits, 0x3f81);
  EXPECT_EQ(narrow<BFloat16>(-(1 + 0x1p-8 + 0x1p-50)).bits, 0xbf81);
}

TYPED_TEST(RowTest, KeysKeepTheOrderAndGiveTheNumberBack) {
  auto row = normal_row<TypeParam>(200, 3, 9);
  std::sort(row.begin(), row.end(), [](auto a, auto b) { return widen(a) < widen(b); });
  for (size_t i = 1; i < row.size(); ++i) {
    EXPECT_EQ(key_of(row[i - 1]) < key_of(row[i]), widen(row[i - 1]) < widen(row[i]));
    EXPECT_EQ(widen(scalar_of<TypeParam>(key_of(row[i]))), widen(row[i]));
  }
}

}  // namespace
}  // namespace zeta::rowwise
