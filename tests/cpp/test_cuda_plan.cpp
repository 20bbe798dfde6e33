#include <gtest/gtest.h>

#include <cstdlib>
#include <initializer_list>
#include <stdexcept>
#include <string>

#include "plan_shapes.h"
#include "rowwise/cuda/by_sums.h"
#include "rowwise/cuda/forward/plan.h"
#include "rowwise/cuda/forward/plan_blocks.h"
#include "rowwise/cuda/forward/plan_warps.h"
#include "rowwise/cuda/shape.h"
#include "rowwise/cuda/tuning.h"
#include "rowwise/row_geometry.h"

// Which plan a shape gets on a GPU.
namespace zeta::rowwise::cuda {
namespace {

Plan dense_plan(int64_t rows, int64_t length, int element_bytes, int64_t k) {
  return plan_for(dense_rows(rows, length, element_bytes, k), kDevice);
}

TEST(CudaPlan, FindsFewInStages) {
  Plan const short_rows = dense_plan(1 << 20, 8, 4, 3);
  EXPECT_EQ(short_rows.regime, Regime::kFew);
  EXPECT_EQ(short_rows.chunks_per_lane, 2);
  EXPECT_EQ(short_rows.rows_per_stage, 128);
  EXPECT_EQ(short_rows.list_size, 3);
  EXPECT_EQ(short_rows.stages_per_warp, kStages);
  EXPECT_EQ(short_rows.blocks, 528);
  EXPECT_EQ(dense_plan(1 << 20, 24, 2, 3).chunks_per_lane, 4);
  Plan const long_rows = dense_plan(1 << 20, 512, 4, 5);
  EXPECT_EQ(long_rows.chunks_per_lane, 8);
  EXPECT_EQ(long_rows.lanes_per_row, 16);
  EXPECT_EQ(long_rows.rows_per_stage, 2);
  EXPECT_EQ(long_rows.list_size, 8);
  EXPECT_EQ(dense_plan(1 << 20, 520, 4, 4).lanes_per_row, 32);
  // An A100 holds three blocks of 48 KiB.
  EXPECT_EQ(plan_for(dense_rows(1 << 20, 64, 2, 3), {108, 164 << 10}).blocks, 324);
}

TEST(CudaPlan, FindsFewOfAtMostTheLength) {
  EXPECT_EQ(dense_plan(1000, 4, 4, 100).list_size, 4);
  EXPECT_EQ(dense_plan(1000, 12, 4, 100).regime, Regime::kMany);
}

TEST(CudaPlan, FindsManyInStages) {
  Plan const long_rows = dense_plan(1 << 20, 1024, 4, 33);
  EXPECT_EQ(long_rows.regime, Regime::kMany);
  EXPECT_EQ(long_rows.chunks_per_lane, 8);
  EXPECT_EQ(long_rows.lanes_per_row, 32);
  EXPECT_EQ(long_rows.rows_per_stage, 1);
  EXPECT_EQ(long_rows.stages_per_warp, kStages);
  EXPECT_EQ(dense_plan(1 << 20, 1025, 4, 33).regime, Regime::kSegments);
  EXPECT_EQ(dense_plan(1 << 20, 1016, 4, 33).regime, Regime::kMany);
  EXPECT_EQ(dense_plan(1 << 20, 64, 8, 32).regime, Regime::kHeld);
  // The shortest rows of which more than eight entries can be taken.
  EXPECT_EQ(dense_plan(1 << 20, 9, 4, 9).chunks_per_lane, 4);
  EXPECT_EQ(dense_plan(1 << 20, 9, 2, 9).chunks_per_lane, 2);
  EXPECT_EQ(plan_for(Regime::kMany, dense_rows(1 << 20, 1, 4, 1), kDevice).chunks_per_lane, 4);
  EXPECT_EQ(plan_for(Regime::kMany, dense_rows(1 << 20, 1, 2, 1), kDevice).chunks_per_lane, 2);
}

TEST(CudaPlan, LeavesRoomInStagesForRowsThatBeginAnywhere) {
  EXPECT_FALSE(dense_plan(1 << 20, 64, 4, 3).is_loose);
  EXPECT_TRUE(dense_plan(1 << 20, 63, 4, 3).is_loose);
  Shape shape = dense_rows(1 << 20, 64, 4, 3);
  shape.is_aligned = false;
  EXPECT_TRUE(plan_for(shape, kDevice).is_loose);
  EXPECT_EQ(plan_for(shape, kDevice).rows_per_stage, 15);
  EXPECT_EQ(plan_for(shape, kDevice).stages_per_warp, kStages + 1);
  EXPECT_EQ(plan_for(shape, kDevice).blocks, 396);
}

TEST(CudaPlan, GivesFewShortRowsOneStageOfMoreWarps) {
  EXPECT_EQ(dense_plan(32, 128, 4, 3).rows_per_stage, 1);
  EXPECT_EQ(dense_plan(32, 128, 4, 3).stages_per_warp, 1);
  EXPECT_EQ(dense_plan(32, 128, 4, 3).blocks, 8);
  EXPECT_EQ(dense_plan(1, 8, 2, 1).blocks, 1);
  EXPECT_EQ(dense_plan(132 * 16, 1024, 4, 3).stages_per_warp, 1);
  EXPECT_EQ(dense_plan(132 * 16 + 1, 1024, 4, 3).stages_per_warp, kStages);
}

TEST(CudaPlan, FindsFewOfDenseRowsThatFitAStage) {
  auto const regime = [](auto const& change) {
    Shape shape = dense_rows(1000, 64, 4, 3);
    change(shape);
    return plan_for(shape, kDevice).regime;
  };
  EXPECT_EQ(regime([](Shape&) {}), Regime::kFew);
  EXPECT_EQ(regime([](Shape& shape) { shape.k = 9; }), Regime::kMany);
  EXPECT_EQ(regime([](Shape& shape) { shape.is_dense = false; }), Regime::kHeld);
  EXPECT_EQ(regime([](Shape& shape) { shape.element_bytes = 8; }), Regime::kHeld);
}

TEST(CudaPlan, GivesLongerRowsTheWarpsOfABlock) {
  EXPECT_EQ(dense_plan(10000, 1024, 4, 3).warps_per_row, 1);
  Plan const plan = dense_plan(10000, 4096, 4, 32);
  EXPECT_EQ(plan.regime, Regime::kMany);
  EXPECT_EQ(plan.warps_per_row, 4);
  EXPECT_EQ(plan.chunks_per_part, kStageChunks);
  EXPECT_EQ(plan.blocks, 132 * 4);
  EXPECT_EQ(plan.stages_per_warp, kStages);
  EXPECT_EQ(dense_plan(528, 4096, 4, 32).stages_per_warp, 1);
  EXPECT_EQ(dense_plan(10000, 1028, 4, 3).regime, Regime::kFew);
  EXPECT_EQ(dense_plan(10000, 1028, 4, 3).warps_per_row, 2);
  EXPECT_EQ(dense_plan(10000, 1028, 4, 3).chunks_per_part, 129);
  EXPECT_EQ(dense_plan(10000, 1028, 4, 3).blocks, 132 * 8);
  EXPECT_EQ(dense_plan(10000, 5000, 2, 3).warps_per_row, 3);
  EXPECT_EQ(dense_plan(10000, 5000, 2, 3).blocks, 132 * 5);
  EXPECT_EQ(dense_plan(10000, 8192, 4, 3).warps_per_row, kMostWarpsPerRow);
  EXPECT_EQ(dense_plan(10000, 8196, 4, 3).regime, Regime::kSegments);
  EXPECT_EQ(dense_plan(INT32_MAX / 2, 2048, 4, 3).regime, Regime::kFew);
  EXPECT_EQ(dense_plan(INT32_MAX / 2 + 1, 2048, 4, 3).regime, Regime::kHeld);
}

TEST(CudaPlan, HoldsRowsThatAreNoWholeChunksOfStages) {
  Plan const plan = dense_plan(10000, 4095, 4, 3);
  EXPECT_EQ(plan.regime, Regime::kHeld);
  // With what shares chunks with the row, wherever it begins.
  EXPECT_EQ(plan.chunks_per_stage, 1026);
  EXPECT_EQ(plan.blocks, 132 * 4);
  EXPECT_EQ(plan.stages_per_warp, kStages);
  EXPECT_EQ(dense_plan(10000, 5001, 2, 3).blocks, 132 * 7);
  EXPECT_EQ(dense_plan(528, 4095, 4, 3).stages_per_warp, 1);
  EXPECT_EQ(dense_plan(10000, 8191, 4, 3).regime, Regime::kHeld);
  EXPECT_EQ(dense_plan(10000, 8193, 4, 3).regime, Regime::kSegments);
  EXPECT_EQ(dense_plan(10000, 4096, 8, 5000).regime, Regime::kHeld);
  // Those that fit a stage are moved there, unless that takes longer.
  EXPECT_EQ(dense_plan(10000, 511, 4, 3).regime, Regime::kFew);
  EXPECT_EQ(dense_plan(10000, 513, 4, 4).regime, Regime::kHeld);
  EXPECT_EQ(dense_plan(10000, 513, 4, 5).regime, Regime::kFew);
  EXPECT_EQ(dense_plan(10000, 513, 4, 32).regime, Regime::kMany);
  // Longer ones are cut where k is larger.
  EXPECT_EQ(dense_plan(10000, 4095, 4, 4).regime, Regime::kHeld);
  EXPECT_EQ(dense_plan(10000, 4095, 4, 5).regime, Regime::kSegments);
  EXPECT_EQ(dense_plan(10000, 4095, 4, 5).warps_per_row, 5);
  EXPECT_EQ(dense_plan(10000, 4095, 4, 5).parts_per_row, 1);
}

TEST(CudaPlan, HoldsRowsWithTheirMasks) {
  auto const masked = [](int64_t length, int element_bytes, int64_t k, bool is_by_sums = true) {
    Shape shape = dense_rows(10000, length, element_bytes, k);
    shape.has_mask = true;
    shape.is_by_sums = is_by_sums;
    return shape;
  };
  Plan const plan = plan_for(masked(1024, 4, 3), kDevice);
  EXPECT_EQ(plan.regime, Regime::kHeld);
  EXPECT_EQ(plan.first_chunk_of_mask, 256);
  EXPECT_EQ(plan.chunks_per_stage, 256 + 66);  // masks begin anywhere
  EXPECT_EQ(plan_for(masked(1023, 4, 3), kDevice).first_chunk_of_mask, 258);
  EXPECT_EQ(plan_for(masked(16384, 2, 32), kDevice).regime, Regime::kHeld);
  EXPECT_EQ(plan_for(masked(16385, 2, 32), kDevice).regime, Regime::kPasses);
  for (bool const is_by_sums : {false, true}) {
    EXPECT_EQ(plan_for(masked(1024, 4, 33, is_by_sums), kDevice).regime, Regime::kHeld);
    EXPECT_EQ(plan_for(masked(1025, 4, 33, is_by_sums), kDevice).regime, Regime::kPasses);
  }
  Shape strided = masked(1024, 4, 3);
  strided.is_contiguous = false;
  EXPECT_EQ(plan_for(strided, kDevice).regime, Regime::kPasses);
  EXPECT_FALSE(is_possible(Regime::kFew, masked(64, 4, 3), kDevice));
  for (Device const& device : {Device{40, 64 << 10}, Device{84, 100 << 10}, kDevice}) {
    for (int64_t length = 1; length <= 16384; ++length) {
      Shape const shape = masked(length, 2, 3);
      if (!is_possible(Regime::kHeld, shape, device)) continue;
      Plan const held = plan_for(Regime::kHeld, shape, device);
      int const bytes = kBarrierBytes + kStages * held.chunks_per_stage * kChunkBytes;
      ASSERT_LE(bytes, held.most_shared_bytes) << length;
      ASSERT_LE(bytes + held_list_bytes(2), most_shared_bytes(device)) << length;
    }
  }
}

TEST(CudaPlan, KeepsToTheSharedMemoryOfABlock) {
  for (Device const& device : {Device{40, 64 << 10}, Device{84, 100 << 10}, kDevice}) {
    for (int bytes : {2, 4, 8}) {
      for (int64_t length : {63, 64, 1000, 2000, 4000, 8000, 16383, 16384, 100000}) {
        for (int64_t k : {3, 40}) {
          Plan const plan = plan_for(dense_rows(100000, length, bytes, k), device);
          bool const has_short_rows = plan.regime == Regime::kFew || plan.regime == Regime::kMany;
          bool const is_of_block =
              plan.warps_per_row > 1 || (plan.regime == Regime::kSegments && bytes <= 4);
          int const warps = is_of_block ? plan.warps_per_row : has_short_rows ? kWarpsPerBlock : 1;
          int const stage_bytes =
              is_of_block || has_short_rows ? kStageBytes : plan.chunks_per_stage * kChunkBytes;
          int const shared_bytes =
              barrier_bytes(warps) + warps * plan.stages_per_warp * stage_bytes;
          int const other_bytes = is_of_block ? kOtherBytesOfBlock : kSystemSharedBytes;
          EXPECT_LE(shared_bytes, plan.most_shared_bytes) << length << ", " << bytes;
          EXPECT_LE(plan.most_shared_bytes, device.shared_bytes - other_bytes);
          EXPECT_LE(plan.warps_per_row, most_warps_of_block(device));
        }
      }
    }
  }
}

TEST(CudaPlan, CutsLongRows) {
  Plan const plan = dense_plan(1000, 1 << 16, 4, 3);
  EXPECT_EQ(plan.regime, Regime::kSegments);
  EXPECT_EQ(plan.parts_per_row, 8);
  EXPECT_EQ(plan.warps_per_row, kMostWarpsPerRow);
  EXPECT_EQ(plan.part_length, 1024);
  EXPECT_EQ(plan.blocks, 132 * 2);
  // Few rows in smaller parts, a stage to each warp.
  Plan const alone = dense_plan(1, 1 << 18, 4, 3);
  EXPECT_EQ(alone.part_length * 4, kLeastPartChunks * kChunkBytes);
  EXPECT_EQ(alone.stages_per_warp, 1);
  EXPECT_EQ(alone.blocks, alone.parts_per_row);
  // Of the same length, in whole chunks; where rows begin anywhere, they lie in one more.
  Plan const odd = dense_plan(1000, 50257, 2, 3);
  EXPECT_EQ(odd.parts_per_row, 4);
  EXPECT_EQ(odd.warps_per_row, 7);
  EXPECT_EQ(odd.part_length, 1800);
  // float64 has a warp for each segment.
  Plan const wide = dense_plan(1000, 1 << 15, 8, 3);
  EXPECT_EQ(wide.warps_per_row, 1);
  EXPECT_EQ(wide.parts_per_row, 16);
  EXPECT_EQ(wide.part_length, 2048);
}

TEST(CudaPlan, CoversEveryRowOfEveryShape) {
  for (int64_t length : {1, 7, 8, 100, 1000, 2048, 5000, 100000}) {
    for (int64_t rows : {1, 2, 31, 1000, 1000000}) {
      for (int bytes : {2, 4, 8}) {
        for (bool is_aligned : {false, true}) {
          Shape shape = dense_rows(rows, length, bytes, 3);
          shape.is_aligned = is_aligned;
          for (Regime regime : {Regime::kFew, Regime::kMany}) {
            if (!is_possible(regime, shape, kDevice)) continue;
            Plan const staged = plan_for(regime, shape, kDevice);
            if (staged.warps_per_row > 1) {
              int64_t const parts = int64_t{staged.warps_per_row} * staged.chunks_per_part;
              EXPECT_GE(parts * kChunkBytes, length * bytes);
              EXPECT_LT((parts - staged.chunks_per_part) * kChunkBytes, length * bytes);
              EXPECT_LE(staged.chunks_per_part, kStageChunks);
              continue;
            }
            EXPECT_GE(staged.lanes_per_row * staged.chunks_per_lane * kChunkBytes, length * bytes);
            EXPECT_LE(staged.rows_per_stage * length * bytes, kStageChunks * kChunkBytes);
            EXPECT_LE(staged.rows_per_stage * staged.lanes_per_row * staged.chunks_per_lane,
                      kStageChunks);
          }
        }
      }
    }
  }
}

TEST(CudaPlan, KnowsLayouts) {
  auto const plan_of = [](int64_t stride, int64_t row_stride, int64_t rows) {
    RowGeometryBuilder<2> builder;
    builder.set_row(100, {stride, stride});
    builder.add_batch_dimension(rows, {row_stride, row_stride});
    float const* const pointer = nullptr;
    return plan_for(shape_of(builder.build(), {pointer, pointer}, 3), kDevice);
  };
  EXPECT_EQ(plan_of(1, 100, 10000).regime, Regime::kFew);
  EXPECT_EQ(plan_of(1, 101, 10000).regime, Regime::kHeld);
  EXPECT_EQ(plan_of(10000, 1, 10000).regime, Regime::kColumns);
  EXPECT_EQ(plan_of(3, 300, 10000).regime, Regime::kPasses);
  EXPECT_EQ(plan_of(10, 1, 10).regime, Regime::kColumns);
}

Shape side_by_side_rows(int64_t rows, int64_t length, int element_bytes, int64_t k) {
  return {.rows = rows,
          .length = length,
          .element_bytes = element_bytes,
          .k = k,
          .is_dense = false,
          .is_contiguous = false,
          .is_aligned = false,
          .is_side_by_side = true,
          .neighbours = rows,
          .is_paired = element_bytes == 2};
}

Plan column_plan(int64_t rows, int64_t length, int element_bytes, int64_t k,
                 Device const& device = kDevice) {
  return plan_for(side_by_side_rows(rows, length, element_bytes, k), device);
}

void expect_columns(Plan const& plan, int blocks, int threads_per_part, int parts) {
  EXPECT_EQ(plan.regime, Regime::kColumns);
  EXPECT_EQ(plan.blocks, blocks);
  EXPECT_EQ(plan.threads_per_part, threads_per_part);
  EXPECT_EQ(plan.parts_per_row, parts);
}

TEST(CudaPlan, GivesColumnsAsManyPartsAsFillTheDevice) {
  expect_columns(column_plan(8192, 4096, 4, 3), 256, 32, 16);
  expect_columns(column_plan(8192, 8192, 2, 3), 128, 32, 32);
  // Longer lists leave room for half of the warps.
  expect_columns(column_plan(8192, 4096, 4, 32), 256, 32, 8);
  expect_columns(column_plan(8192, 8192, 2, 32), 128, 32, 16);
  // With enough rows a thread has a whole one, of several where they are short.
  expect_columns(column_plan(1 << 20, 4096, 4, 3), 8192, 128, 1);
  expect_columns(column_plan(1 << 20, 8, 4, 3), 8192, 128, 1);
  expect_columns(column_plan(1 << 20, 4096, 4, 32), 32768, 32, 8);
}

TEST(CudaPlan, GivesFewColumnsMoreBlocks) {
  expect_columns(column_plan(1000, 1 << 20, 4, 3), 125, 8, 64);
  expect_columns(column_plan(1000, 1 << 20, 2, 3), 63, 8, 64);
  expect_columns(column_plan(32, 128, 4, 3), 4, 8, 4);
  expect_columns(column_plan(3, 5000, 4, 3), 1, 4, 64);
  expect_columns(column_plan(2, 9, 2, 3), 1, 32, 1);
}

TEST(CudaPlan, GivesLargeBlocksOfColumnsToLargeSharedMemory) {
  for (int64_t k : {1, 3, 4}) {
    Plan const plan = column_plan(8192, 8192, 2, k, {128, 164 << 10});
    EXPECT_LE(plan.threads_per_part * plan.parts_per_row, kMostThreadsOfFewColumns / 2);
  }
}

TEST(CudaPlan, KeepsColumnsInTheSharedMemoryOfABlock) {
  Device const device = {40, 64 << 10};
  for (int bytes : {2, 4, 8}) {
    for (int64_t k : {1, 3, 8, 32, 33, 1000}) {
      for (int64_t rows : {2, 77, 5000, 1000000}) {
        for (int64_t length : {1, 50, 3000, 4000000}) {
          Plan const plan = column_plan(rows, length, bytes, k, device);
          int const threads = plan.threads_per_part * plan.parts_per_row;
          EXPECT_EQ(threads % kWarpThreads, 0);
          EXPECT_LE(threads / kWarpThreads * column_warp_bytes(bytes, plan.list_capacity),
                    device.shared_bytes - kSystemSharedBytes);
          EXPECT_LT(length / plan.parts_per_row, kMostColumnSteps);
          EXPECT_LE(threads,
                    plan.list_size != 0 ? kMostThreadsOfFewColumns : kMostThreadsOfColumns);
        }
      }
    }
  }
}

TEST(CudaPlan, LeavesColumnsOfOtherLayoutsToPasses) {
  EXPECT_EQ(column_plan(1000, 4194000, 4, 3).regime, Regime::kColumns);
  EXPECT_EQ(column_plan(1000, 1 << 23, 4, 3).regime, Regime::kPasses);
}

TEST(CudaPlan, ReadsPairsOfColumnsWhereAllStridesAreEven) {
  auto const is_paired = [](int64_t stride, int64_t neighbours, int64_t group_stride,
                            uintptr_t address = 0) {
    RowGeometryBuilder<2> builder;
    builder.set_row(100, {stride, 1000});
    builder.add_batch_dimension(neighbours, {1, 1});
    builder.add_batch_dimension(3, {group_stride, 200000});
    auto const* const pointer = reinterpret_cast<uint16_t const*>(address);
    return shape_of<2, uint16_t>(builder.build(), {pointer, nullptr}, 3).is_paired;
  };
  EXPECT_TRUE(is_paired(10, 8, 1000));
  EXPECT_FALSE(is_paired(11, 8, 1100));
  EXPECT_FALSE(is_paired(10, 7, 1000));
  EXPECT_FALSE(is_paired(10, 8, 1001));
  EXPECT_FALSE(is_paired(10, 8, 1000, 2));
}

TEST(CudaPlan, GivesCrowdedRowsToTeams) {
  // Many rows to blocks, which hold them in shared memory where it has room.
  Plan const many = dense_plan(10000, 20000, 4, 33);
  EXPECT_EQ(many.blocks_of_team, 1);
  EXPECT_EQ(many.merging_blocks, 10000);
  EXPECT_GE(many.buffer_bytes, 80000);
  EXPECT_LE(2 * many.buffer_bytes, kDevice.shared_bytes);
  EXPECT_EQ(dense_plan(10000, 15000, 4, 33).buffer_bytes, many.buffer_bytes);
  EXPECT_EQ(dense_plan(10000, 40000, 4, 33).buffer_bytes, 0);
  EXPECT_EQ(dense_plan(10000, 20000, 4, 32).buffer_bytes, 0);
  EXPECT_EQ(plan_for(dense_rows(10000, 20000, 4, 33), {40, 64 << 10}).buffer_bytes, 0);
  // Few rows to several blocks each, all on the device at once.
  EXPECT_EQ(dense_plan(1, 1 << 20, 4, 33).blocks_of_team, kMostBlocksOfTeam);
  EXPECT_EQ(dense_plan(1, 1 << 20, 4, 33).buffer_bytes, many.buffer_bytes);
  EXPECT_EQ(dense_plan(8, 1 << 20, 4, 33).blocks_of_team, 33);
  EXPECT_EQ(dense_plan(8, 1 << 20, 4, 33).merging_blocks, 264);
  EXPECT_EQ(dense_plan(8, 1 << 20, 4, 32).merging_blocks, 8);
  EXPECT_EQ(dense_plan(1, 10000, 4, 33).blocks_of_team, 2);
}

TEST(CudaPlan, MergesFewSegmentsByWarps) {
  // 4 segments of 3 candidates.
  EXPECT_EQ(dense_plan(1024, 32768, 4, 3).parts_per_row, 4);
  EXPECT_EQ(dense_plan(1024, 32768, 4, 3).merging_warps, kMostMergingWarps);
  EXPECT_EQ(dense_plan(1024, 32768, 4, 3).merging_blocks, 256);
  EXPECT_EQ(dense_plan(300, 32768, 4, 3).merging_warps, 2);
  EXPECT_EQ(dense_plan(300, 32768, 4, 3).merging_blocks, 150);
  EXPECT_EQ(dense_plan(32, 1 << 20, 4, 3).parts_per_row, 128);
  // 85 of 3, and no more.
  EXPECT_EQ(dense_plan(1000, 85 * 8192, 4, 3).merging_warps, kMostMergingWarps);
  EXPECT_EQ(dense_plan(1000, 86 * 8192, 4, 3).merging_warps, 0);
  EXPECT_EQ(dense_plan(1000, 86 * 8192, 4, 3).merging_blocks, 1000);
  EXPECT_EQ(dense_plan(1000, 8 * 8192, 4, 32).merging_warps, kMostMergingWarps);
  EXPECT_EQ(dense_plan(1000, 9 * 8192, 4, 32).merging_warps, 0);
  EXPECT_EQ(dense_plan(1000, 8 * 8192, 4, 33).merging_warps, 0);
  EXPECT_EQ(dense_plan(1, 10000, 4, 3).merging_warps, 1);
  EXPECT_EQ(dense_plan(1, 10000, 4, 3).merging_blocks, 1);
}

TEST(CudaPlan, TakesRowsOfAnyLength) {
  EXPECT_EQ(dense_plan(1, int64_t{1} << 33, 2, 3).regime, Regime::kPasses);
}

// The environment is read as the program starts, so in a process of its own.
template <class Check>
void expect_with_plan(char const* name, Check const& check) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  setenv("ZETA_CUDA_PLAN", name, 1);
  EXPECT_EXIT(std::exit(check() ? 0 : 1), testing::ExitedWithCode(0), "");
  unsetenv("ZETA_CUDA_PLAN");
}

TEST(CudaPlan, IsThatOfTheEnvironmentWherePossible) {
  expect_with_plan("segments", [] {
    Shape shape = dense_rows(1000, 64, 4, 3);
    bool const is_followed = requested_plan(shape, kDevice).regime == Regime::kSegments;
    shape.is_dense = shape.is_contiguous = false;
    return is_followed && requested_plan(shape, kDevice).regime == Regime::kPasses;
  });
}

// The plan of rows of a mapping whose threshold is searched for.
Regime searched_regime(int64_t length, int64_t k, int element_bytes = 4) {
  Shape shape = dense_rows(1000, length, element_bytes, k);
  shape.is_by_sums = false;
  return requested_plan(shape, kDevice).regime;
}

TEST(CudaPlan, IsForFewNonZerosOrShortRowsWhereAThresholdIsSearchedFor) {
  EXPECT_EQ(searched_regime(8, 3), Regime::kFew);
  EXPECT_EQ(searched_regime(512, 8), Regime::kFew);
  EXPECT_EQ(searched_regime(516, 8), Regime::kHeld);
  EXPECT_EQ(searched_regime(4096, 4), Regime::kHeld);
  EXPECT_EQ(searched_regime(1000, 9), Regime::kHeld);
  EXPECT_EQ(searched_regime(1000, 3, 8), Regime::kHeld);
  EXPECT_EQ(searched_regime(32, 33), Regime::kHeld);
  EXPECT_EQ(searched_regime(33, 33), Regime::kHeld);
  EXPECT_EQ(searched_regime(1024, 1024), Regime::kHeld);
  EXPECT_EQ(searched_regime(512, 33, 8), Regime::kHeld);
  EXPECT_EQ(searched_regime(8192, 32), Regime::kSegments);
  EXPECT_EQ(searched_regime(8196, 3), Regime::kSegments);
  EXPECT_EQ(searched_regime(100000, 32, 8), Regime::kSegments);
  Shape columns = side_by_side_rows(1000, 100, 4, 32);
  columns.is_by_sums = false;
  EXPECT_EQ(plan_for(columns, kDevice).regime, Regime::kColumns);
}

// A list holds more entries than the shortest rows have, which then take as many chunks.
TEST(CudaPlan, HasOneSizeOfListWhereAThresholdIsSearchedFor) {
  Shape shape = dense_rows(1000, 3, 4, 3);
  shape.is_by_sums = false;
  for (int const element_bytes : {2, 4}) {
    shape.element_bytes = element_bytes;
    Plan const plan = plan_for(shape, kDevice);
    EXPECT_EQ(plan.regime, Regime::kFew);
    EXPECT_EQ(plan.list_size, 8);
    EXPECT_EQ(plan.chunks_per_lane, element_bytes / 2);
  }
}

TEST(CudaPlan, IsPassesForMoreNonZerosWhereAThresholdIsSearchedFor) {
  auto const are_passes = [] {
    return searched_regime(1025, 33) == Regime::kPasses &&
           searched_regime(8192, 33) == Regime::kPasses &&
           searched_regime(100000, 33) == Regime::kPasses;
  };
  EXPECT_TRUE(are_passes());
  expect_with_plan("segments", are_passes);
  expect_with_plan("many", are_passes);
  Shape columns = side_by_side_rows(1000, 100, 4, 33);
  columns.is_by_sums = false;
  EXPECT_EQ(plan_for(columns, kDevice).regime, Regime::kPasses);
}

TEST(CudaPlan, KnowsWhichAlphasAreBySums) {
  EXPECT_TRUE(is_by_sums(2));
  for (double alpha : {1.0, 1.25, 1.5, 1.99}) EXPECT_FALSE(is_by_sums(alpha));
}

TEST(CudaPlan, IsOfTheShapeIfTheEnvironmentNamesNone) {
  expect_with_plan("", [] { return !requested_regime().has_value(); });
  EXPECT_FALSE(requested_regime().has_value());
}

TEST(CudaPlan, RefusesAnUnknownName) {
  expect_with_plan("fastest", [] {
    try {
      requested_plan(dense_rows(1000, 64, 4, 3), kDevice);
    } catch (std::runtime_error const& error) {
      return std::string(error.what()).find("but got fastest") != std::string::npos;
    }
    return false;
  });
}

}  // namespace
}  // namespace zeta::rowwise::cuda
