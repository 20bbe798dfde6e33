#include <gtest/gtest.h>

#include <cstdint>

#include "rowwise/row_geometry.h"

namespace zeta::rowwise {
namespace {

TEST(RowGeometry, KeepsTheFirstOperands) {
  RowGeometryBuilder<3> builder;
  builder.add_batch_dimension(2, {60, 7, 900});
  builder.set_row(4, {5, 8, 1});
  builder.add_batch_dimension(5, {1, 100, 13});
  auto const geometry = builder.build();
  auto const two = with_operands<2>(geometry);
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

TEST(RowGeometry, IsDenseWithoutGapsAlone) {
  auto const is_dense = [](int64_t first_step, int64_t second_step, int64_t pitch, int64_t rows) {
    RowGeometryBuilder<2> builder;
    builder.set_row(5, {first_step, second_step});
    builder.add_batch_dimension(rows, {5, pitch});
    return builder.build().is_dense();
  };
  EXPECT_TRUE(is_dense(1, 1, 5, 3));
  EXPECT_TRUE(is_dense(1, 1, 7, 1));
  EXPECT_FALSE(is_dense(1, 1, 7, 3));
  EXPECT_FALSE(is_dense(1, 2, 5, 3));
  EXPECT_FALSE(is_dense(2, 1, 5, 3));
  RowGeometryBuilder<1> builder;
  builder.set_row(5, {1});
  builder.add_batch_dimension(3, {5});
  builder.add_batch_dimension(2, {100});
  EXPECT_FALSE(builder.build().is_dense());
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

}  // namespace
}  // namespace zeta::rowwise
