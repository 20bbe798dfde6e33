#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "cuda_gradients.h"
#include "cuda_rows.h"
#include "mappings/sparse_softmax.h"
#include "row_reference.h"
#include "rowwise/cuda/backward/launch.cuh"
#include "rowwise/cuda/backward/plan.h"
#include "rowwise/cuda/shape.h"

// The CUDA kernels of the backward, from the weights and from the support, run on the CPU.
namespace zeta::rowwise {
namespace {

using cuda::BackwardPlan;
using cuda::BackwardRegime;
using mappings::SparseSoftmax;
using namespace cuda_rows;

constexpr cuda::Device kDevice = {4, 100 << 10};

// Where inf - inf and the like come up, the CPU's result is the reference.
template <class Scalar>
void check_by_reference(BackwardCase const& one, Given<Scalar>& given, Operand<Scalar>& result) {
  for (int64_t row = 0; row < one.rows; ++row) {
    auto const grads = given.grads.row(row, one.length);
    long double largest = 0;
    for (double grad : grads) {
      largest = std::isfinite(grad) ? std::max<long double>(largest, std::abs(grad))
                                    : std::numeric_limits<long double>::infinity();
    }
    if (std::isinf(largest)) continue;
    auto const reference = reference::backward_row(grads, given.weights.row(row, one.length));
    long double const tolerance = 4 * kRoundingError<Scalar> * largest + kSmallest<Scalar>;
    ASSERT_EQ(first_error(result.row(row, one.length), reference, tolerance), -1)
        << one.text() << ", row " << row;
  }
}

// change(plan) may make another plan of the regime.
template <class Scalar, class Change>
void check_from_weights(BackwardRegime regime, BackwardCase const& one, Change const& change) {
  Given<Scalar> given(one);
  Expected<Scalar> const expected(one, given);
  Operand<Scalar> result(one.rows, one.length, one.layout(one.result));
  auto geometry = geometry_of(one.rows, one.length, result, given.grads, given.weights);
  if (one.full_length > 0) geometry.full_length = one.full_length;
  auto const shape = cuda::shape_of<3, Scalar>(
      geometry, {result.data(), given.grads.data(), given.weights.data()});
  ASSERT_TRUE(cuda::is_possible_from_weights(regime, shape)) << name_of(regime) << one.text();
  BackwardPlan plan = cuda::backward_plan_for(regime, shape, kDevice);
  change(plan);
  simt::Stream const stream = one.stream();
  ASSERT_EQ(cuda::launch_backward<SparseSoftmax>(/*alpha=*/2, geometry, result.data(),
                                                 static_cast<Scalar const*>(given.grads.data()),
                                                 static_cast<Scalar const*>(given.weights.data()),
                                                 plan, &stream),
            cudaSuccess);
  ASSERT_EQ(first_difference<Scalar>(result, expected), -1)
      << name_of(regime) << ", " << one.text();
  if (one.full_length == 0) check_by_reference(one, given, result);
}

template <class Scalar, class Change>
void check_from_support(BackwardRegime regime, BackwardCase const& one, Change const& change) {
  Given<Scalar> given(one);
  Expected<Scalar> const expected(one, given);
  Operand<Scalar> result(one.rows, one.length, one.layout(one.result));
  auto geometry = geometry_of(one.rows, one.length, result, given.grads, given.support);
  if (one.full_length > 0) geometry.full_length = one.full_length;
  int64_t const capacity = std::min(one.k, one.length);
  auto const shape = cuda::shape_of_result<Scalar>(geometry, result.data(), capacity);
  ASSERT_TRUE(cuda::is_possible_from_support(regime, shape)) << name_of(regime) << one.text();
  BackwardPlan plan = cuda::backward_plan_for(regime, shape, kDevice);
  change(plan);
  simt::Stream const stream = one.stream();
  ASSERT_EQ(cuda::launch_support_backward<SparseSoftmax>(
                geometry, result.data(), static_cast<Scalar const*>(given.grads.data()),
                static_cast<int32_t const*>(given.support.memory.data()), capacity, plan, &stream),
            cudaSuccess);
  ASSERT_EQ(first_difference<Scalar>(result, expected), -1)
      << name_of(regime) << ", " << one.text();
}

constexpr auto kAsPlanned = [](BackwardPlan&) {};

template <class Scalar>
class CudaBackward : public testing::Test {};
using Scalars = testing::Types<float, double, Float16, BFloat16>;
TYPED_TEST_SUITE(CudaBackward, Scalars);

// The lengths straddle chunks of 16 bytes, the parts of lanes, and stages.
constexpr int64_t kLengths[] = {1, 3, 4, 5, 8, 15, 16, 17, 32, 33, 64, 65, 129, 500, 513, 1000};

TYPED_TEST(CudaBackward, EqualsTheCpuAndTheReference) {
  constexpr int kBytes = sizeof(TypeParam);
  uint64_t seed = 0;
  for (int64_t length : kLengths) {
    for (int64_t k : {int64_t{1}, int64_t{3}, int64_t{33}, length}) {
      for (auto const lie : {Lie::kDense, Lie::kLoose, Lie::kApart, Lie::kWithGaps}) {
        BackwardCase one = {35, length, k, ++seed};
        (seed % 3 == 0 ? one.result : seed % 3 == 1 ? one.grads : one.source) = lie;
        if (length * kBytes <= cuda::most_bytes_of_lanes(kBytes)) {
          check_from_weights<TypeParam>(BackwardRegime::kLanes, one, kAsPlanned);
        }
        if (this->HasFatalFailure()) return;
        one.rows = 5;
        check_from_weights<TypeParam>(BackwardRegime::kPasses, one, kAsPlanned);
        if (this->HasFatalFailure()) return;
        if (lie == Lie::kWithGaps) continue;
        check_from_weights<TypeParam>(BackwardRegime::kListed, one, [&](BackwardPlan& plan) {
          plan.is_block_per_row = seed % 2 == 0;
        });
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

TYPED_TEST(CudaBackward, FromSupportEqualsTheCpu) {
  uint64_t seed = 0;
  for (int64_t length : kLengths) {
    for (int64_t k : {int64_t{1}, int64_t{3}, int64_t{5}, int64_t{33}, int64_t{129}, length}) {
      for (auto const grads : {Lie::kDense, Lie::kLoose, Lie::kApart, Lie::kWithGaps}) {
        BackwardCase one = {35, length, k, ++seed};
        one.grads = grads;
        one.result = seed % 2 == 0 ? Lie::kDense : Lie::kLoose;
        check_from_support<TypeParam>(BackwardRegime::kStages, one, kAsPlanned);
        if (this->HasFatalFailure()) return;
        one.rows = 5;
        one.result = seed % 2 == 0 ? Lie::kApart : Lie::kWithGaps;
        check_from_support<TypeParam>(BackwardRegime::kPasses, one, kAsPlanned);
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

// Turns of many rows, of one, and of parts of one.
TYPED_TEST(CudaBackward, FromSupportTakesAnyTurns) {
  uint64_t seed = 0;
  for (int rows_per_turn : {1, 2, 3, 8}) {
    BackwardCase one = {200, 300, 3, ++seed};
    check_from_support<TypeParam>(BackwardRegime::kStages, one, [&](BackwardPlan& plan) {
      plan.rows_per_turn = rows_per_turn;
      plan.blocks = 2;
    });
    if (this->HasFatalFailure()) return;
  }
  for (int rows_per_turn : {2, 5, 8, 32}) {
    for (auto const result : {Lie::kDense, Lie::kLoose}) {
      BackwardCase const one = {200, 15, 3, ++seed, result};
      check_from_support<TypeParam>(BackwardRegime::kStages, one, [&](BackwardPlan& plan) {
        EXPECT_TRUE(plan.is_staged);
        plan.rows_per_turn = rows_per_turn;
        plan.blocks = 2;
      });
      if (this->HasFatalFailure()) return;
    }
  }
  for (int columns_per_turn : {100, 1024, 3000}) {
    BackwardCase one = {9, 7000, 40, ++seed, Lie::kLoose};
    check_from_support<TypeParam>(BackwardRegime::kStages, one, [&](BackwardPlan& plan) {
      plan.rows_per_turn = 1;
      plan.columns_per_turn = columns_per_turn;
      plan.turns_per_row = (7000 - 1) / columns_per_turn + 1;
      plan.blocks = 2;
    });
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(CudaBackward, TakesRowsSideBySide) {
  uint64_t seed = 0;
  for (int64_t length : {1, 4, 33, 100, 513}) {
    for (int64_t k : {int64_t{3}, length}) {
      BackwardCase one = {35, length, k, ++seed};
      one.result = Lie::kSideBySide;
      one.grads = seed % 2 == 0 ? Lie::kSideBySide : Lie::kDense;
      check_from_support<TypeParam>(BackwardRegime::kColumns, one, kAsPlanned);
      if (this->HasFatalFailure()) return;
      one.source = seed % 3 == 0 ? Lie::kSideBySide : Lie::kWithGaps;
      check_from_weights<TypeParam>(BackwardRegime::kColumns, one, kAsPlanned);
      if (this->HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(CudaBackward, TakesLongRows) {
  uint64_t seed = 0;
  for (int64_t k : {3, 300, 9000}) {
    BackwardCase const one = {3, 9001, k, ++seed};
    check_from_support<TypeParam>(BackwardRegime::kStages, one, kAsPlanned);
    check_from_support<TypeParam>(BackwardRegime::kPasses, one, kAsPlanned);
    if (this->HasFatalFailure()) return;
    for (bool is_block_per_row : {false, true}) {
      check_from_weights<TypeParam>(BackwardRegime::kListed, one, [&](BackwardPlan& plan) {
        plan.is_block_per_row = is_block_per_row;
      });
      if (this->HasFatalFailure()) return;
    }
    check_from_weights<TypeParam>(BackwardRegime::kPasses, one, kAsPlanned);
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(CudaBackward, SumsAsInTheRowThatTheEntriesAreOf) {
  BackwardCase one = {35, 100, 40, 1};
  one.full_length = int64_t{1} << 40;
  check_from_support<TypeParam>(BackwardRegime::kStages, one, kAsPlanned);
  for (auto const regime : {BackwardRegime::kLanes, BackwardRegime::kListed,
                            BackwardRegime::kColumns, BackwardRegime::kPasses}) {
    check_from_weights<TypeParam>(regime, one, kAsPlanned);
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(CudaBackward, GivesTheSameOnEverySchedule) {
  for (uint64_t seed = 0; seed < 8; ++seed) {
    BackwardCase const one = {200, 70, 5, seed};
    check_from_support<TypeParam>(BackwardRegime::kStages, one,
                                  [](BackwardPlan& plan) { plan.blocks = 2; });
    if (this->HasFatalFailure()) return;
    for (auto const regime : {BackwardRegime::kLanes, BackwardRegime::kListed,
                              BackwardRegime::kColumns, BackwardRegime::kPasses}) {
      check_from_weights<TypeParam>(regime, one, [](BackwardPlan& plan) { plan.blocks = 2; });
      if (this->HasFatalFailure()) return;
    }
  }
}

// Not that a forward would give it.
TYPED_TEST(CudaBackward, TakesOneWeightThatIsNaN) {
  BackwardCase const one = {35, 100, 3, 9};
  Given<TypeParam> given(one);
  for (int64_t row = 0; row < one.rows; row += 3) {
    given.weights.at(row, row) = narrow<TypeParam>(std::nan(""));
  }
  Expected<TypeParam> const expected(one, given);
  simt::Stream const stream = one.stream();
  for (auto const regime : {BackwardRegime::kLanes, BackwardRegime::kListed,
                            BackwardRegime::kColumns, BackwardRegime::kPasses}) {
    Operand<TypeParam> result(one.rows, one.length, contiguous(one.length));
    auto const geometry = geometry_of(one.rows, one.length, result, given.grads, given.weights);
    auto const shape = cuda::shape_of<3, TypeParam>(
        geometry, {result.data(), given.grads.data(), given.weights.data()});
    ASSERT_EQ(
        cuda::launch_backward<SparseSoftmax>(
            /*alpha=*/2, geometry, result.data(), static_cast<TypeParam const*>(given.grads.data()),
            static_cast<TypeParam const*>(given.weights.data()),
            cuda::backward_plan_for(regime, shape, kDevice), &stream),
        cudaSuccess);
    EXPECT_EQ(first_difference<TypeParam>(result, expected), -1) << name_of(regime);
  }
}

// As a slice of a larger tensor may lie, of which no row can be read as a chunk.
TYPED_TEST(CudaBackward, TakesASupportBetweenChunks) {
  for (int64_t length : {16, 100}) {
    BackwardCase const one = {35, length, 3, static_cast<uint64_t>(length)};
    Given<TypeParam> given(one);
    Expected<TypeParam> const expected(one, given);
    Operand<TypeParam> result(one.rows, one.length, contiguous(one.length));
    auto const geometry = geometry_of(one.rows, one.length, result, given.grads, given.support);
    auto const entries = static_cast<size_t>(one.rows * given.support.row_stride);
    std::vector<int32_t> memory(1 + entries);
    std::copy_n(given.support.memory.data(), entries, memory.begin() + 1);
    auto const shape = cuda::shape_of_result<TypeParam>(geometry, result.data(), one.k);
    simt::Stream const stream = one.stream();
    ASSERT_EQ(cuda::launch_support_backward<SparseSoftmax>(
                  geometry, result.data(), static_cast<TypeParam const*>(given.grads.data()),
                  static_cast<int32_t const*>(memory.data() + 1), one.k,
                  cuda::plan_from_support(shape, kDevice), &stream),
              cudaSuccess);
    EXPECT_EQ(first_difference<TypeParam>(result, expected), -1) << length;
  }
}

// One number for all entries, as the gradient of a sum is.
TYPED_TEST(CudaBackward, TakesAnExpandedGradient) {
  BackwardCase const one = {35, 100, 3, 7};
  Given<TypeParam> given(one);
  for (int64_t row = 0; row < one.rows; ++row) {
    for (int64_t column = 0; column < one.length; ++column) {
      given.grads.at(row, column) = narrow<TypeParam>(0.3);
    }
  }
  Expected<TypeParam> const expected(one, given);
  Operand<TypeParam> grad(1, 1, {0, 0});
  grad.at(0, 0) = narrow<TypeParam>(0.3);
  simt::Stream const stream = one.stream();
  Operand<TypeParam> result(one.rows, one.length, contiguous(one.length));
  auto const geometry = geometry_of(one.rows, one.length, result, grad, given.support);
  auto const shape = cuda::shape_of_result<TypeParam>(geometry, result.data(), one.k);
  ASSERT_EQ(cuda::launch_support_backward<SparseSoftmax>(
                geometry, result.data(), static_cast<TypeParam const*>(grad.data()),
                static_cast<int32_t const*>(given.support.memory.data()), one.k,
                cuda::plan_from_support(shape, kDevice), &stream),
            cudaSuccess);
  EXPECT_EQ(first_difference<TypeParam>(result, expected), -1);
  auto const weights_geometry = geometry_of(one.rows, one.length, result, grad, given.weights);
  auto const weights_shape = cuda::shape_of<3, TypeParam>(
      weights_geometry, {result.data(), grad.data(), given.weights.data()});
  ASSERT_EQ(
      cuda::launch_backward<SparseSoftmax>(
          /*alpha=*/2, weights_geometry, result.data(), static_cast<TypeParam const*>(grad.data()),
          static_cast<TypeParam const*>(given.weights.data()),
          cuda::plan_from_weights(weights_shape, kDevice), &stream),
      cudaSuccess);
  EXPECT_EQ(first_difference<TypeParam>(result, expected), -1);
}

// Rows of a gradient that lie where no one stride leads.
TYPED_TEST(CudaBackward, TakesAGradientOfSeveralBatchDimensions) {
  BackwardCase const one = {6 * 7, 100, 3, 5};
  Given<TypeParam> given(one);
  Expected<TypeParam> const expected(one, given);
  GuardedArray<TypeParam> grads(static_cast<size_t>(one.rows * one.length), TypeParam{});
  Operand<TypeParam> result(one.rows, one.length, contiguous(one.length));
  for (int64_t row = 0; row < one.rows; ++row) {
    int64_t const transposed = row % 7 * 6 + row / 7;
    for (int64_t column = 0; column < one.length; ++column) {
      grads[static_cast<size_t>(transposed * one.length + column)] = given.grads.at(row, column);
    }
  }
  auto const geometry = [&](int64_t source_row) {
    RowGeometryBuilder<3> builder;
    builder.set_row(one.length, {1, 1, 1});
    builder.add_batch_dimension(6, {7 * one.length, one.length, 7 * source_row});
    builder.add_batch_dimension(7, {one.length, 6 * one.length, source_row});
    return builder.build();
  };
  simt::Stream const stream = one.stream();
  auto const of_support = geometry(1 + one.k);
  ASSERT_EQ(of_support.batch_dimensions, 2);
  auto const shape = cuda::shape_of_result<TypeParam>(of_support, result.data(), one.k);
  auto const plan = cuda::plan_from_support(shape, kDevice);
  EXPECT_EQ(plan.regime, BackwardRegime::kStages);
  ASSERT_EQ(cuda::launch_support_backward<SparseSoftmax>(
                of_support, result.data(), static_cast<TypeParam const*>(grads.data()),
                static_cast<int32_t const*>(given.support.memory.data()), one.k, plan, &stream),
            cudaSuccess);
  EXPECT_EQ(first_difference<TypeParam>(result, expected), -1);
  auto const of_weights = geometry(one.length);
  auto const weights_shape =
      cuda::shape_of<3, TypeParam>(of_weights, {result.data(), grads.data(), given.weights.data()});
  for (auto const regime :
       {BackwardRegime::kLanes, BackwardRegime::kListed, BackwardRegime::kPasses}) {
    ASSERT_EQ(
        cuda::launch_backward<SparseSoftmax>(
            /*alpha=*/2, of_weights, result.data(), static_cast<TypeParam const*>(grads.data()),
            static_cast<TypeParam const*>(given.weights.data()),
            cuda::backward_plan_for(regime, weights_shape, kDevice), &stream),
        cudaSuccess);
    EXPECT_EQ(first_difference<TypeParam>(result, expected), -1) << name_of(regime);
  }
}

}  // namespace
}  // namespace zeta::rowwise
