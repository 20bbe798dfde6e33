#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

#include "rows.h"
#include "rowwise/ordered_key.h"

namespace zeta::rowwise {
namespace {

template <class Scalar>
class OrderedKey : public testing::Test {};
TYPED_TEST_SUITE(OrderedKey, Scalars);

TYPED_TEST(OrderedKey, KeepsTheOrderAndGivesTheNumberBack) {
  auto row = normal_row<TypeParam>(200, 3, 9);
  std::sort(row.begin(), row.end(), [](auto a, auto b) { return widen(a) < widen(b); });
  for (size_t i = 1; i < row.size(); ++i) {
    EXPECT_EQ(key_of(row[i - 1]) < key_of(row[i]), widen(row[i - 1]) < widen(row[i]));
    EXPECT_EQ(widen(scalar_of<TypeParam>(key_of(row[i]))), widen(row[i]));
  }
}

// What is told apart by the bits alone: -NaN, -inf, -0.0, +0.0, +inf, NaN, in this order.
TYPED_TEST(OrderedKey, KnowsWhatIsNoOrdinaryNumber) {
  double const infinity = std::numeric_limits<double>::infinity();
  std::vector<TypeParam> const numbers = {
      scalar_of<TypeParam>(kLeast<key_t<TypeParam>>),
      narrow<TypeParam>(-infinity),
      narrow<TypeParam>(-1),
      narrow<TypeParam>(-0.0),
      narrow<TypeParam>(0.0),
      narrow<TypeParam>(1),
      narrow<TypeParam>(infinity),
      scalar_of<TypeParam>(kGreatest<key_t<TypeParam>>),
  };
  for (size_t i = 1; i < numbers.size(); ++i) EXPECT_LT(key_of(numbers[i - 1]), key_of(numbers[i]));
  for (size_t i = 0; i < numbers.size(); ++i) {
    bool const is_nan = i == 0 || i == 7;
    EXPECT_EQ(widen(numbers[i]) != widen(numbers[i]), is_nan);
    auto const greatest = key_of(with_greatest_nan(numbers[i]));
    EXPECT_EQ(greatest, is_nan ? kGreatest<key_t<TypeParam>> : key_of(numbers[i]));
    // With itself, with 1 and with -inf.
    auto const of = [&](size_t other) {
      auto range = KeyRange<TypeParam>::empty();
      range.add(KeyRange<TypeParam>::of(numbers[i]));
      range.add(KeyRange<TypeParam>::of(numbers[other]));
      return range;
    };
    EXPECT_EQ(of(i).is_ordinary(), 2 <= i && i <= 5);
    EXPECT_EQ(of(5).is_ordinary(), 1 <= i && i <= 5);
    EXPECT_EQ(of(1).is_ordinary(), 2 <= i && i <= 5);
    if (is_nan) continue;
    EXPECT_EQ(of(1).maximum(), widen(numbers[i]));
  }
}

TYPED_TEST(OrderedKey, SelectsMinusZeroAsZero) {
  auto const zero = narrow<TypeParam>(0.0);
  EXPECT_EQ(selection_key(narrow<TypeParam>(-0.0)), key_of(zero));
  EXPECT_EQ(selection_key(zero), key_of(zero));
  for (double const number : {-1.0, -6e-8, 6e-8, 1.0}) {
    EXPECT_EQ(selection_key(narrow<TypeParam>(number)), key_of(narrow<TypeParam>(number)));
  }
}

}  // namespace
}  // namespace zeta::rowwise
