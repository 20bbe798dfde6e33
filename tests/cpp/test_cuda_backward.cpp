#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "cuda_rows.h"
#include "mappings/sparse_softmax.h"
#include "row_reference.h"
#include "rowwise/cpu/sparse_softmax.h"
#include "rowwise/cuda/backward/launch.cuh"
#include "rowwise/cuda/forward/plan.h"

// The CUDA kernels of the backward, from the weights and from the support, run on the CPU.
namespace zeta::rowwise {
namespace {

using cuda::Plan;
using cuda::Regime;
using mappings::SparseSoftmax;
using namespace cuda_rows;

// Of the operand that has this number.
Layout layout_of(Case const& one, int operand) {
  bool const has_gaps = (one.seed >> operand) % 4 == 0;
  if (one.regime == Regime::kColumns) {
    return has_gaps ? with_gaps(one.length) : side_by_side(one.rows);
  }
  if (one.regime == Regime::kPasses && has_gaps) return with_gaps(one.length);
  return {1, one.length + (has_gaps ? 1 : 0)};
}

// A gradient and what it is a gradient of.
template <class Scalar>
struct Given {
  explicit Given(Case const& one)
      : weights(one.rows, one.length, layout_of(one, 2)),
        grads(one.rows, one.length, layout_of(one, 1)),
        support(one.rows, std::min(one.k, one.length)) {
    Random random(one.seed);
    Operand<Scalar> logits(one.rows, one.length, contiguous(one.length));
    fill_logits(logits, one, random);
    for (int64_t row = 0; row < one.rows; ++row) {
      auto const number = static_cast<uint64_t>(row) + one.seed;
      auto const family = static_cast<Gradients>(number % static_cast<uint64_t>(Gradients::kCount));
      grads.set_row(row, gradients_of<Scalar>(family, one.length, random));
    }
    cpu::sparse_softmax_with_support(geometry_of(one.rows, one.length, weights, logits, support),
                                     weights.memory.data(), logits.memory.data(),
                                     support.memory.data(), one.k, 0, one.rows);
  }

  Operand<Scalar> weights;
  Operand<Scalar> grads;
  Supports support;
};

// Where inf - inf and the like come up, the CPU's result is the reference.
template <class Scalar>
void check_by_reference(Case const& one, Given<Scalar>& given, Operand<Scalar>& result) {
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

// `full_length` is that of the rows that these are some entries of.
template <class Scalar>
void check(Case const& one, int64_t full_length) {
  Given<Scalar> given(one);
  Operand<Scalar> expected(one.rows, one.length, layout_of(one, 0));
  auto geometry = geometry_of(one.rows, one.length, expected, given.grads, given.weights);
  geometry.full_length = full_length;
  cpu::sparse_softmax_backward(geometry, expected.memory.data(), given.grads.memory.data(),
                               given.weights.memory.data(), 0, one.rows);
  simt::Stream const stream = one.stream();

  Operand<Scalar> from_weights(one.rows, one.length, layout_of(one, 0));
  auto const shape = cuda::shape_of<3, Scalar>(
      geometry,
      {from_weights.memory.data(), given.grads.memory.data(), given.weights.memory.data()});
  ASSERT_TRUE(cuda::is_possible(one.regime, shape, {4, 100 << 10})) << one.text();
  ASSERT_EQ(
      cuda::launch_backward<SparseSoftmax>(
          geometry, from_weights.memory.data(), given.grads.memory.data(),
          given.weights.memory.data(), cuda::plan_for(one.regime, shape, {4, 100 << 10}), &stream),
      cudaSuccess);
  ASSERT_EQ(first_difference(from_weights, expected), -1) << one.text();
  if (full_length == one.length) check_by_reference(one, given, from_weights);

  // The gradient is read at the support alone, however it lies.
  Operand<Scalar> grads(one.rows, one.length,
                        one.seed % 2 == 0 ? with_gaps(one.length) : layout_of(one, 1));
  for (int64_t row = 0; row < one.rows; ++row) {
    for (int64_t column = 0; column < one.length; ++column) {
      grads.at(row, column) = given.grads.at(row, column);
    }
  }
  Operand<Scalar> from_support(one.rows, one.length, layout_of(one, 0));
  auto support_geometry = geometry_of(one.rows, one.length, from_support, grads, given.support);
  support_geometry.full_length = full_length;
  auto const support_shape =
      cuda::shape_of<3, Scalar>(support_geometry, {from_support.memory.data()});
  Plan plan = cuda::plan_for(one.regime, support_shape, {4, 100 << 10});
  if (one.regime == Regime::kSplit) plan.parts_per_row = 1 + static_cast<int>(one.seed % 4);
  ASSERT_EQ(cuda::launch_support_backward<SparseSoftmax>(
                support_geometry, from_support.memory.data(), grads.memory.data(),
                given.support.memory.data(), std::min(one.k, one.length), plan, &stream),
            cudaSuccess);
  ASSERT_EQ(first_difference(from_support, expected), -1) << one.text() << ", from the support";
}

template <class Scalar>
void check(Case const& one) {
  check<Scalar>(one, one.length);
}

template <class Scalar>
class CudaBackward : public testing::Test {};
using Scalars = testing::Types<float, double, Float16, BFloat16>;
TYPED_TEST_SUITE(CudaBackward, Scalars);

// The lengths straddle pieces of 16 bytes, warps and blocks.
TYPED_TEST(CudaBackward, EqualsTheCpuAndTheReference) {
  uint64_t seed = 0;
  for (auto const regime :
       {Regime::kLanes, Regime::kBlock, Regime::kSplit, Regime::kColumns, Regime::kPasses}) {
    for (int64_t length : {1, 3, 4, 5, 15, 16, 17, 32, 33, 64, 65, 129, 500, 513, 1000}) {
      for (int64_t k : {int64_t{1}, int64_t{3}, int64_t{33}, length}) {
        int64_t const rows = regime == Regime::kLanes || regime == Regime::kColumns ? 35 : 3;
        check<TypeParam>({regime, rows, length, k, ++seed});
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

TYPED_TEST(CudaBackward, TakesLongRows) {
  uint64_t seed = 0;
  for (auto const regime : {Regime::kBlock, Regime::kSplit, Regime::kPasses}) {
    for (int64_t k : {3, 300, 9000}) {
      check<TypeParam>({regime, 3, 9001, k, ++seed});
      if (this->HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(CudaBackward, SumsAsInTheRowThatTheEntriesAreOf) {
  for (auto const regime : {Regime::kLanes, Regime::kBlock, Regime::kColumns}) {
    check<TypeParam>({regime, 35, 100, 40, 1}, int64_t{1} << 40);
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(CudaBackward, GivesTheSameOnEverySchedule) {
  for (auto const regime : {Regime::kLanes, Regime::kBlock, Regime::kColumns}) {
    for (uint64_t seed = 0; seed < 8; ++seed) {
      check<TypeParam>({regime, 35, 70, 5, seed});
      if (this->HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace zeta::rowwise
