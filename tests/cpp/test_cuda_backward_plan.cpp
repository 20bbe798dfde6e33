#include <gtest/gtest.h>

#include <cstdint>

#include "plan_shapes.h"
#include "rowwise/cuda/backward/plan.h"
#include "rowwise/row_geometry.h"

// Which plan a backward of a shape gets on a GPU.
namespace zeta::rowwise::cuda {
namespace {

constexpr int kBlocksOfZeros = blocks_of_zeros(4, false);
constexpr int64_t kWarps = int64_t{132} * blocks_of_zeros(2, false) * kWarpsPerBlock;

// Plans are known at compile time.
static_assert(plan_from_weights(dense_rows(1024, 32, 4), kDevice).regime == BackwardRegime::kLanes);

TEST(CudaBackwardPlan, MakesSeveralShortRowsInATurn) {
  BackwardPlan const plan = plan_from_support(dense_rows(1 << 18, 256, 4, 3), kDevice);
  EXPECT_EQ(plan.regime, BackwardRegime::kStages);
  EXPECT_EQ(plan.lanes_per_row, 1);
  EXPECT_EQ(plan.turns_per_row, 1);
  EXPECT_GE(plan.rows_per_turn * 1024, kTurnBytes / 2);
  EXPECT_LE(plan.rows_per_turn * 1024, kTurnBytes);
  EXPECT_FALSE(plan.is_staged);
  EXPECT_EQ(plan.blocks, 132 * kBlocksOfZeros);
}

TEST(CudaBackwardPlan, StagesRowsOfManyValues) {
  auto const plan_of = [](int64_t length, int64_t k) {
    return plan_from_support(dense_rows(1 << 22, length, 4, k), kDevice);
  };
  for (int64_t length : {1, 3, 8, 16, 31, 32, 48, 96}) {
    BackwardPlan const plan = plan_of(length, 3);
    EXPECT_TRUE(plan.is_staged) << length;
    EXPECT_EQ(plan.rows_per_turn, length == 96 ? 10 : length == 48 ? 21 : 32) << length;
    EXPECT_LE(plan.rows_per_turn * length * 4, kStageBytes) << length;
  }
  EXPECT_FALSE(plan_of(97, 3).is_staged);
  EXPECT_TRUE(plan_of(256, 32).is_staged);
  EXPECT_EQ(plan_of(256, 32).rows_per_turn, 4);
  EXPECT_FALSE(plan_of(1028, 32).is_staged);
  EXPECT_TRUE(plan_of(1024, 128).is_staged);
  EXPECT_FALSE(plan_of(1024, 129).is_staged);  // which lanes do not hold
}

TEST(CudaBackwardPlan, GivesALaneOnePlaceOfUpToFour) {
  auto const lanes = [](int64_t k) {
    return plan_from_support(dense_rows(1 << 18, 4096, 4, k), kDevice).lanes_per_row;
  };
  EXPECT_EQ(lanes(1), 1);
  EXPECT_EQ(lanes(4), 1);
  EXPECT_EQ(lanes(5), 2);
  EXPECT_EQ(lanes(32), 8);
  EXPECT_EQ(lanes(128), 32);
  EXPECT_EQ(lanes(4096), 32);
}

TEST(CudaBackwardPlan, MakesLongRowsInParts) {
  BackwardPlan const plan = plan_from_support(dense_rows(64, 1 << 20, 4, 3), kDevice);
  EXPECT_EQ(plan.rows_per_turn, 1);
  EXPECT_GT(plan.turns_per_row, 1);
  EXPECT_EQ(plan.columns_per_turn * 4 % kLineBytes, 0);
  EXPECT_EQ(plan_from_support(dense_rows(1 << 17, 1024, 4, 3), kDevice).turns_per_row, 1);
  // One long row goes to many warps.
  EXPECT_EQ(plan_from_support(dense_rows(1, 1 << 20, 4, 3), kDevice).turns_per_row, 1024);
}

TEST(CudaBackwardPlan, CoversAllOfAnyResult) {
  for (int64_t length : {1, 7, 8, 100, 1000, 2048, 5000, 100000, 3000000}) {
    for (int64_t rows : {1, 2, 31, 1000, 1000000}) {
      for (int bytes : {2, 4, 8}) {
        for (int64_t k : {1, 3, 8, 64, 1000}) {
          Shape const shape = dense_rows(rows, length, bytes, k);
          BackwardPlan const plan = plan_from_support(shape, kDevice);
          ASSERT_GE(int64_t{plan.columns_per_turn} * plan.turns_per_row, length);
          ASSERT_LT(int64_t{plan.columns_per_turn} * (plan.turns_per_row - 1), length);
          ASSERT_LE(plan.rows_per_turn * plan.lanes_per_row, kWarpThreads);
          ASSERT_TRUE(plan.rows_per_turn == 1 || plan.turns_per_row == 1);
          ASSERT_LE(int64_t{plan.rows_per_turn} * plan.columns_per_turn * bytes,
                    2 * kMostTurnBytes);
          if (rows * length * bytes >= kWarps * kStageBytes) {
            ASSERT_GE(plan.blocks, 132 * kBlocksOfZeros / 2) << rows << " " << length;
          }
        }
      }
    }
  }
}

TEST(CudaBackwardPlan, HoldsBlocksThatSharedMemoryHas) {
  auto const blocks = [](int64_t length, Device const& device) {
    return plan_from_support(dense_rows(1 << 20, length, 4, 3), device).blocks;
  };
  EXPECT_EQ(blocks(16, {108, 164 << 10}), 108 * kBlocksOfZeros);
  EXPECT_EQ(blocks(16, {40, 64 << 10}), 40 * 3);
  EXPECT_EQ(blocks(256, {40, 64 << 10}), 40 * kBlocksOfZeros);
}

TEST(CudaBackwardPlan, SharesWarpsAmongShortRows) {
  auto const lanes = [](int64_t length, int bytes) {
    return plan_from_weights(dense_rows(1 << 20, length, bytes), kDevice);
  };
  EXPECT_EQ(lanes(4, 4).chunks_per_lane, 1);
  EXPECT_EQ(lanes(8, 4).lanes_per_row, 2);
  EXPECT_EQ(lanes(16, 4).lanes_per_row, 1);
  EXPECT_EQ(lanes(256, 4).lanes_per_row, 16);
  EXPECT_EQ(lanes(512, 4).regime, BackwardRegime::kLanes);
  EXPECT_EQ(lanes(513, 4).regime, BackwardRegime::kListed);
  EXPECT_EQ(lanes(512, 2).regime, BackwardRegime::kLanes);
  EXPECT_EQ(lanes(513, 2).regime, BackwardRegime::kListed);
  EXPECT_EQ(lanes(128, 8).regime, BackwardRegime::kLanes);
  EXPECT_TRUE(lanes(64, 4).is_chunked);
  EXPECT_FALSE(lanes(63, 4).is_chunked);
  // Few rows are shared among more lanes.
  EXPECT_EQ(plan_from_weights(dense_rows(100, 16, 4), kDevice).lanes_per_row, 32);
}

TEST(CudaBackwardPlan, CoversEveryRowFromTheWeights) {
  for (int64_t length : {1, 3, 4, 9, 16, 33, 100, 256, 500, 512}) {
    for (int64_t rows : {1, 31, 1000, 1000000}) {
      for (int bytes : {2, 4, 8}) {
        BackwardPlan const plan = plan_from_weights(dense_rows(rows, length, bytes), kDevice);
        if (plan.regime != BackwardRegime::kLanes) continue;
        EXPECT_GE(plan.lanes_per_row * plan.chunks_per_lane * kChunkBytes, length * bytes);
        EXPECT_LE(plan.lanes_per_row, kWarpThreads);
      }
    }
  }
}

TEST(CudaBackwardPlan, GivesFewLongRowsABlockEach) {
  EXPECT_FALSE(plan_from_weights(dense_rows(100000, 4096, 4), kDevice).is_block_per_row);
  EXPECT_TRUE(plan_from_weights(dense_rows(1000, 32768, 4), kDevice).is_block_per_row);
  EXPECT_EQ(plan_from_weights(dense_rows(10, 32768, 4), kDevice).blocks, 10);
}

// Of the result, the gradient, and the weights or the support.
struct Strides {
  int64_t column[3];
  int64_t row[3];
};

RowGeometry<3> geometry_of(int64_t rows, int64_t length, Strides const& strides) {
  RowGeometryBuilder<3> builder;
  builder.set_row(length, {strides.column[0], strides.column[1], strides.column[2]});
  builder.add_batch_dimension(rows, {strides.row[0], strides.row[1], strides.row[2]});
  return builder.build();
}

BackwardRegime from_support(Strides const& strides) {
  float const* const pointer = nullptr;
  auto const geometry = geometry_of(10000, 1000, strides);
  return plan_from_support(shape_of_result(geometry, pointer, 3), kDevice).regime;
}

TEST(CudaBackwardPlan, KnowsLayoutsOfTheResult) {
  EXPECT_EQ(from_support({{1, 1, 1}, {1000, 1000, 4}}), BackwardRegime::kStages);
  EXPECT_EQ(from_support({{1, 0, 1}, {1000, 0, 4}}), BackwardRegime::kStages);
  EXPECT_EQ(from_support({{1, 10000, 1}, {1000, 1, 4}}), BackwardRegime::kStages);
  EXPECT_EQ(from_support({{1, int64_t{1} << 40, 1}, {1000, 1, 4}}), BackwardRegime::kPasses);
  EXPECT_EQ(from_support({{1, 1, 1}, {1001, 1000, 4}}), BackwardRegime::kPasses);
  EXPECT_EQ(from_support({{10000, 10000, 1}, {1, 1, 4}}), BackwardRegime::kColumns);
  EXPECT_EQ(from_support({{3, 1, 1}, {3000, 1000, 4}}), BackwardRegime::kPasses);
}

BackwardRegime from_weights(int64_t length, Strides const& strides) {
  float const* const pointer = nullptr;
  auto const geometry = geometry_of(10000, length, strides);
  auto const shape = shape_of<3, float>(geometry, {pointer, pointer, pointer});
  return plan_from_weights(shape, kDevice).regime;
}

TEST(CudaBackwardPlan, KnowsLayoutsOfAllOperands) {
  EXPECT_EQ(from_weights(1000, {{1, 1, 1}, {1000, 1000, 1000}}), BackwardRegime::kListed);
  EXPECT_EQ(from_weights(1000, {{1, 1, 1}, {1001, 1000, 1000}}), BackwardRegime::kListed);
  EXPECT_EQ(from_weights(1000, {{1, 0, 1}, {1000, 0, 1000}}), BackwardRegime::kPasses);
  EXPECT_EQ(from_weights(100, {{1, 0, 1}, {100, 0, 100}}), BackwardRegime::kLanes);
  EXPECT_EQ(from_weights(100, {{10000, 10000, 10000}, {1, 1, 1}}), BackwardRegime::kColumns);
}

TEST(CudaBackwardPlan, IsByPassesWhereTheMappingHasNoOtherKernels) {
  for (int64_t length : {8, 100, 1000, 100000}) {
    Shape shape = dense_rows(1000, length, 4);
    shape.is_by_sums = false;
    EXPECT_EQ(plan_from_weights(shape, kDevice).regime, BackwardRegime::kPasses);
    EXPECT_EQ(plan_from_weights(shape, kDevice).blocks, 1000);
  }
}

TEST(CudaBackwardPlan, TakesRowsOfAnyLength) {
  Shape const shape = dense_rows(1, int64_t{1} << 33, 2, 3);
  EXPECT_EQ(plan_from_weights(shape, kDevice).regime, BackwardRegime::kPasses);
  EXPECT_EQ(plan_from_support(shape, kDevice).regime, BackwardRegime::kPasses);
}

}  // namespace
}  // namespace zeta::rowwise::cuda
