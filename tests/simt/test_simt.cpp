#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "simt/fault.h"

namespace zeta::simt {
namespace {

constexpr uint64_t kSeeds = 8;

template <class... Parameters, class... Arguments>
void launch(dim3 grid, dim3 block, Stream const& stream, void (*kernel)(Parameters...),
            Arguments... arguments) {
  cudaLaunchConfig_t const config = {grid, block, 0, &stream};
  ASSERT_EQ(cudaLaunchKernelEx(&config, kernel, arguments...), cudaSuccess);
}

// Returns what the fault of a launch says, or nothing if there was none.
template <class... Arguments>
std::string fault(uint64_t seed, dim3 grid, dim3 block, Arguments... arguments) {
  try {
    launch(grid, block, Stream{.seed = seed}, arguments...);
  } catch (Fault const& fault) {
    EXPECT_STREQ(fault.where().file_name(), __FILE__);
    return fault.what();
  }
  return "";
}

#define EXPECT_CONTAINS(text, part) \
  EXPECT_NE((text).find(part), std::string::npos) << "the text is: " << (text)

// From here on, kernels are correct.

__global__ void write_indexes(int* out) {
  unsigned const block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  unsigned const thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  unsigned const position = block * (blockDim.x * blockDim.y * blockDim.z) + thread;
  out[position] = static_cast<int>(position);
}

TEST(Simt, EveryThreadOfEveryBlockRunsOnce) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    for (int resident : {1, 2, 7, 100}) {
      std::vector<int> out(3 * 2 * 2 * 5 * 3 * 2, -1);
      launch({3, 2, 2}, {5, 3, 2}, {.seed = seed, .resident_blocks = resident}, write_indexes,
             out.data());
      std::vector<int> expected(out.size());
      std::iota(expected.begin(), expected.end(), 0);
      EXPECT_EQ(out, expected);
    }
  }
}

// Returns the sum over a block, by shuffles and shared memory. The parameters can leave a barrier
// out.
template <bool FirstBarrier, bool SecondBarrier>
__device__ unsigned block_sum(unsigned value) {
  ZETA_SHARED_ARRAY(unsigned, warp_sums, 32);
  for (int lane_mask = 16; lane_mask > 0; lane_mask /= 2) {
    value += __shfl_xor_sync(0xffffffffU, value, lane_mask);
  }
  if (threadIdx.x % 32 == 0) warp_sums[threadIdx.x / 32] = value;
  if constexpr (FirstBarrier) __syncthreads();
  unsigned sum = 0;
  for (unsigned warp = 0; warp < blockDim.x / 32; ++warp) sum += warp_sums[warp];
  if constexpr (SecondBarrier) __syncthreads();
  return sum;
}

template <bool FirstBarrier, bool SecondBarrier>
__global__ void sum_rows(unsigned* sums, unsigned const* values, int rows) {
  for (int row = 0; row < rows; ++row) {
    auto const position = (static_cast<unsigned>(row) * gridDim.x + blockIdx.x) * blockDim.x;
    unsigned const sum = block_sum<FirstBarrier, SecondBarrier>(values[position + threadIdx.x]);
    sums[position + threadIdx.x] = sum;
  }
}

template <bool FirstBarrier, bool SecondBarrier>
bool sums_are_right(Stream const& stream) {
  constexpr unsigned kBlocks = 3;
  constexpr unsigned kThreads = 128;
  constexpr unsigned kRows = 4;
  std::vector<unsigned> values(size_t{kBlocks} * kThreads * kRows);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<unsigned>(i * i % 1009);
  std::vector<unsigned> sums(values.size());
  launch(kBlocks, kThreads, stream, sum_rows<FirstBarrier, SecondBarrier>, sums.data(),
         values.data(), int{kRows});
  for (size_t first = 0; first < values.size(); first += kThreads) {
    unsigned const expected = std::accumulate(&values[first], &values[first] + kThreads, 0U);
    for (size_t i = 0; i < kThreads; ++i) {
      if (sums[first + i] != expected) return false;
    }
  }
  return true;
}

TEST(Simt, BlocksReduceThroughSharedMemory) {
  for (uint64_t seed = 0; seed < 32; ++seed) {
    for (int resident : {1, 2, 3}) {
      EXPECT_TRUE((sums_are_right<true, true>({.seed = seed, .resident_blocks = resident})));
    }
  }
}

__global__ void exchange(unsigned* out) {
  unsigned const lane = threadIdx.x % 32;
  unsigned const all = 0xffffffffU;
  unsigned* const mine = out + 16 * threadIdx.x;
  mine[0] = __shfl_sync(all, lane, 5);
  mine[1] = __shfl_sync(all, lane, 9, 8);
  mine[2] = __shfl_up_sync(all, lane, 2);
  mine[3] = __shfl_down_sync(all, lane, 2, 16);
  mine[4] = __shfl_xor_sync(all, lane, 3);
  mine[5] = __ballot_sync(all, lane % 3 == 0);
  mine[6] = static_cast<unsigned>(__any_sync(all, lane == 7));
  mine[7] = static_cast<unsigned>(__all_sync(all, lane != 7));
  mine[8] = __match_any_sync(all, lane / 16);
  mine[9] = __reduce_add_sync(all, lane);
  mine[10] = static_cast<unsigned>(-__reduce_min_sync(all, -static_cast<int>(lane)));
  mine[11] = __reduce_max_sync(all, lane);
  // The halves of the warp go separate ways, and one of them calls two collectives there.
  if (lane < 16) {
    mine[12] = __reduce_or_sync(0x0000ffffU, lane);
    __syncwarp(0x0000ffffU);
  } else {
    mine[12] = __reduce_and_sync(0xffff0000U, lane);
  }
  mine[13] = static_cast<unsigned>(__shfl_xor_sync(all, 0.5 * lane, 1) * 2);
  mine[14] = static_cast<unsigned>(__shfl_xor_sync(all, -static_cast<int64_t>(lane), 1) * -1);
  mine[15] = __reduce_xor_sync(all, lane);
}

TEST(Simt, LanesExchangeWhatCudaDefines) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    std::vector<unsigned> out(size_t{64} * 16);
    launch(1, 64, {.seed = seed}, exchange, out.data());
    for (unsigned thread = 0; thread < 64; ++thread) {
      unsigned const lane = thread % 32;
      std::vector<unsigned> const expected = {5,
                                              lane / 8 * 8 + 1,
                                              lane < 2 ? lane : lane - 2,
                                              lane % 16 < 14 ? lane + 2 : lane,
                                              lane ^ 3,
                                              0x49249249U,
                                              1,
                                              0,
                                              lane < 16 ? 0x0000ffffU : 0xffff0000U,
                                              496,
                                              31,
                                              31,
                                              lane < 16 ? 15U : 16U,
                                              lane ^ 1,
                                              lane ^ 1,
                                              0};
      EXPECT_EQ(std::vector(&out[16 * thread], &out[16 * thread] + 16), expected) << thread;
    }
  }
}

// The block that comes last adds up what all have written.
__global__ void add_up_in_last_block(int* parts, unsigned* ticket, int* total) {
  ZETA_SHARED_ARRAY(bool, is_last, 1);
  if (threadIdx.x == 0) {
    parts[blockIdx.x] = static_cast<int>(blockIdx.x) + 1;
    __threadfence();
    is_last[0] = atomicAdd(ticket, 1) == gridDim.x - 1;
  }
  __syncthreads();
  if (!is_last[0]) return;
  int sum = 0;
  for (unsigned block = threadIdx.x; block < gridDim.x; block += blockDim.x) sum += parts[block];
  atomicAdd(total, sum);
}

TEST(Simt, TheLastBlockFinds) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    for (int resident : {1, 2, 20}) {
      std::vector<int> parts(20, -100);
      unsigned ticket = 0;
      int total = 0;
      launch(20, 32, {.seed = seed, .resident_blocks = resident}, add_up_in_last_block,
             parts.data(), &ticket, &total);
      EXPECT_EQ(total, 210);
    }
  }
}

__global__ void vote_and_collect(int* out) {
  ZETA_DYNAMIC_SHARED_ARRAY(int, found);
  ZETA_SHARED_ARRAY(int, count, 1);
  if (threadIdx.x == 0) count[0] = 0;
  int const odd = __syncthreads_count(threadIdx.x % 2);
  if (threadIdx.x % 2 == 1) found[atomicAdd(count, 1)] = static_cast<int>(threadIdx.x);
  int const any = __syncthreads_or(threadIdx.x == 3);
  int const all = __syncthreads_and(threadIdx.x == 3);
  out[threadIdx.x] = found[threadIdx.x % static_cast<unsigned>(count[0])];
  if (threadIdx.x == 0) out[blockDim.x] = count[0] + 1000 * odd + any * 1000000 + all * 2000000;
}

TEST(Simt, ThreadsCollectCandidatesInTheOrderOfTheSeed) {
  std::set<std::vector<int>> orders;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    Stream const stream = {.seed = seed};
    std::vector<int> out(101);
    cudaLaunchConfig_t const config = {1, 100, 50 * sizeof(int), &stream};
    cudaLaunchKernelEx(&config, vote_and_collect, out.data());
    EXPECT_EQ(out.back(), 1050050);
    out.resize(50);
    orders.insert(out);
    EXPECT_EQ(std::set<int>(out.begin(), out.end()).size(), 50);
  }
  EXPECT_GE(orders.size(), 4);
}

__global__ void wait_for_next_block(unsigned* arrived) {
  if (threadIdx.x != 0) return;
  atomicAdd(arrived, 1);
  while (atomicAdd(arrived, 0) < gridDim.x) __nanosleep(20);
}

TEST(Simt, BlocksWaitForOneAnotherIfAllAreResident) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    unsigned arrived = 0;
    launch(4, 64, {.seed = seed, .resident_blocks = 4}, wait_for_next_block, &arrived);
    EXPECT_EQ(arrived, 4);
    arrived = 0;
    EXPECT_CONTAINS(fault(seed, 4, 64, wait_for_next_block, &arrived), "livelock");
  }
}

TEST(Simt, BlocksOfACooperativeLaunchAreResident) {
  Stream const stream = {.seed = 3, .resident_blocks = 1};
  unsigned arrived = 0;
  cudaLaunchAttribute cooperative = {cudaLaunchAttributeCooperative, {.cooperative = 1}};
  cudaLaunchConfig_t const config = {4, 64, 0, &stream, &cooperative, 1};
  EXPECT_EQ(cudaLaunchKernelEx(&config, wait_for_next_block, &arrived), cudaSuccess);
  EXPECT_EQ(arrived, 4);
}

TEST(Simt, ALaunchBeyondTheLimitsIsRefused) {
  Stream const stream;
  int out = 0;
  for (auto const& [grid, block] : {std::pair<dim3, dim3>{1, 1025}, {0, 32}, {1, {1, 1, 65}}}) {
    cudaLaunchConfig_t const config = {grid, block, 0, &stream};
    EXPECT_EQ(cudaLaunchKernelEx(&config, write_indexes, &out), cudaErrorInvalidConfiguration);
  }
}

// From here on, kernels have planted faults.

template <bool FirstBarrier, bool SecondBarrier>
int seeds_with_wrong_sums() {
  int result = 0;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    if (!sums_are_right<FirstBarrier, SecondBarrier>({.seed = seed})) ++result;
  }
  return result;
}

TEST(SimtFaults, MissingBarrierBeforeAReadShows) {
  EXPECT_EQ((seeds_with_wrong_sums<false, true>()), kSeeds);
}

TEST(SimtFaults, MissingBarrierBeforeReuseShows) {
  EXPECT_GE((seeds_with_wrong_sums<true, false>()), kSeeds / 2);
}

// Lanes of a warp pass values on through shared memory.
template <bool Barrier>
__global__ void rotate_lanes(int* out) {
  ZETA_SHARED_ARRAY(int, values, 32);
  values[threadIdx.x] = static_cast<int>(threadIdx.x);
  if constexpr (Barrier) __syncwarp();
  out[threadIdx.x] = values[(threadIdx.x + 1) % 32];
}

template <bool Barrier>
int seeds_with_wrong_lanes() {
  int result = 0;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    std::vector<int> out(32);
    launch(1, 32, {.seed = seed}, rotate_lanes<Barrier>, out.data());
    for (int lane = 0; lane < 32; ++lane) {
      if (out[static_cast<size_t>(lane)] == (lane + 1) % 32) continue;
      ++result;
      break;
    }
  }
  return result;
}

TEST(SimtFaults, MissingWarpBarrierShows) {
  EXPECT_EQ(seeds_with_wrong_lanes<true>(), 0);
  EXPECT_EQ(seeds_with_wrong_lanes<false>(), kSeeds);
}

__global__ void read_unwritten(unsigned char* out) {
  ZETA_SHARED_ARRAY(unsigned char, value, 1);
  out[0] = value[0];
}

TEST(SimtFaults, UnwrittenSharedMemoryHasNoOneValue) {
  std::set<unsigned char> values;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    unsigned char out = 0;
    launch(1, 1, {.seed = seed}, read_unwritten, &out);
    values.insert(out);
  }
  EXPECT_EQ(values.size(), 4);
}

__global__ void synchronize_some() {
  if (threadIdx.x < 40) __syncthreads();
}

__global__ void synchronize_apart() {
  if (threadIdx.x < 40) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

__global__ void synchronize_while_others_shuffle(int* out) {
  if (threadIdx.x % 32 == 3) __syncthreads();
  out[threadIdx.x] = __shfl_xor_sync(0xffffffffU, 1, 1);
  if (threadIdx.x % 32 != 3) __syncthreads();
}

TEST(SimtFaults, DivergentBarriersAreReported) {
  std::vector<int> out(64);
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    EXPECT_CONTAINS(fault(seed, 1, 64, synchronize_some), "returned from the kernel");
    EXPECT_CONTAINS(fault(seed, 1, 64, synchronize_apart), "divergent");
    auto const text = fault(seed, 1, 64, synchronize_while_others_shuffle, out.data());
    EXPECT_CONTAINS(text, "deadlock");
    EXPECT_CONTAINS(text, "__syncthreads at ");
    EXPECT_CONTAINS(text, "__shfl_xor_sync at ");
  }
}

__global__ void shuffle(unsigned mask, unsigned lanes, int source, int width) {
  if ((lanes >> threadIdx.x & 1U) != 0) __shfl_sync(mask, 1, source, width);
}

TEST(SimtFaults, WrongMasksAreReported) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    EXPECT_EQ(fault(seed, 1, 32, shuffle, 0xffffffffU, 0xffffffffU, 0, 32), "");
    EXPECT_EQ(fault(seed, 1, 32, shuffle, 0x00ff00ffU, 0x00ff00ffU, 17, 32), "");
    EXPECT_CONTAINS(fault(seed, 1, 32, shuffle, 0x7fffffffU, 0xffffffffU, 0, 32),
                    "the mask lacks the calling lane");
    EXPECT_CONTAINS(fault(seed, 1, 32, shuffle, 0xffffffffU, 0xfffffffeU, 0, 32),
                    "missing lanes: 0x00000001");
    EXPECT_CONTAINS(fault(seed, 1, 32, shuffle, 0x0000ffffU, 0x0000ffffU, 16, 32),
                    "reads lane 16, which the mask lacks");
    EXPECT_CONTAINS(fault(seed, 1, 24, shuffle, 0xffffffffU, 0x00ffffffU, 0, 32),
                    "the block has the lanes 0x00ffffff only");
    EXPECT_CONTAINS(fault(seed, 1, 32, shuffle, 0xffffffffU, 0xffffffffU, 0, 12),
                    "no power of two");
  }
}

__global__ void shuffle_apart() {
  if (threadIdx.x < 16) {
    __ballot_sync(0xffffffffU, 1);
  } else {
    __shfl_sync(0xffffffffU, 1, 0);
  }
}

__global__ void shuffle_with_masks_of_two_sizes() {
  __shfl_sync(threadIdx.x == 9 ? 0xffff0200U : 0xffffffffU, 1, 9);
}

TEST(SimtFaults, LanesAtDifferentCollectivesAreReported) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    auto const text = fault(seed, 1, 32, shuffle_apart);
    EXPECT_CONTAINS(text, "__ballot_sync");
    EXPECT_CONTAINS(text, "__shfl_sync");
    EXPECT_CONTAINS(fault(seed, 1, 32, shuffle_with_masks_of_two_sizes), "0xffff0200");
  }
}

__global__ void write_shared(int position) {
  ZETA_SHARED_ARRAY(int, before, 3);
  ZETA_SHARED_ARRAY(int, values, 3);
  ZETA_SHARED_ARRAY(int, after, 3);
  before[0] = after[0] = 0;
  int* const begin = values;
  begin[position] = 1;
}

TEST(SimtFaults, WritesOutsideOfSharedArraysAreReported) {
  for (int position : {0, 1, 2}) EXPECT_EQ(fault(0, 1, 32, write_shared, position), "");
#ifdef __SANITIZE_ADDRESS__
  for (int position : {-1, 3, 4, 20}) {
    EXPECT_DEATH(fault(0, 1, 32, write_shared, position), "use-after-poison");
  }
#else
  for (int position : {-20, -1, 3, 4, 20}) {
    EXPECT_CONTAINS(fault(0, 1, 32, write_shared, position), "of the shared array values");
  }
#endif
}

__global__ void ask_for_much() {
  ZETA_SHARED_ARRAY(double, first, 6000);
  ZETA_DYNAMIC_SHARED_ARRAY(double, second);
  first[0] = second[0] = 0;
}

TEST(SimtFaults, TooMuchSharedMemoryIsReported) {
  Stream const stream;
  cudaLaunchConfig_t const config = {1, 32, size_t{200} * 1024, &stream};
  EXPECT_THROW(cudaLaunchKernelEx(&config, ask_for_much), Fault);
}

__global__ void throw_one() {
  if (threadIdx.x == 7) throw 7;
  __syncwarp();
}

TEST(Simt, ExceptionsLeaveTheLaunchAndTheNextOneRuns) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    EXPECT_THROW(launch(1, 32, {.seed = seed}, throw_one), int);
    EXPECT_TRUE((sums_are_right<true, true>({.seed = seed})));
  }
}

}  // namespace
}  // namespace zeta::simt
