#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "cuda_plans.h"
#include "cuda_rows.h"
#include "mappings/sparse_softmax.h"
#include "row_reference.h"
#include "rowwise/cpu/entmax.h"
#include "rowwise/cuda/forward/launch.cuh"
#include "rowwise/cuda/forward/plan.h"

// The CUDA kernels of the forward, run on the CPU: each regime, whatever it is meant for.
namespace zeta::rowwise {
namespace {

using cuda::Plan;
using cuda::Regime;
using mappings::SparseSoftmax;
using namespace cuda_rows;

// The smallest one has room for five warps of a segment.
cuda::Device device_of(Case const& one) {
  bool const is_small = one.regime == Regime::kSegments && one.seed % 5 == 0;
  return {1 + static_cast<int>(one.seed % 2), is_small           ? 64 << 10
                                              : one.seed % 4 < 2 ? 228 << 10
                                                                 : 100 << 10};
}

// Regimes of contiguous rows meet rows that the two operands align differently.
Layout weights_layout_of(Case const& one) {
  Layout const layout = layout_of(one);
  if (layout.stride != 1 || one.seed % 3 != 0) return layout;
  if (one.regime == Regime::kFew || one.regime == Regime::kMany)
    return {1, one.length, static_cast<int64_t>(one.seed % 5)};
  return {1, one.length + static_cast<int64_t>(one.seed % 4), static_cast<int64_t>(one.seed % 5)};
}

// `full_length` is that of the rows that these are some entries of. Segments have so many chunks
// at most, or as the plan has them.
template <class Scalar>
void check(Case const& one, int64_t full_length, int chunks_per_segment = 0) {
  int64_t const capacity = std::min(one.k, one.length);
  Operand<Scalar> logits(one.rows, one.length, layout_of(one));
  Random random(one.seed);
  fill_logits(logits, one, random);
  Operand<Scalar> weights(one.rows, one.length, weights_layout_of(one));
  Operand<Scalar> expected(one.rows, one.length, weights_layout_of(one));
  Supports support(one.rows, capacity);
  Supports expected_support(one.rows, capacity);
  auto geometry = geometry_of(one.rows, one.length, weights, logits, support);
  geometry.full_length = full_length;
  auto const shape = cuda::shape_of<3, Scalar>(geometry, {weights.data(), logits.data()}, one.k);
  ASSERT_TRUE(cuda::is_possible(one.regime, shape, device_of(one))) << one.text();
  Plan plan = cuda::plan_for(one.regime, shape, device_of(one));
  if (one.regime == Regime::kColumns && one.seed % 4 != 0) vary_columns(one.seed, shape, plan);

  if (chunks_per_segment > 0) cut_finely(chunks_per_segment, shape, device_of(one), plan);

  bool const is_cut = one.length <= 3000 || chunks_per_segment > 0;
  bool const has_teams = one.k > cuda::kWarpThreads && is_cut && one.seed % 3 != 0;
  if (one.regime == Regime::kSegments && has_teams) {
    plan.blocks_of_team = 2 + static_cast<int>(one.seed % 2);
    plan.merging_blocks = static_cast<int>(one.rows) * plan.blocks_of_team;
  }

  bool const wants_support = one.seed % 2 == 0;
  cuda::ForwardOperands<Scalar> const operands = {
      weights.data(), logits.data(), wants_support ? support.memory.data() : nullptr, one.k};
  std::vector<unsigned char> workspace(
      static_cast<size_t>(cuda::workspace_bytes<Scalar>(geometry, one.k, plan)), 0xa5);
  simt::Stream const stream = one.stream();
  ASSERT_EQ(cuda::launch_forward<SparseSoftmax>(/*alpha=*/2, geometry, operands, plan,
                                                workspace.data(), &stream),
            cudaSuccess);

  cpu::entmax_with_support(/*alpha=*/2, geometry, expected.data(), logits.data(),
                           expected_support.memory.data(), one.k, 0, one.rows);
  ASSERT_EQ(first_difference(weights, expected), -1) << one.text();
  for (size_t i = 0; wants_support && i < support.memory.size(); ++i) {
    ASSERT_EQ(support.memory[i], expected_support.memory[i]) << one.text() << ", place " << i;
  }
  if (full_length != one.length) return;
  for (int64_t row = 0; row < one.rows; ++row) {
    auto const reference = reference::forward_row(logits.row(row, one.length), one.k);
    ASSERT_EQ(first_error(weights.row(row, one.length), reference, kRoundingError<Scalar>), -1)
        << one.text() << ", row " << row;
  }
}

template <class Scalar>
void check(Case const& one) {
  check<Scalar>(one, one.length);
}

// The lengths straddle pieces of 16 bytes, warps, the regimes' tiles and lists.
std::vector<int64_t> lengths_of(Regime regime, int element_bytes) {
  switch (regime) {
    case Regime::kFew:
    case Regime::kMany: {
      std::vector<int64_t> lengths;
      for (int64_t chunks : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 255, 256}) {
        lengths.push_back(chunks * 16 / element_bytes);
      }
      // A part to each warp of a block.
      for (int64_t chunks : {257, 512, 700, 1025, 1537, 2048}) {
        lengths.push_back(chunks * 16 / element_bytes);
      }
      // Rows that do not begin with a chunk, the longest among them.
      for (int64_t length :
           {1, 2, 3, 5, 7, 9, 10, 15, 17, 31, 33, 49, 63, 65, 100, 197, 255, 577}) {
        lengths.push_back(length);
      }
      lengths.push_back((4096 - 30) / element_bytes);
      lengths.push_back((4096 - 30) / element_bytes / 2 - 1);
      return lengths;
    }
    case Regime::kHeld: {
      int const most = 32768 / element_bytes;
      return {1, 7, 100, 511, 512, 513, 1024, 2047, 3000, 4096, most / 2 + 3, most - 1, most};
    }
    case Regime::kSegments: {
      // Around a warp of float64's, and a block's of the others.
      int const most = cuda::kMostSegmentBytes / element_bytes;
      int const of_block = cuda::kMostWarpsPerRow * cuda::kStageBytes / element_bytes;
      return {1,        1000,         3000,  10000, most, most + 1, 3 * most - 1,
              of_block, of_block + 1, 70000, 140000};
    }
    case Regime::kColumns:
      return {1, 2, 7, 15, 16, 17, 33, 64, 100, 257, 300, 511, 1500};
    default:
      return {1, 2, 7, 8, 9, 33, 64, 65, 300, 1500};
  }
}

std::set<int64_t> ks_of(Regime regime, int64_t length) {
  std::set<int64_t> ks = {1, 2, 3, 4, 5, 31, 32, 33, length - 1, length, length + 1};
  if (regime == Regime::kFew) ks = {1, 2, 3, 4, 5, 7, 8};
  if (regime == Regime::kFew && length == 8) ks.insert(100);
  if (regime == Regime::kMany) {
    ks = {1, 9, 16, 31, 32, 33, 64, length / 3, length - 1, length, length + 1};
    ks.erase(ks.upper_bound(length + 1), ks.end());
  }
  if (regime == Regime::kHeld) ks = {1, 2, 3, 8, 17, 31, 32, 33, 100, length / 2, length};
  if (regime == Regime::kSegments) ks = {1, 3, 17, 32, 33, 200, 3000, length};
  if (regime == Regime::kColumns) ks.insert({8, 9, 16});
  ks.erase(ks.begin(), ks.lower_bound(1));
  return ks;
}

int64_t rows_of(Regime regime, int64_t length) {
  constexpr auto kFamilies = static_cast<int64_t>(Logits::kCount);
  switch (regime) {
    case Regime::kFew:  // several stages, the last one not full
      return length <= 32 ? 1200 : length <= 256 ? 203 : kFamilies + 3;
    case Regime::kMany:
      return length <= 32 ? 600 : length <= 256 ? 107 : kFamilies + 3;
    case Regime::kHeld:
      return length <= 600 ? 8 * kFamilies : kFamilies + 3;
    case Regime::kColumns:
      return rows_of_columns(length);
    case Regime::kSegments:
      return length <= 1000 ? kFamilies + 3 : 5;
    default:
      return 5;
  }
}

template <class Scalar_, Regime kRegime_>
struct Kernel {
  using Scalar = Scalar_;
  static constexpr Regime kRegime = kRegime_;
};

template <class Kernel>
class CudaForward : public testing::Test {};

template <class Scalar>
constexpr char const* kScalarName = "float";
template <>
constexpr char const* kScalarName<double> = "double";
template <>
constexpr char const* kScalarName<Float16> = "float16";
template <>
constexpr char const* kScalarName<BFloat16> = "bfloat16";

struct KernelName {
  template <class Kernel>
  static std::string GetName(int) {
    return std::string(cuda::kRegimeNames[static_cast<size_t>(Kernel::kRegime)]) + "_" +
           kScalarName<typename Kernel::Scalar>;
  }
};

using Kernels =
    testing::Types<Kernel<float, Regime::kFew>, Kernel<Float16, Regime::kFew>,
                   Kernel<BFloat16, Regime::kFew>, Kernel<float, Regime::kMany>,
                   Kernel<Float16, Regime::kMany>, Kernel<BFloat16, Regime::kMany>,
                   Kernel<float, Regime::kHeld>, Kernel<double, Regime::kHeld>,
                   Kernel<Float16, Regime::kHeld>, Kernel<BFloat16, Regime::kHeld>,
                   Kernel<float, Regime::kSegments>, Kernel<double, Regime::kSegments>,
                   Kernel<Float16, Regime::kSegments>, Kernel<BFloat16, Regime::kSegments>,
                   Kernel<float, Regime::kColumns>, Kernel<double, Regime::kColumns>,
                   Kernel<Float16, Regime::kColumns>, Kernel<BFloat16, Regime::kColumns>,
                   Kernel<float, Regime::kPasses>, Kernel<double, Regime::kPasses>,
                   Kernel<Float16, Regime::kPasses>, Kernel<BFloat16, Regime::kPasses>>;
TYPED_TEST_SUITE(CudaForward, Kernels, KernelName);

TYPED_TEST(CudaForward, EqualsTheCpuAndTheReference) {
  using Scalar = typename TypeParam::Scalar;
  constexpr Regime kRegime = TypeParam::kRegime;
  uint64_t seed = 0;
  for (int64_t length : lengths_of(kRegime, sizeof(Scalar))) {
    for (int64_t k : ks_of(kRegime, length)) {
      check<Scalar>({kRegime, rows_of(kRegime, length), length, k, ++seed});
      if (this->HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(CudaForward, SumsAsInTheRowThatTheEntriesAreOf) {
  using Scalar = typename TypeParam::Scalar;
  // Sums of so long rows are too coarse for what float holds of 16-bit logits.
  for (int64_t full_length : {int64_t{1} << 40, int64_t{1} << 42}) {
    for (int64_t k : {3, 40, 100}) {
      if (TypeParam::kRegime == Regime::kFew) k = 3 + k / 20;
      check<Scalar>({TypeParam::kRegime, 35, 104, k, static_cast<uint64_t>(k)}, full_length);
      if (this->HasFatalFailure()) return;
    }
  }
}

template <class Scalar>
class CudaForwardOfSegments : public testing::Test {};

using Scalars = testing::Types<float, double, Float16, BFloat16>;
TYPED_TEST_SUITE(CudaForwardOfSegments, Scalars);

// Up to 256 candidates of a row, which a warp merges, and one more segment, which a block does. A
// row's largest entries are in one segment (of ascending rows) or in as many as there are.
TYPED_TEST(CudaForwardOfSegments, MergesFewCandidatesByWarpsAndMoreByBlocks) {
  constexpr auto kFamilies = static_cast<int64_t>(Logits::kCount);
  constexpr int64_t kPerChunk = cuda::kChunkBytes / sizeof(TypeParam);
  uint64_t seed = 0;
  for (int64_t k : {1, 3, 4, 7, 8, 31, 32}) {
    for (int64_t segments : {int64_t{2}, 32 / k + 1, 256 / k, 256 / k + 1, int64_t{100}}) {
      int const chunks = k > 8 ? 9 : 1;  // as many entries as lists have room for, or less
      int64_t const length = chunks * kPerChunk * segments - static_cast<int64_t>(seed % 3);
      check<TypeParam>({Regime::kSegments, kFamilies, length, k, ++seed}, length, chunks);
      if (this->HasFatalFailure()) return;
    }
  }
}

// More than the lanes of a block hold at once.
TYPED_TEST(CudaForwardOfSegments, MergesThousandsOfSegments) {
  constexpr auto kSegments = cuda::kThreadsPerBlock * cuda::kSegmentsPerLane;
  constexpr int64_t kPerChunk = cuda::kChunkBytes / sizeof(TypeParam);
  for (uint64_t seed = 0; seed < static_cast<uint64_t>(Logits::kCount); seed += 3) {
    int64_t const length = kPerChunk * (kSegments + 300);
    int64_t const k = seed % 2 == 0 ? 3 : 32;
    check<TypeParam>({Regime::kSegments, 2, length, k, seed}, length, 1);
    if (this->HasFatalFailure()) return;
  }
}

// More candidates than shared memory holds, none of whose lists is full.
TYPED_TEST(CudaForwardOfSegments, PassesOverLongListsByTeams) {
  constexpr auto kFamilies = static_cast<int64_t>(Logits::kCount);
  constexpr int kChunks = 16;
  constexpr int64_t kLength = 90 * kChunks * cuda::kChunkBytes / sizeof(TypeParam);
  static_assert(kLength > cuda::kCandidatesPerBlock);
  for (uint64_t seed = 0; seed < 4; ++seed) {
    for (int64_t k : {int64_t{200}, kLength}) {
      check<TypeParam>({Regime::kSegments, kFamilies, kLength, k, seed}, kLength, kChunks);
      if (this->HasFatalFailure()) return;
    }
  }
}

// Many orders of the same threads.
TYPED_TEST(CudaForward, GivesTheSameOnEverySchedule) {
  using Scalar = typename TypeParam::Scalar;
  constexpr Regime kRegime = TypeParam::kRegime;
  bool const may_be_of_block = kRegime == Regime::kFew || kRegime == Regime::kMany;
  int64_t const large_k = kRegime == Regime::kFew ? 8 : 80;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    int64_t const length = kRegime == Regime::kSegments       ? 6000
                           : may_be_of_block && seed % 2 == 0 ? 2064
                                                              : 104;
    check<Scalar>({kRegime, rows_of(kRegime, length), length, seed % 3 == 0 ? large_k : 3, seed});
    if (this->HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace zeta::rowwise
