#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cuda_plans.h"
#include "cuda_rows.h"
#include "rowwise/cpu/entmax.h"
#include "rowwise/cuda/by_sums.h"
#include "rowwise/cuda/forward/launch_masked.cuh"
#include "rowwise/cuda/forward/masked.cuh"
#include "rowwise/cuda/forward/plan.h"
#include "rowwise/cuda/shape.h"
#include "rowwise/cuda/tuning.h"
#include "rowwise/mask.h"

// CUDA kernels for rows of which a mask leaves entries out, run on the CPU, against the CPU's.
namespace zeta::rowwise {
namespace {

using namespace cuda_rows;

using cuda::Regime;

constexpr double kAlphas[] = {2, 1.5, 1, 1.25};
constexpr cuda::Device kDevice = {4, 100 << 10};
constexpr cuda::Device kSmallDevice = {1, 228 << 10};  // its warps take several stages each

template <class Scalar>
class CudaMasks : public testing::Test {};
using Scalars = testing::Types<float, double, Float16, BFloat16>;
TYPED_TEST_SUITE(CudaMasks, Scalars);

// A mask has one entry for all of a row, one row for all rows, or its own for each.
enum class Shape { kOfRows, kOfColumns, kOfEntries };

struct Mask {
  Mask(Shape shape, int64_t rows, int64_t length, Random& random)
      : stride(shape == Shape::kOfRows ? 0 : 1),
        row_stride(shape == Shape::kOfColumns ? 0
                   : shape == Shape::kOfRows  ? 1
                                              : length + 2),
        memory(static_cast<size_t>((rows - 1) * row_stride + (length - 1) * stride + 1) +
                   random() % cuda::kChunkBytes,
               0) {
    for (size_t i = 0; i < memory.size(); ++i) {
      auto const row = static_cast<int64_t>(i) / std::max<int64_t>(row_stride, 1);
      bool const takes_part = row % 5 == 4 ? false : row % 5 == 3 || random() % 2 == 0;
      memory[i] = static_cast<MaskEntry>(takes_part ? 1 + random() % 255 : 0);
    }
  }

  int64_t offset(int64_t row) const { return row * row_stride; }

  int64_t stride;
  int64_t row_stride;
  GuardedArray<MaskEntry> memory;
};

// Rows that are held may begin anywhere.
Layout logits_layout_of(Case const& one) {
  if (one.regime != Regime::kHeld) return layout_of(one);
  auto const seed = static_cast<int64_t>(one.seed);
  return seed % 3 == 0 ? contiguous(one.length) : Layout{1, one.length + seed % 4, seed % 5};
}

template <class Scalar>
void check(double alpha, Case const& one, Shape shape) {
  SCOPED_TRACE(testing::Message() << "alpha " << alpha << ", " << one.text() << ", mask "
                                  << static_cast<int>(shape));
  // Memory goes on behind the last rows, so that these may end between chunks.
  auto const rest = static_cast<int64_t>(one.seed % 3);
  Operand<Scalar> logits(one.rows, one.length + rest, logits_layout_of(one));
  Random random(one.seed);
  fill_logits(logits, one, random);
  Mask mask(shape, one.rows, one.length, random);
  Operand<Scalar> weights(one.rows, one.length, layout_of(one));
  Operand<Scalar> expected(one.rows, one.length, layout_of(one));
  int64_t const capacity = std::min(one.k, one.length);
  Supports support(one.rows, capacity);
  Supports expected_support(one.rows, capacity);
  auto const geometry = geometry_of(one.rows, one.length, weights, logits, support, mask);

  simt::Stream const stream = one.stream();
  bool const wants_support = one.seed % 3 != 0;
  cuda::MaskedOperands<Scalar> const operands = {
      weights.data(), logits.data(),      wants_support ? support.memory.data() : nullptr,
      nullptr,        mask.memory.data(), alpha,
      one.k};
  auto rows = cuda::shape_of_masked<Scalar>(geometry, {weights.data(), logits.data()}, one.k);
  rows.is_by_sums = cuda::is_by_sums(alpha);
  auto const& device = one.seed % 4 < 2 ? kDevice : kSmallDevice;
  ASSERT_TRUE(cuda::is_possible(one.regime, rows, device));
  auto const plan = cuda::plan_for(one.regime, rows, device);
  ASSERT_EQ(cuda::launch_forward_masked(geometry, operands, plan, &stream), cudaSuccess);
  cpu::entmax_masked(alpha, geometry, expected.data(), static_cast<Scalar const*>(logits.data()),
                     expected_support.memory.data(), mask.memory.data(), one.k, 0, one.rows);
  ASSERT_EQ(first_difference(weights, expected), -1);
  for (size_t i = 0; wants_support && i < support.memory.size(); ++i) {
    ASSERT_EQ(support.memory[i], expected_support.memory[i]) << "place " << i;
  }
}

TYPED_TEST(CudaMasks, EqualTheCpu) {
  constexpr auto kRows = static_cast<int64_t>(Logits::kCount);
  uint64_t seed = 0;
  for (double const alpha : kAlphas) {
    for (int64_t const length : {1, 2, 31, 100, 1000}) {
      for (int64_t const k : {int64_t{1}, int64_t{3}, int64_t{40}, length}) {
        for (Shape const shape : {Shape::kOfRows, Shape::kOfColumns, Shape::kOfEntries}) {
          check<TypeParam>(alpha, {Regime::kPasses, kRows, length, k, ++seed}, shape);
          if (this->HasFatalFailure()) return;
        }
      }
    }
  }
}

TYPED_TEST(CudaMasks, OfHeldRowsEqualTheCpu) {
  constexpr auto kFamilies = static_cast<int64_t>(Logits::kCount);
  constexpr int64_t kMostCrowded = cuda::kMostCrowdedBytes / sizeof(TypeParam);
  constexpr int64_t kMost = cuda::kMostHeldBytes / sizeof(TypeParam);
  uint64_t seed = 0;
  for (double const alpha : kAlphas) {
    for (int64_t const length : {int64_t{1}, int64_t{7}, int64_t{31}, int64_t{100},
                                 kMostCrowded - 1, kMostCrowded, kMost / 2 + 5}) {
      int64_t const rows = (length <= 200 ? 4 : 1) * kFamilies + 3;
      for (int64_t const k : {int64_t{1}, int64_t{3}, int64_t{32}, int64_t{40}, INT64_MAX}) {
        bool const is_crowded = std::min(k, length) > cuda::kWarpThreads && length > kMostCrowded;
        if (is_crowded) continue;
        Shape const shape = seed % 3 == 0 ? Shape::kOfColumns : Shape::kOfEntries;
        check<TypeParam>(alpha, {Regime::kHeld, rows, length, k, ++seed}, shape);
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

TYPED_TEST(CudaMasks, OfHeldRowsGiveTheSameOnEverySchedule) {
  for (double const alpha : kAlphas) {
    for (uint64_t seed = 0; seed < 10; ++seed) {
      check<TypeParam>(alpha, {Regime::kHeld, 30, 104, seed % 2 == 0 ? 3 : 60, seed},
                       Shape::kOfEntries);
      if (this->HasFatalFailure()) return;
    }
  }
}

// Rows that each have an alpha, too.
TYPED_TEST(CudaMasks, OfRowsWithAnAlphaEqualTheCpu) {
  Case const one = {Regime::kPasses, static_cast<int64_t>(Logits::kCount), 100, 40, 1};
  Operand<TypeParam> logits(one.rows, one.length, contiguous(one.length));
  Random random(one.seed);
  fill_logits(logits, one, random);
  Mask mask(Shape::kOfEntries, one.rows, one.length, random);
  Operand<TypeParam> weights(one.rows, one.length, contiguous(one.length));
  Operand<TypeParam> expected(one.rows, one.length, contiguous(one.length));
  Operand<double> alphas(one.rows, 1, {0, 1});
  auto const geometry = geometry_of(one.rows, one.length, weights, logits, alphas, mask);
  for (int64_t row = 0; row < one.rows; ++row) {
    alphas.at(row, 0) = kAlphas[row % 4];
    cpu::entmax_masked(kAlphas[row % 4], geometry, expected.data(),
                       static_cast<TypeParam const*>(logits.data()), nullptr, mask.memory.data(),
                       one.k, row, row + 1);
  }
  simt::Stream const stream = one.stream();
  cuda::MaskedOperands<TypeParam> const operands = {weights.data(), logits.data(),      nullptr,
                                                    alphas.data(),  mask.memory.data(), /*alpha=*/0,
                                                    one.k};
  ASSERT_EQ(cuda::launch_masked_by_passes(geometry, operands, &stream), cudaSuccess);
  ASSERT_EQ(first_difference(weights, expected), -1);
}

}  // namespace
}  // namespace zeta::rowwise
