#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "cuda_gradients.h"
#include "cuda_plans.h"
#include "cuda_rows.h"
#include "mappings/family.h"
#include "mappings/searched_member.h"
#include "rowwise/cpu/entmax.h"
#include "rowwise/cuda/backward/launch.cuh"
#include "rowwise/cuda/backward/plan.h"
#include "rowwise/cuda/by_sums.h"
#include "rowwise/cuda/forward/launch.cuh"
#include "rowwise/cuda/forward/masked.cuh"
#include "rowwise/cuda/forward/plan.h"
#include "rowwise/cuda/shape.h"

// The members of the family whose threshold is searched for, and rows that each have an alpha: CUDA
// kernels run on the CPU.
namespace zeta::rowwise {
namespace {

using cuda::Regime;
using namespace cuda_rows;

constexpr cuda::Device kDevice = {4, 100 << 10};
constexpr cuda::Device kSmallDevice = {1, 228 << 10};  // its warps take several stages each
constexpr double kAlphas[] = {1, 1.25, 1.5, 1.9};

// Calls visit.operator()<MappingOf>() as mappings::with_mapping() does, but for no other member.
template <class Visit>
cudaError_t with_searched_mapping(double alpha, Visit const& visit) {
  return mappings::with_mapping(alpha, [&]<template <class> class MappingOf>() {
    if constexpr (!cuda::kIsBySums<MappingOf<float>>) {
      return visit.template operator()<MappingOf>();
    } else {
      return cudaErrorInvalidValue;
    }
  });
}

std::string text_of(double alpha, Case const& one) {
  return "alpha " + std::to_string(alpha) + ", " + one.text();
}

// Regimes of contiguous rows meet rows that the two operands align differently.
Layout weights_layout_of(Case const& one) {
  if (one.seed % 3 != 0 || one.regime == Regime::kColumns) return layout_of(one);
  if (one.regime == Regime::kPasses) return side_by_side(one.rows);
  int64_t const gap = one.regime == Regime::kFew ? 0 : static_cast<int64_t>(one.seed % 4);
  return {1, one.length + gap, static_cast<int64_t>(one.seed % 5)};
}

// Rows of one warp, a few lanes to each, which go through the search together.
template <template <class> class MappingOf, class Scalar>
__global__ void few_lanes_kernel(RowGeometry<3> const geometry,
                                 cuda::ForwardOperands<Scalar> operands,
                                 typename MappingOf<widened_t<Scalar>>::Fixed fixed) {
  cuda::Lanes const lanes(8);
  for (int64_t first = 0; first < geometry.rows; first += lanes.groups()) {
    auto const row = operands.row(geometry, first + lanes.group());
    cuda::forward_by_passes<MappingOf<widened_t<Scalar>>>(
        lanes, fixed, row.strided_logits(), row.strided_weights(), row.support, operands.k);
  }
}

enum class Groups { kAsPlanned, kFewLanes };

template <template <class> class MappingOf, class Scalar>
cudaError_t launch_forward(Groups groups, double alpha, RowGeometry<3> const& geometry,
                           cuda::ForwardOperands<Scalar> const& operands, cuda::Plan const& plan,
                           void* workspace, simt::Stream const* stream) {
  if (groups == Groups::kAsPlanned) {
    return cuda::launch_forward<MappingOf>(alpha, geometry, operands, plan, workspace, stream);
  }
  auto const fixed = MappingOf<widened_t<Scalar>>::fixed(geometry.full_length, alpha);
  return cuda::detail::launch(few_lanes_kernel<MappingOf, Scalar>, 1, cuda::kWarpThreads, stream,
                              geometry, operands, fixed);
}

// `full_length` is that of the rows that these are some entries of. Segments have so many chunks
// at most, or as the plan has them.
template <class Scalar>
void check_forward(double alpha, Case const& one, int64_t full_length,
                   Groups groups = Groups::kAsPlanned, int chunks_per_segment = 0) {
  Operand<Scalar> logits(one.rows, one.length, layout_of(one));
  Random random(one.seed);
  fill_logits(logits, one, random);
  Operand<Scalar> weights(one.rows, one.length, weights_layout_of(one));
  Operand<Scalar> expected(one.rows, one.length, weights_layout_of(one));
  int64_t const capacity = std::min(one.k, one.length);
  Supports support(one.rows, capacity);
  Supports expected_support(one.rows, capacity);
  auto geometry = geometry_of(one.rows, one.length, weights, logits, support);
  geometry.full_length = full_length;
  auto shape = cuda::shape_of<3, Scalar>(geometry, {weights.data(), logits.data()}, one.k);
  shape.is_by_sums = cuda::is_by_sums(alpha);
  auto const& device = one.seed % 2 == 0 ? kDevice : kSmallDevice;
  ASSERT_TRUE(cuda::is_possible(one.regime, shape, device)) << one.text();
  auto plan = cuda::plan_for(one.regime, shape, device);
  if (one.regime == Regime::kColumns && one.seed % 4 != 0) vary_columns(one.seed, shape, plan);
  if (chunks_per_segment > 0) cut_finely(chunks_per_segment, shape, device, plan);
  std::vector<unsigned char> workspace(
      static_cast<size_t>(cuda::workspace_bytes<Scalar>(geometry, one.k, plan)), 0xa5);

  bool const wants_support = one.seed % 2 == 0;
  cuda::ForwardOperands<Scalar> const operands = {
      weights.data(), logits.data(), wants_support ? support.memory.data() : nullptr, one.k};
  simt::Stream const stream = one.stream();
  auto const error = with_searched_mapping(alpha, [&]<template <class> class MappingOf>() {
    return launch_forward<MappingOf>(groups, alpha, geometry, operands, plan, workspace.data(),
                                     &stream);
  });
  ASSERT_EQ(error, cudaSuccess);
  cpu::entmax_with_support(alpha, geometry, expected.data(), logits.data(),
                           expected_support.memory.data(), one.k, 0, one.rows);
  ASSERT_EQ(first_difference(weights, expected), -1) << text_of(alpha, one);
  for (size_t i = 0; wants_support && i < support.memory.size(); ++i) {
    ASSERT_EQ(support.memory[i], expected_support.memory[i])
        << text_of(alpha, one) << ", place " << i;
  }
}

// Members of the family, its ends among them, and numbers outside of it.
constexpr double kMembers[] = {2, 1.25, 1, 1.5, 1.9, 1.01F, 1.5, 1.25};
constexpr double kOthers[] = {NAN, 0.5, 1.005, 2 + 0x1p-51, INFINITY};
constexpr uint64_t kAlphasOfRows = std::size(kMembers) + std::size(kOthers);

// The layout of the alphas, one to a row, tells which rows share one.
template <class Scalar>
void check_forward_of_alphas(Case const& one, int64_t full_length, Layout const& of_weights,
                             Layout const& of_alphas) {
  Operand<Scalar> logits(one.rows, one.length, layout_of(one));
  Random random(one.seed);
  fill_logits(logits, one, random);
  Operand<Scalar> weights(one.rows, one.length, of_weights);
  Operand<Scalar> expected(one.rows, one.length, of_weights);
  Operand<double> alphas(one.rows, 1, of_alphas);
  auto geometry = geometry_of(one.rows, one.length, weights, logits, alphas);
  geometry.full_length = full_length;
  for (int64_t row = 0; row < one.rows; ++row) {
    auto const number = (static_cast<uint64_t>(alphas.offset(row)) + 3 * one.seed) % kAlphasOfRows;
    if (number < std::size(kMembers)) {
      alphas.at(row, 0) = kMembers[number];
      cpu::entmax(kMembers[number], with_operands<2>(geometry), expected.data(),
                  static_cast<Scalar const*>(logits.data()), one.k, row, row + 1);
    } else {
      alphas.at(row, 0) = kOthers[number - std::size(kMembers)];
      expected.set_row(row, std::vector(static_cast<size_t>(one.length), narrow<Scalar>(NAN)));
    }
  }
  simt::Stream const stream = one.stream();
  cuda::MaskedOperands<Scalar> const operands = {
      weights.data(), logits.data(), nullptr, alphas.data(), /*mask=*/nullptr, /*alpha=*/0, one.k};
  auto const error = cuda::launch_masked_by_passes(with_operands<4>(geometry), operands, &stream);
  ASSERT_EQ(error, cudaSuccess);
  ASSERT_EQ(first_difference(weights, expected), -1) << one.text();
}

template <class Scalar>
void check_backward(BackwardRegime regime, BackwardCase const& one) {
  Given<Scalar> given(one);
  Expected<Scalar> const expected(one, given);
  Operand<Scalar> result(one.rows, one.length, one.layout(one.result));
  auto geometry = geometry_of(one.rows, one.length, result, given.grads, given.weights);
  if (one.full_length > 0) geometry.full_length = one.full_length;
  auto shape = cuda::shape_of<3, Scalar>(geometry,
                                         {result.data(), given.grads.data(), given.weights.data()});
  shape.is_by_sums = cuda::is_by_sums(one.alpha);
  ASSERT_TRUE(cuda::is_possible_from_weights(regime, shape));
  auto const plan = cuda::backward_plan_for(regime, shape, kDevice);
  simt::Stream const stream = one.stream();
  auto const error = with_searched_mapping(one.alpha, [&]<template <class> class MappingOf>() {
    return cuda::launch_backward<MappingOf>(
        one.alpha, geometry, result.data(), static_cast<Scalar const*>(given.grads.data()),
        static_cast<Scalar const*>(given.weights.data()), plan, &stream);
  });
  ASSERT_EQ(error, cudaSuccess);
  ASSERT_EQ(first_difference<Scalar>(result, expected), -1)
      << name_of(regime) << ", " << one.text();
}

template <class Scalar>
class CudaEntmax : public testing::Test {};
using Scalars = testing::Types<float, double, Float16, BFloat16>;
TYPED_TEST_SUITE(CudaEntmax, Scalars);
using ScalarsOfFew = testing::Types<float, Float16, BFloat16>;

TYPED_TEST(CudaEntmax, ForwardEqualsTheCpu) {
  uint64_t seed = 0;
  for (double const alpha : kAlphas) {
    for (int64_t const length : {1, 2, 7, 9, 33, 64, 65, 300, 1500}) {
      for (int64_t const k : std::set<int64_t>{1, 3, 33, length / 2 + 1, length, length + 1}) {
        check_forward<TypeParam>(alpha, {Regime::kPasses, 5, length, k, ++seed}, length);
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

// NaN and infinities among them.
TYPED_TEST(CudaEntmax, ForwardOfEachKindOfRowEqualsTheCpu) {
  constexpr auto kFamilies = static_cast<int64_t>(Logits::kCount);
  for (double const alpha : kAlphas) {
    for (int64_t const k : {2, 20, 100}) {
      for (auto const groups : {Groups::kAsPlanned, Groups::kFewLanes}) {
        check_forward<TypeParam>(alpha, {Regime::kPasses, kFamilies, 100, k, 4}, 100, groups);
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

TYPED_TEST(CudaEntmax, ForwardOfLongRowsEqualsTheCpu) {
  constexpr auto kFamilies = static_cast<uint64_t>(Logits::kCount);
  for (double const alpha : kAlphas) {
    for (uint64_t family = 0; family < kFamilies; ++family) {
      int64_t const k = family % 2 == 0 ? 300 : 20000;
      check_forward<TypeParam>(alpha, {Regime::kPasses, 1, 20000, k, family}, 20000);
      if (this->HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(CudaEntmax, ForwardGivesTheSameOnEverySchedule) {
  for (double const alpha : kAlphas) {
    for (uint64_t seed = 0; seed < 8; ++seed) {
      int64_t const k = seed % 3 == 0 ? 80 : 3;
      check_forward<TypeParam>(alpha, {Regime::kPasses, 5, 104, k, seed}, 104);
      if (this->HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(CudaEntmax, ForwardSumsAsInTheRowThatTheEntriesAreOf) {
  for (double const alpha : kAlphas) {
    for (int64_t const k : {3, 100}) {
      check_forward<TypeParam>(alpha, {Regime::kPasses, 5, 104, k, 2}, int64_t{1} << 40);
      if (this->HasFatalFailure()) return;
    }
  }
}

// What no result depends on, but how long a search takes.
TEST(CudaEntmaxEstimate, IsNearTheRoot) {
  constexpr int kCount = 8;
  Random random(1);
  for (double const alpha : {1.01, 1.25, 1.5, 1.99}) {
    for (double const scale : {0.0, 0.1, 1.0, 5.0, 1e30}) {
      float numbers[kCount];
      for (float& number : numbers) number = static_cast<float>(normal(random, scale));
      std::sort(numbers, numbers + kCount, std::greater<>());
      using Mapping = mappings::SearchedMember<float>;
      Mapping const mapping(numbers[0], Mapping::fixed(kCount, alpha));
      for (int k = 1; k <= kCount; ++k) {
        cuda::detail::FirstNumbers<kCount> const first = {numbers, k};
        cuda::SingleThread const thread;
        auto const start = cuda::estimate_root<Mapping, float>(thread, mapping, first);
        auto const threshold =
            cuda::search_threshold<Mapping, float>(thread, mapping, first, start);
        EXPECT_NEAR(start.root, threshold.root, 0x1p-10)
            << "alpha " << alpha << ", scale " << scale << ", k " << k;
      }
    }
  }
}

// The lengths straddle chunks and what a lane holds; some rows begin with a chunk, others do not.
template <class Scalar>
std::vector<int64_t> lengths_of_few() {
  std::vector<int64_t> lengths = {1, 2, 3, 5, 9, 17, 33, 63, 65, 197};
  for (int64_t const chunks : {1, 2, 3, 4, 5, 8, 9, 16, 17, 64, 100, 127, 128}) {
    lengths.push_back(chunks * cuda::kChunkBytes / static_cast<int64_t>(sizeof(Scalar)));
  }
  lengths.push_back((cuda::kMostSearchedBytes - 30) / static_cast<int64_t>(sizeof(Scalar)));
  return lengths;
}

template <class Scalar>
class CudaEntmaxOfFew : public testing::Test {};
TYPED_TEST_SUITE(CudaEntmaxOfFew, ScalarsOfFew);

TYPED_TEST(CudaEntmaxOfFew, EqualsTheCpu) {
  constexpr auto kFamilies = static_cast<int64_t>(Logits::kCount);
  uint64_t seed = 0;
  for (double const alpha : kAlphas) {
    for (int64_t const length : lengths_of_few<TypeParam>()) {
      // Several stages, the last one not full.
      int64_t const rows = (length <= 32 ? 20 : length <= 256 ? 6 : 1) * kFamilies + 3;
      for (int64_t const k : {1, 3, 4, 5, 8}) {
        check_forward<TypeParam>(alpha, {Regime::kFew, rows, length, k, ++seed}, length);
        if (this->HasFatalFailure()) return;
      }
    }
    check_forward<TypeParam>(alpha, {Regime::kFew, 100, 8, INT64_MAX, ++seed}, 8);
  }
}

TYPED_TEST(CudaEntmaxOfFew, GivesTheSameOnEverySchedule) {
  for (double const alpha : kAlphas) {
    for (uint64_t seed = 0; seed < 10; ++seed) {
      int64_t const k = seed % 3 == 0 ? 8 : 3;
      check_forward<TypeParam>(alpha, {Regime::kFew, 20, 104, k, seed}, 104);
      if (this->HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(CudaEntmaxOfFew, SumsAsInTheRowThatTheEntriesAreOf) {
  for (double const alpha : kAlphas) {
    check_forward<TypeParam>(alpha, {Regime::kFew, 35, 104, 8, 1}, int64_t{1} << 40);
  }
}

TYPED_TEST(CudaEntmax, ForwardOfHeldRowsEqualsTheCpu) {
  constexpr auto kFamilies = static_cast<int64_t>(Logits::kCount);
  constexpr int64_t kMost = cuda::kMostHeldBytes / sizeof(TypeParam);
  uint64_t seed = 0;
  for (double const alpha : kAlphas) {
    for (int64_t const length : {int64_t{1}, int64_t{7}, int64_t{31}, int64_t{33}, int64_t{100},
                                 int64_t{511}, int64_t{513}, int64_t{1024}, kMost - 1, kMost}) {
      int64_t const rows = (length <= 200 ? 6 : 1) * kFamilies + 3;
      for (int64_t const k : {1, 3, 4, 8, 17, 32}) {
        check_forward<TypeParam>(alpha, {Regime::kHeld, rows, length, k, ++seed}, length);
        if (this->HasFatalFailure()) return;
      }
    }
    check_forward<TypeParam>(alpha, {Regime::kHeld, 100, 32, INT64_MAX, ++seed}, 32);
  }
}

TYPED_TEST(CudaEntmax, ForwardOfHeldRowsOfManyNonZerosEqualsTheCpu) {
  constexpr auto kFamilies = static_cast<int64_t>(Logits::kCount);
  constexpr int64_t kMost = cuda::kMostCrowdedBytes / sizeof(TypeParam);
  uint64_t seed = 0;
  for (double const alpha : kAlphas) {
    for (int64_t const length : {int64_t{33}, int64_t{100}, int64_t{511}, kMost - 1, kMost}) {
      int64_t const rows = (length <= 200 ? 3 : 1) * kFamilies + 3;
      for (int64_t const k : std::set<int64_t>{33, 64, 129, length - 1, INT64_MAX}) {
        check_forward<TypeParam>(
            alpha, {Regime::kHeld, rows, length, std::max<int64_t>(k, 33), ++seed}, length);
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

// Rows of one segment, of several, and of parts of which the last warps have none. Larger k find
// the entries of a segment in another way.
TYPED_TEST(CudaEntmax, ForwardOfSegmentsEqualsTheCpu) {
  constexpr auto kFamilies = static_cast<int64_t>(Logits::kCount);
  constexpr int64_t kMost = cuda::kMostSegmentBytes / sizeof(TypeParam);
  constexpr int64_t kOfBlock = cuda::kMostWarpsPerRow * cuda::kStageBytes / sizeof(TypeParam);
  uint64_t seed = 0;
  for (double const alpha : kAlphas) {
    for (int64_t const length : {int64_t{1}, int64_t{1000}, kOfBlock + 1, 3 * kMost - 1}) {
      int64_t const rows = length <= 1000 ? kFamilies + 3 : 5;
      for (int64_t const k : {1, 3, 4, 8, 9, 17, 32}) {
        check_forward<TypeParam>(alpha, {Regime::kSegments, rows, length, k, ++seed}, length);
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

// Up to 256 candidates of a row, which a warp merges, and more, which a block does.
TYPED_TEST(CudaEntmax, ForwardMergesSegmentsByWarpsAndByBlocks) {
  constexpr auto kFamilies = static_cast<int64_t>(Logits::kCount);
  constexpr int64_t kPerChunk = cuda::kChunkBytes / sizeof(TypeParam);
  uint64_t seed = 0;
  for (double const alpha : kAlphas) {
    for (int64_t const k : {1, 3, 8, 9, 32}) {
      for (int64_t const segments : {int64_t{2}, 256 / k, 256 / k + 1}) {
        int const chunks = k > 8 ? 9 : 1;  // as many entries as lists have room for, or less
        int64_t const length = chunks * kPerChunk * segments - static_cast<int64_t>(seed % 3);
        check_forward<TypeParam>(alpha, {Regime::kSegments, kFamilies, length, k, ++seed}, length,
                                 Groups::kAsPlanned, chunks);
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

TYPED_TEST(CudaEntmax, ForwardOfColumnsEqualsTheCpu) {
  uint64_t seed = 0;
  for (double const alpha : kAlphas) {
    for (int64_t const length : {1, 2, 15, 17, 64, 257, 300, 1500}) {
      for (int64_t const k : {1, 3, 4, 5, 8, 17, 32}) {
        Case const one = {Regime::kColumns, rows_of_columns(length), length, k, ++seed};
        check_forward<TypeParam>(alpha, one, length);
        if (this->HasFatalFailure()) return;
      }
    }
    check_forward<TypeParam>(alpha, {Regime::kColumns, 42, 32, INT64_MAX, ++seed}, 32);
  }
}

TYPED_TEST(CudaEntmax, ForwardOfFewNonZerosGivesTheSameOnEverySchedule) {
  for (auto const regime : {Regime::kHeld, Regime::kSegments, Regime::kColumns}) {
    int64_t const length = regime == Regime::kSegments ? 6000 : 104;
    int64_t const rows = regime == Regime::kSegments ? 5 : 30;
    for (double const alpha : kAlphas) {
      for (uint64_t seed = 0; seed < 10; ++seed) {
        int64_t const k = seed % 3 == 0 ? 32 : 3;
        check_forward<TypeParam>(alpha, {regime, rows, length, k, seed}, length);
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

TYPED_TEST(CudaEntmax, ForwardOfFewNonZerosSumsAsInTheRowThatTheEntriesAreOf) {
  for (auto const regime : {Regime::kHeld, Regime::kSegments, Regime::kColumns}) {
    for (double const alpha : kAlphas) {
      for (int64_t const k : {3, 32}) {
        check_forward<TypeParam>(alpha, {regime, 35, 104, k, 2}, int64_t{1} << 40);
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

TYPED_TEST(CudaEntmax, KernelsOfFewNonZerosRefuseMore) {
  for (auto const regime : {Regime::kSegments, Regime::kColumns}) {
    Case const one = {regime, 2, 100, 33, 1};
    Operand<TypeParam> logits(one.rows, one.length, layout_of(one));
    Operand<TypeParam> weights(one.rows, one.length, layout_of(one));
    Supports const support(one.rows, one.k);
    auto const geometry = geometry_of(one.rows, one.length, weights, logits, support);
    auto shape = cuda::shape_of<3, TypeParam>(geometry, {weights.data(), logits.data()}, one.k);
    EXPECT_TRUE(cuda::is_possible(regime, shape, kDevice)) << one.text();
    shape.is_by_sums = false;
    EXPECT_FALSE(cuda::is_possible(regime, shape, kDevice)) << one.text();
    auto const plan = cuda::plan_for(regime, shape, kDevice);
    cuda::ForwardOperands<TypeParam> const operands = {weights.data(), logits.data(), nullptr,
                                                       one.k};
    simt::Stream const stream = one.stream();
    auto const error = with_searched_mapping(1.5, [&]<template <class> class MappingOf>() {
      return cuda::launch_forward<MappingOf>(1.5, geometry, operands, plan, nullptr, &stream);
    });
    EXPECT_EQ(error, cudaErrorInvalidValue) << one.text();
  }
}

TYPED_TEST(CudaEntmax, ForwardOfAlphasEqualsTheCpu) {
  constexpr auto kRows = static_cast<int64_t>(Logits::kCount);
  Layout const with_gaps_between = {0, 3};
  uint64_t seed = 0;
  for (int64_t const length : {1, 2, 33, 100}) {
    for (int64_t const k : std::set<int64_t>{1, 20, length, INT64_MAX}) {
      for (auto const& weights : {contiguous(length), side_by_side(kRows)}) {
        Case const one = {Regime::kPasses, kRows, length, k, ++seed};
        check_forward_of_alphas<TypeParam>(one, length, weights, with_gaps_between);
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

TYPED_TEST(CudaEntmax, ForwardOfAlphasOfLongRowsEqualsTheCpu) {
  for (uint64_t seed = 0; seed < kAlphasOfRows; ++seed) {
    int64_t const k = seed % 2 == 0 ? 300 : 5000;
    Case const one = {Regime::kPasses, 1, 5000, k, seed};
    check_forward_of_alphas<TypeParam>(one, 5000, contiguous(5000), {0, 1});
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(CudaEntmax, ForwardOfAlphasSumsAsInTheRowThatTheEntriesAreOf) {
  for (uint64_t seed = 0; seed < 4; ++seed) {
    Case const one = {Regime::kPasses, 13, 104, 100, seed};
    check_forward_of_alphas<TypeParam>(one, int64_t{1} << 40, contiguous(104), {0, 1});
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(CudaEntmax, ForwardOfAlphasTakesThoseThatRowsShare) {
  constexpr int64_t kRows = 12;
  constexpr int64_t kNeighbours = 4;
  Case const one = {Regime::kPasses, kRows, 40, 10, 1};
  auto const groups = groups_side_by_side(kNeighbours, one.length);
  Layout const of_all = {.stride = 0, .row_stride = 0};
  Layout const of_neighbours = {
      .stride = 0, .row_stride = 0, .neighbours = kNeighbours, .group_stride = 1};
  Layout const of_groups = {.stride = 0, .row_stride = 1, .neighbours = kNeighbours};
  for (auto const& alphas : {of_all, of_neighbours, of_groups}) {
    check_forward_of_alphas<TypeParam>(one, one.length, groups, alphas);
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(CudaEntmax, BackwardEqualsTheCpu) {
  uint64_t seed = 0;
  for (double const alpha : kAlphas) {
    for (int64_t const length : {1, 4, 33, 300, 1500}) {
      for (int64_t const k : std::set<int64_t>{1, 33, length}) {
        BackwardCase one = {.rows = 5, .length = length, .k = k, .seed = ++seed, .alpha = alpha};
        one.result = seed % 3 == 0 ? Lie::kDense : Lie::kWithGaps;
        one.grads = seed % 2 == 0 ? Lie::kLoose : Lie::kApart;
        one.source = seed % 4 == 0 ? Lie::kWithGaps : Lie::kDense;
        check_backward<TypeParam>(BackwardRegime::kPasses, one);
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

TYPED_TEST(CudaEntmax, BackwardOfRowsSideBySideEqualsTheCpu) {
  uint64_t seed = 0;
  for (double const alpha : kAlphas) {
    for (int64_t const length : {1, 33, 100}) {
      BackwardCase one = {
          .rows = 35, .length = length, .k = 1 + length / 2, .seed = ++seed, .alpha = alpha};
      one.result = one.source = Lie::kSideBySide;
      one.grads = seed % 2 == 0 ? Lie::kSideBySide : Lie::kDense;
      check_backward<TypeParam>(BackwardRegime::kColumns, one);
      if (this->HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(CudaEntmax, BackwardSumsAsInTheRowThatTheEntriesAreOf) {
  for (double const alpha : kAlphas) {
    BackwardCase one = {.rows = 7, .length = 100, .k = 40, .seed = 1, .alpha = alpha};
    one.full_length = int64_t{1} << 40;
    check_backward<TypeParam>(BackwardRegime::kPasses, one);
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(CudaEntmax, BackwardFromTheSupportIsRefused) {
  auto const error = with_searched_mapping(1.5, []<template <class> class MappingOf>() {
    return cuda::launch_support_backward<MappingOf, TypeParam>({}, nullptr, nullptr, nullptr, 1, {},
                                                               nullptr);
  });
  EXPECT_EQ(error, cudaErrorInvalidValue);
}

}  // namespace
}  // namespace zeta::rowwise
