#include <gtest/gtest.h>

#include <algorithm>
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
  cpu::sparse_softmax_backward(builder.build(), result.data(), grad.data(), weights.data(), 0, 1);
  auto const expected = reference::backward_row(widened(grad), widened(weights));
  EXPECT_GT(std::count_if(expected.begin(), expected.end(), [](auto x) { return x != 0; }), 1);
  for (size_t column = 0; column < kLength; ++column) {
    EXPECT_NEAR(widen(result[column]), expected[column], 4 * kTolerance<TypeParam>) << column;
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
    cpu::sparse_softmax(contiguous_rows(kRows, length), weights.data(), logits.data(), length, 0,
                        kRows);
    for (int64_t const stride : {int64_t{1}, kRows}) {
      RowGeometryBuilder<3> builder;
      builder.set_row(length, {stride, 1, 1});
      builder.add_batch_dimension(kRows, {stride == 1 ? length : 1, length, length});
      auto geometry = builder.build();
      geometry.full_length = int64_t{1} << 40;
      std::vector<TypeParam> result(logits.size());
      cpu::sparse_softmax_backward(geometry, result.data(), grad.data(), weights.data(), 0, kRows);
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
TYPED_TEST(CpuBackward, BackwardOfABadSupportStaysInBounds) {
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

}  // namespace
}  // namespace zeta::rowwise
