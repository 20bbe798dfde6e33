#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>

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

}  // namespace
}  // namespace zeta::rowwise
