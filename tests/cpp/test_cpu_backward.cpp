#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

#include "../simt/guarded_array.h"
#include "row_reference.h"
#include "rows.h"

namespace zeta::rowwise {
namespace {

template <class Scalar>
class CpuBackward : public testing::Test {};
TYPED_TEST_SUITE(CpuBackward, Scalars);

TYPED_TEST(CpuBackward, BackwardIsTheProjectionOfTheGradient) {
  constexpr int64_t kLength = 100;
  auto const weights = forward(normal_row<TypeParam>(kLength, 0.2, 11), 20);
  auto const grad = normal_row<TypeParam>(kLength, 1, 12);
  std::vector<TypeParam> result(kLength, narrow<TypeParam>(-7));
  RowGeometryBuilder<3> builder;
  builder.set_row(kLength, {1, 1, 1});
  cpu::entmax_backward(kAlpha, builder.build(), result.data(), grad.data(), weights.data(), 0, 1);
  auto const expected = reference::backward_row(widened(grad), widened(weights));
  EXPECT_GT(std::count_if(expected.begin(), expected.end(), [](auto x) { return x != 0; }), 1);
  for (size_t column = 0; column < kLength; ++column) {
    EXPECT_NEAR(widen(result[column]), expected[column], 4 * kTolerance<TypeParam>) << column;
  }
}

// The gradients are scaled by the largest of them, wherever it is.
TYPED_TEST(CpuBackward, OneGradientMayBeMuchLargerThanTheOthers) {
  constexpr int64_t kLength = 200;
  auto const weights = forward(normal_row<TypeParam>(kLength, 0.001, 13), kLength);
  for (int64_t large = 0; large < kLength; ++large) {
    auto grad = normal_row<TypeParam>(kLength, 0.001, 14);
    grad[large] = narrow<TypeParam>(60000);
    std::vector<TypeParam> result(kLength, narrow<TypeParam>(-7));
    RowGeometryBuilder<3> builder;
    builder.set_row(kLength, {1, 1, 1});
    cpu::entmax_backward(kAlpha, builder.build(), result.data(), grad.data(), weights.data(), 0, 1);
    auto const expected = reference::backward_row(widened(grad), widened(weights));
    for (size_t column = 0; column < kLength; ++column) {
      ASSERT_NEAR(widen(result[column]), expected[column], 60000 * 2 * kTolerance<TypeParam>)
          << column << " beside " << large;
    }
  }
}

// Of rows of 2^40 entries, whose products keep 22 bits, or twice as many.
TYPED_TEST(CpuBackward, SumsAsInTheRowThatTheEntriesAreOf) {
  constexpr int64_t kRows = 20;
  double const unit = std::is_same_v<TypeParam, double> ? 0x1p-44 : 0x1p-22;
  for (int64_t length : {5, 100, 3000}) {
    auto const logits = normal_row<TypeParam>(kRows * length, 0.05, 31);
    auto const grad = normal_row<TypeParam>(kRows * length, 1, 32);
    std::vector<TypeParam> weights(logits.size());
    cpu::entmax(kAlpha, contiguous_rows(kRows, length), weights.data(), logits.data(), length, 0,
                kRows);
    for (int64_t const stride : {int64_t{1}, kRows}) {
      RowGeometryBuilder<3> builder;
      builder.set_row(length, {stride, 1, 1});
      builder.add_batch_dimension(kRows, {stride == 1 ? length : 1, length, length});
      auto geometry = builder.build();
      geometry.full_length = int64_t{1} << 40;
      std::vector<TypeParam> result(logits.size());
      cpu::entmax_backward(kAlpha, geometry, result.data(), grad.data(), weights.data(), 0, kRows);
      for (int64_t row = 0; row < kRows; ++row) {
        auto const of_row = [&](auto const& operand) {
          auto const first = operand.begin() + row * length;
          return widened(std::vector<TypeParam>(first, first + length));
        };
        auto const weight_row = of_row(weights);
        auto const grad_row = of_row(grad);
        double largest = 0;
        for (int64_t i = 0; i < length; ++i) {
          if (weight_row[i] != 0) largest = std::max(largest, std::abs(grad_row[i]));
        }
        double const step = std::exp2(std::floor(std::log2(largest)) + 1) * unit;
        auto rounded = grad_row;
        for (double& number : rounded) number = std::nearbyint(number / step) * step;
        auto const expected = reference::backward_row(rounded, weight_row);
        for (int64_t i = 0; i < length; ++i) {
          long double const shift = weight_row[i] != 0 ? grad_row[i] - rounded[i] : 0;
          int64_t const place = stride == 1 ? row * length + i : i * kRows + row;
          ASSERT_NEAR(widen(result[place]), expected[i] + shift, 4 * kTolerance<TypeParam>)
              << "length " << length << ", row " << row << ", column " << i;
        }
      }
    }
  }
}

// Rows of each kind: ordinary, NaN, with fewer non-zero weights than the capacity.
TYPED_TEST(CpuBackward, BackwardOfTheSupportIsThatOfTheWeights) {
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
      cpu::entmax_with_support(kAlpha, geometry, weights.data(), logits.data(), support.data(), k,
                               0, kRows);

      std::vector<TypeParam> expected(logits.size());
      builder = {};
      builder.set_row(length, {1, 1, 1});
      builder.add_batch_dimension(kRows, {length, length, length});
      cpu::entmax_backward(kAlpha, builder.build(), expected.data(), grad.data(), weights.data(), 0,
                           kRows);
      std::vector<TypeParam> result(logits.size(), narrow<TypeParam>(-7));
      cpu::entmax_support_backward(kAlpha, geometry, result.data(), grad.data(), support.data(),
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

// Where the entries of rows lie: side by side, or those of one column side by side.
enum class Layout { kRows, kColumns };
constexpr Layout kLayouts[] = {Layout::kRows, Layout::kColumns};

// The rows of three batches of rows, too many for one step of any pass.
constexpr int64_t kBatches = 3;
constexpr int64_t kRowsOfBatch = 150;
constexpr int64_t kRowsOfAll = kBatches * kRowsOfBatch;

struct Strides {
  int64_t column;
  int64_t row;
  int64_t batch;

  // The columns of each operand are some entries apart, which belong to none.
  Strides(int64_t length, Layout layout, int operand)
      : column(layout == Layout::kRows ? 1 : kRowsOfBatch + operand),
        row(layout == Layout::kRows ? length : 1),
        batch(layout == Layout::kRows ? kRowsOfBatch * length : column * length) {}
};

template <class Element>
std::vector<Element> laid_out(std::vector<Element> const& rows, Layout layout, int operand) {
  auto const length = static_cast<int64_t>(rows.size()) / kRowsOfAll;
  Strides const strides(length, layout, operand);
  std::vector<Element> result(static_cast<size_t>(kBatches * strides.batch));
  for (int64_t row = 0; row < kRowsOfAll; ++row) {
    int64_t const first = row / kRowsOfBatch * strides.batch + row % kRowsOfBatch * strides.row;
    for (int64_t column = 0; column < length; ++column) {
      result[first + column * strides.column] = rows[row * length + column];
    }
  }
  return result;
}

RowGeometry<3> geometry_of(int64_t length, Layout const (&layouts)[3], int64_t length_of_last) {
  std::array<int64_t, 3> of_column;
  std::array<int64_t, 3> of_row;
  std::array<int64_t, 3> of_batch;
  for (int operand = 0; operand < 3; ++operand) {
    Strides const strides(operand == 2 ? length_of_last : length, layouts[operand], operand);
    of_column[operand] = strides.column;
    of_row[operand] = strides.row;
    of_batch[operand] = strides.batch;
  }
  RowGeometryBuilder<3> builder;
  builder.set_row(length, of_column);
  builder.add_batch_dimension(kRowsOfBatch, of_row);
  builder.add_batch_dimension(kBatches, of_batch);
  return builder.build();
}

// `rows`, but those before the first and from the last on are `untouched`.
template <class Element>
std::vector<Element> range_of(std::vector<Element> rows, int64_t first_row, int64_t last_row,
                              Element untouched) {
  auto const length = static_cast<int64_t>(rows.size()) / kRowsOfAll;
  std::fill(rows.begin(), rows.begin() + first_row * length, untouched);
  std::fill(rows.begin() + last_row * length, rows.end(), untouched);
  return rows;
}

template <class Element>
void expect_same(std::vector<Element> const& actual, std::vector<Element> const& expected) {
  for (size_t i = 0; i < actual.size(); ++i) {
    double const number = widen(actual[i]);
    if (std::isnan(number) && std::isnan(widen(expected[i]))) continue;
    ASSERT_EQ(number, widen(expected[i])) << "entry " << i;
  }
}

TYPED_TEST(CpuBackward, ResultsDoNotDependOnHowRowsLie) {
  constexpr int64_t kFirst = 5;
  constexpr int64_t kLast = kRowsOfAll - 7;
  auto const untouched = narrow<TypeParam>(-7);
  Layout const rows[] = {Layout::kRows, Layout::kRows, Layout::kRows};
  for (int64_t length : {1, 7, 33, 300}) {
    for (int64_t k : {int64_t{1}, int64_t{4}, length}) {
      SCOPED_TRACE(testing::Message() << "length " << length << ", k " << k);
      int64_t const capacity = std::min(k, length);
      auto logits = normal_row<TypeParam>(kRowsOfAll * length, 0.2, 41);
      logits[200 * length + length / 2] = narrow<TypeParam>(NAN);
      auto const grad = normal_row<TypeParam>(kRowsOfAll * length, 1, 42);
      std::vector<TypeParam> weights(logits.size());
      std::vector<TypeParam> expected(logits.size());
      std::vector<int32_t> support(kRowsOfAll * (1 + capacity));
      cpu::entmax_with_support(kAlpha, geometry_of(length, rows, 1 + capacity), weights.data(),
                               logits.data(), support.data(), k, 0, kRowsOfAll);
      cpu::entmax_backward(kAlpha, geometry_of(length, rows, length), expected.data(), grad.data(),
                           weights.data(), 0, kRowsOfAll);
      expected = range_of(expected, kFirst, kLast, untouched);
      auto const untouched_rows = std::vector(logits.size(), untouched);
      auto const zeros = range_of(std::vector<TypeParam>(logits.size()), kFirst, kLast, untouched);
      for (Layout const first : kLayouts) {
        for (Layout const second : kLayouts) {
          auto result = laid_out(untouched_rows, first, 0);
          std::vector<int32_t> columns(support.size(), 12345);
          cpu::entmax_with_support(
              kAlpha, geometry_of(length, {first, second, Layout::kRows}, 1 + capacity),
              result.data(), laid_out(logits, second, 1).data(), columns.data(), k, kFirst, kLast);
          expect_same(result, laid_out(range_of(weights, kFirst, kLast, untouched), first, 0));
          EXPECT_EQ(columns, range_of(support, kFirst, kLast, 12345));
          for (Layout const third : kLayouts) {
            result = laid_out(untouched_rows, first, 0);
            cpu::entmax_backward(kAlpha, geometry_of(length, {first, second, third}, length),
                                 result.data(), laid_out(grad, second, 1).data(),
                                 laid_out(weights, third, 2).data(), kFirst, kLast);
            expect_same(result, laid_out(expected, first, 0));
            // Of rows that are not contiguous, only what is not zero is written.
            result = laid_out(zeros, first, 0);
            cpu::entmax_support_backward(
                kAlpha, geometry_of(length, {first, second, third}, 1 + capacity), result.data(),
                laid_out(grad, second, 1).data(), laid_out(support, third, 2).data(), capacity,
                kFirst, kLast);
            expect_same(result, laid_out(expected, first, 0));
          }
        }
      }
    }
  }
}

// Any numbers may stand in a support. Nothing before or beyond the operands is read or written.
TYPED_TEST(CpuBackward, BackwardOfABadSupportStaysInBounds) {
  constexpr int64_t kRows = 40;
  std::mt19937_64 random(23);
  for (auto const near : {simt::Guard::kBefore, simt::Guard::kAfter}) {
    for (int64_t length : {1, 5, 64, 3000}) {
      for (int64_t capacity : {0, 1, 7, 100}) {
        auto const entries = static_cast<size_t>(kRows * length);
        simt::GuardedArray<TypeParam> grad(entries, narrow<TypeParam>(2), near);
        simt::GuardedArray<TypeParam> result(entries, narrow<TypeParam>(-7), near);
        simt::GuardedArray<int32_t> support(static_cast<size_t>(kRows * (1 + capacity)), 0, near);
        for (size_t i = 0; i < support.size(); ++i) {
          auto const any = static_cast<int32_t>(random());
          support[i] = random() % 4 == 0 ? any : any % (2 * static_cast<int32_t>(length));
        }
        for (int64_t row = 0; row < kRows; row += 3) support[row * (1 + capacity)] = INT32_MAX;
        if (capacity > 0) {
          support[1] = -1;
          support[(kRows - 1) * (1 + capacity) + 1] = static_cast<int32_t>(length);
        }
        RowGeometryBuilder<3> builder;
        builder.set_row(length, {1, 1, 1});
        builder.add_batch_dimension(kRows, {length, length, 1 + capacity});
        cpu::entmax_support_backward(kAlpha, builder.build(), result.data(), grad.data(),
                                     support.data(), capacity, 0, kRows);
        // The mean of equal gradients is their own number.
        for (size_t i = 0; i < entries; ++i) {
          EXPECT_TRUE(widen(result[i]) == 0 || std::isnan(widen(result[i]))) << widen(result[i]);
        }
      }
    }
  }
}

}  // namespace
}  // namespace zeta::rowwise
