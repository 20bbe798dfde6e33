#pragma once

#include <cstdint>

#include "mappings/host_device.h"

// The numbers that the kernels' shapes come from.
namespace zeta::rowwise::cuda {

// What the hardware has: lanes of a warp, and bytes of the widest access of one of them.
inline constexpr int kWarpThreads = 32;
inline constexpr int kChunkBytes = 16;
inline constexpr int kSectorBytes = 32;  // that are read or written at least
inline constexpr int kLineBytes = 128;   // that a cache keeps together

// Short rows: blocks of so many warps, as PyTorch's softmax for rows up to 1024 columns.
inline constexpr int kWarpsPerBlock = 4;

// Stages of a warp, and chunks of 16 bytes in each: 4 KiB. With 12 to 16 warps to a multiprocessor
// this took 1.02 to 1.05 times cudaMemcpyAsync on an H200, 2 to 4 stages of 2 to 8 KiB alike
// (benchmarks/results/cuda/prototypes.csv).
inline constexpr int kStages = 3;
inline constexpr int kStageChunks = 256;
inline constexpr int kStageBytes = kStageChunks * kChunkBytes;

// Rows of several stages, each of another warp of a block: up to 32 KiB. As many warps share a
// multiprocessor as of shorter rows.
inline constexpr int kMostWarpsPerRow = 8;

// Of a block, for its barriers.
inline constexpr int kBarrierBytes = 128;
ZETA_HOST_DEVICE constexpr int barrier_bytes(int warps) {
  return warps <= kWarpsPerBlock ? kBarrierBytes : 2 * kBarrierBytes;
}
static_assert(kWarpsPerBlock * kStages * 8 <= barrier_bytes(kWarpsPerBlock) &&
              kMostWarpsPerRow * kStages * 8 <= barrier_bytes(kMostWarpsPerRow));

// Shared memory of a block in which each warp has so many stages, and what the system adds to it.
constexpr int pipe_shared_bytes(int stages, int warps = kWarpsPerBlock) {
  return barrier_bytes(warps) + warps * stages * kStageBytes;
}
inline constexpr int kSystemSharedBytes = 1024;

// Chunks of a stage that belong to each lane.
inline constexpr int kChunksPerLane = kStageChunks / kWarpThreads;

// Blocks of such warps that share a multiprocessor, where its shared memory holds them. What code
// is compiled for may be known to hold fewer: 164 KiB or 100 KiB.
inline constexpr int kBlocksOfPipes = 4;
#if !defined(__CUDA_ARCH__) || (__CUDA_ARCH__ >= 900 && __CUDA_ARCH__ < 1200)
inline constexpr int kBlocksOfPipesThatFit = kBlocksOfPipes;
#elif __CUDA_ARCH__ == 800 || __CUDA_ARCH__ == 870
inline constexpr int kBlocksOfPipesThatFit = 3;
#else
inline constexpr int kBlocksOfPipesThatFit = 2;
#endif

// Blocks of the longest such rows, and shared memory for what the warps of one tell each other.
inline constexpr int kBlocksOfRows = kBlocksOfPipes * kWarpsPerBlock / kMostWarpsPerRow;
inline constexpr int kExchangeBytesOfWarp = 32;
inline constexpr int kExchangeBytes = 2 * kMostWarpsPerRow * kExchangeBytesOfWarp;

// And for the candidates of a segment, a key and a column for each lane of a warp.
inline constexpr int kSegmentCandidateBytes = kWarpThreads * 8;

// Larger k: candidates that a segment hands on at most. Of 8192 entries of N(0,0.01), 263 are in
// its support; of equal ones, k are.
inline constexpr int kCandidatesPerSegment = 1024;

// The part of a segment that each warp has, where few rows are to fill the device: 2 KiB.
inline constexpr int kLeastPartChunks = 128;

// Up to these k, the largest entries of a row are found by insertion. Each is the size of a
// kernel's list: one for the default k = 3, which has the least instructions.
inline constexpr int kFewSizes[] = {3, 4, 8};

// Larger k: a warp raises its bar by the largest entries of chunks, and by all entries of a row
// only if that leaves some lane more candidates than this part of its entries, or if a lane has so
// few entries that the first way gains nothing. It takes candidates one by one up to a part of its
// entries, else all of them. By counts of machine instructions and simulated steps: for two to
// eight candidates, these are as many as for all entries.
inline constexpr int kMostEntriesAtOnce = 16;
inline constexpr int kEntriesPerFewCandidates = 4;
inline constexpr int kEntriesPerSparseCandidate = 2;

// Entries that tie with the k-th largest and are left out: an H200 took 6 times a copy for equal
// rows of bfloat16 where up to 64 of a lane were cleared one by one.
inline constexpr int kMostClearedOneByOne = 8;

// The k-th largest is found by halving differences so often before keys are halved as well, which
// takes random rows of 64 to 1024 entries 8 to 12 steps.
inline constexpr int kMostMiddles = 12;

// Of rows that do not begin with chunks, longer ones are held where k is small. On an H200, held
// rows of 4 KB took 1.2 times a copy with k = 3, where few took 1.25 in float32 and 1.6 in
// bfloat16, and 1.8 to 1.9 with k = 8, against 1.6 and 2.0; rows of half a KB took 7 to 8 times a
// copy with k = 3, and few 2 to 3 (benchmarks/results/cuda/plans.csv). Larger k of rows beyond a
// stage: segments.
inline constexpr int kMostLooseBytes = 2 << 10;
inline constexpr int kMostHeldNonZeros = kFewSizes[1];

// Rows that a warp holds whole, three of them at once: up to 32 KiB. On an H200 a prototype
// took 1.1 times a copy for rows of 4 to 32 KiB (benchmarks/results/cuda/prototypes.csv).
inline constexpr int kMostHeldBytes = 32 << 10;

// Candidates that a warp lists before it keeps the first, or takes the row by passes.
inline constexpr int kCandidatesPerWarp = 128;

// Up to this k, the k-th largest number of the lanes is found in k rounds, which take about ten
// instructions each; a network takes 75.
inline constexpr int kMostRounds = 7;

// Longer rows are cut into segments of up to 16 KiB, and so small that each of 16 warps to a
// multiprocessor has one, but of 2 KiB at least.
inline constexpr int kMostSegmentBytes = 16 << 10;
inline constexpr int kLeastSegmentBytes = 2 << 10;

// Segments that a block looks at before it takes their candidates.
inline constexpr int kSegmentsAtOnce = 1024;

// k up to the lanes of a warp. A row that has up to so many candidates is merged by a warp, of
// which a block has so many; else by a block, whose lanes read the first candidates of so many
// segments at once.
inline constexpr int kMostMergedCandidates = 256;
inline constexpr int kMostMergingWarps = 4;
inline constexpr int kSegmentsPerLane = 8;

// The backward from the support: columns that a lane holds, for the default k = 3 all of a row;
// bytes that a warp makes in a turn, the most of rows that it makes at once, or of a part where a
// turn reads many columns again; chunks that a lane writes between two tests; and blocks of a
// multiprocessor, which leave 64 registers to a thread, or 80 where the compiler would spill some.
// With 32 warps, 256 KiB of zeros are under way, which take 8 us to write on an H200; the support
// and then the gradient come in 2 to 3 us meanwhile. There, turns of 16 KiB took up to a quarter
// longer.
inline constexpr int kPlacesPerLane = 4;
inline constexpr int kLeastTurnBytes = 4 << 10;
inline constexpr int kTurnBytes = 8 << 10;
inline constexpr int kMostTurnBytes = 32 << 10;
inline constexpr int kChunksAtOnce = 4;
constexpr int blocks_of_zeros(int element_bytes, bool is_wide) {
  return element_bytes == 8 || is_wide ? 6 : 8;
}

// A value that is written over zeros takes a sector of the L2 cache's bandwidth, as eight zeros of
// float32 do. Where the values may have one for every so many of zeros, they are put among the
// zeros in shared memory: with the default k = 3 in rows of up to 384 bytes, of which 64 numbers in
// float32 took 61 us for 128 MiB on an H200, and 87 us over zeros.
inline constexpr int kMostSectorsPerValue = 4;

// The backward from the weights: chunks of a row that a lane holds at most, beside those of the
// next row, and blocks of a multiprocessor by chunks. For more, the compiler spills registers, or
// makes more code than the instruction cache is good for.
constexpr int most_held_chunks(int element_bytes) { return element_bytes == 4 ? 4 : 2; }
constexpr int blocks_of_gradients(int chunks) { return chunks == 1 ? 6 : 4; }

// Longer rows: columns that a warp or a block lists, reads that a lane has under way, and blocks of
// a multiprocessor in which warps have a row each, and in which the block has one.
inline constexpr int kListedColumns = 512;
inline constexpr int kListedChunksAhead = 4;
inline constexpr int kBlocksOfLists = 8;
inline constexpr int kBlocksOfWholeRows = 3;

// Blocks that a multiprocessor of any kind takes.
inline constexpr int kMostBlocksOfMultiprocessor = 16;

inline constexpr int kBlocksOfThreads = 2;

// Blocks that take rows by passes, or merge segments.
inline constexpr int kThreadsPerBlock = 256;

// Candidates that a block lists: eight for each thread.
inline constexpr int kCandidatesPerBlock = 2048;

// Shared memory of such a block beside its list, and what the system keeps of it.
inline constexpr int kOtherSharedBytes = 12 << 10;

// Rows side by side: so many to a block of the backward, as many as a warp has lanes, and threads
// for each.
inline constexpr int kColumnRows = kWarpThreads;
inline constexpr int kThreadsPerColumnRow = 8;

// The forward of rows side by side: loads that a thread has under way, of 128 bytes to a warp, and
// warps to a multiprocessor. These are 64 KiB, where a copy needs some 48 on an H200.
inline constexpr int kColumnsAhead = 16;
inline constexpr int kColumnWarps = 32;

// Threads of a block. With 1024 of them each has 64 registers, which is too few before sm_90; but
// no GPU before it has the shared memory for their lists.
inline constexpr int kMostThreadsOfFewColumns = 1024;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 900
inline constexpr int kBoundOfFewColumns = kMostThreadsOfFewColumns / 2;
#else
inline constexpr int kBoundOfFewColumns = kMostThreadsOfFewColumns;
#endif
inline constexpr int kMostThreadsOfColumns = 512;
inline constexpr int kLeastThreadsOfColumns = 128;

// Neighbouring threads that have the same part of their rows: fewer would read less than the 32
// bytes of a sector.
inline constexpr int kLeastThreadsPerPart = 8;

// Parts of a row: of two times the loads under way at least, and of steps that 16 bits count.
inline constexpr int kLeastColumnSteps = 2 * kColumnsAhead;
inline constexpr int kMostColumnSteps = 0xffff;
inline constexpr int kMostColumnParts = 64;

// Maxima of a part that bound its row's k-th entry: k entries reach the least of k maxima.
inline constexpr int kMaximaPerPart = 4;

// A list has room for the k first candidates, for kColumnsAhead entries more, and for some that
// wait until it is cut down.
inline constexpr int kMostListedNonZeros = 32;
inline constexpr int kColumnListSlack = kColumnsAhead + 4;

// Up to this k, a part finds its k first candidates by insertion.
inline constexpr int kMostFewColumns = 4;

// Words of a candidate for each lane of a warp: two of 16 bits have one each. Lists of a row that
// different warps hold lie in different banks.
ZETA_HOST_DEVICE constexpr int column_entry_words(int element_bytes) {
  return element_bytes == 8 ? 3 : 2;
}
ZETA_HOST_DEVICE constexpr int column_list_words(int element_bytes, int capacity) {
  return capacity * column_entry_words(element_bytes) * kWarpThreads + 1;
}

// Shared memory of a warp: lists, and of each lane maxima and the count of each list.
constexpr int column_warp_bytes(int element_bytes, int capacity) {
  int const maximum_bytes = element_bytes == 8 ? 8 : 4;
  int const lists = element_bytes == 2 ? 2 : 1;
  return kWarpThreads * (kMaximaPerPart * maximum_bytes + 4 * lists) +
         4 * column_list_words(element_bytes, capacity);
}

// Of the blocks of all kernels.
inline constexpr int kMostThreads = kThreadsPerBlock;
static_assert(kWarpsPerBlock * kWarpThreads <= kMostThreads &&
              kColumnRows * kThreadsPerColumnRow <= kMostThreads);

// The k-th largest key is found by digits of so many bits, a pass for each.
inline constexpr int kDigitBits = 8;
inline constexpr int kDigitValues = 1 << kDigitBits;

// Blocks that pass over a row together, at most, each over 16 KiB at least.
inline constexpr int kMostBlocksOfTeam = 64;
inline constexpr int64_t kSmallestPartBytes = int64_t{16} << 10;

// Passes in float before those that are exact, at most.
inline constexpr int kMostEstimates = 8;

// Reads that a thread has under way in a pass over a row where it lies.
inline constexpr int kEntriesAhead = 4;
template <class Scalar>
inline constexpr int kPiecesAhead = sizeof(Scalar) >= 4 ? 2 : 1;

}  // namespace zeta::rowwise::cuda
