#pragma once

#include <cstdint>

#include "mappings/host_device.h"

// Constants that set the sizes of blocks, stages and lists, and where plans change.
namespace zeta::rowwise::cuda {

// Sizes of the hardware: the lanes of a warp, and the bytes of a chunk, the widest access of a
// lane.
inline constexpr int kWarpThreads = 32;
inline constexpr int kChunkBytes = 16;
inline constexpr int kSectorBytes = 32;  // the least that memory reads or writes
inline constexpr int kLineBytes = 128;   // of a cache line

// Blocks for short rows have this many warps, as those of PyTorch's softmax for rows of up to 1024
// entries.
inline constexpr int kWarpsPerBlock = 4;

// A warp has this many stages of shared memory, each of 256 chunks of 16 bytes: 4 KiB. With 12 to
// 16 warps on a multiprocessor, this took 1.02 to 1.05 times as long as cudaMemcpyAsync on an H200,
// and so did 2 to 4 stages of 2 to 8 KiB (benchmarks/results/cuda/prototypes.csv).
inline constexpr int kStages = 3;
inline constexpr int kStageChunks = 256;
inline constexpr int kStageBytes = kStageChunks * kChunkBytes;

// The most warps that share a row, each with a part of it in a stage: rows of up to 32 KiB. As many
// warps share a multiprocessor as for shorter rows.
inline constexpr int kMostWarpsPerRow = 8;

// Dynamic shared memory of a block that holds its mbarriers.
inline constexpr int kBarrierBytes = 128;
ZETA_HOST_DEVICE constexpr int barrier_bytes(int warps) {
  return warps <= kWarpsPerBlock ? kBarrierBytes : 2 * kBarrierBytes;
}
static_assert(kWarpsPerBlock * kStages * 8 <= barrier_bytes(kWarpsPerBlock) &&
              kMostWarpsPerRow * kStages * 8 <= barrier_bytes(kMostWarpsPerRow));

// The dynamic shared memory of a block in which each warp has `stages` stages, and what the system
// reserves for each block.
constexpr int pipe_shared_bytes(int stages, int warps = kWarpsPerBlock) {
  return barrier_bytes(warps) + warps * stages * kStageBytes;
}
inline constexpr int kSystemSharedBytes = 1024;

// The chunks of a stage that belong to one lane.
inline constexpr int kChunksPerLane = kStageChunks / kWarpThreads;

// Blocks of kWarpsPerBlock such warps that share a multiprocessor if its shared memory holds them.
// Some architectures are known to hold fewer when code is compiled for them: those with 164 KiB
// hold 3 blocks, those with 100 KiB hold 2.
inline constexpr int kBlocksOfPipes = 4;
#if !defined(__CUDA_ARCH__) || (__CUDA_ARCH__ >= 900 && __CUDA_ARCH__ < 1200)
inline constexpr int kBlocksOfPipesThatFit = kBlocksOfPipes;
#elif __CUDA_ARCH__ == 800 || __CUDA_ARCH__ == 870
inline constexpr int kBlocksOfPipesThatFit = 3;
#else
inline constexpr int kBlocksOfPipesThatFit = 2;
#endif

// Blocks of kMostWarpsPerRow warps that share a multiprocessor, and the shared memory through which
// the warps of a block exchange values, in two buffers.
inline constexpr int kBlocksOfRows = kBlocksOfPipes * kWarpsPerBlock / kMostWarpsPerRow;
inline constexpr int kExchangeBytesOfWarp = 32;
inline constexpr int kExchangeBytes = 2 * kMostWarpsPerRow * kExchangeBytesOfWarp;

// Shared memory for the candidates of a segment: a key and an index for each lane of a warp.
inline constexpr int kSegmentCandidateBytes = kWarpThreads * 8;

// For k > 32, the most candidates that a segment hands on. Of 8192 entries drawn from N(0,0.01),
// 263 are in the support; of 8192 equal entries, k are.
inline constexpr int kCandidatesPerSegment = 1024;

// The least part of a segment that a warp takes when few rows are spread over the device: 2 KiB.
inline constexpr int kLeastPartChunks = 128;

// For small k, a kernel keeps the largest values of a row in a list of one of these sizes. The
// first size is for the default k = 3, which has the fewest instructions.
inline constexpr int kFewSizes[] = {3, 4, 8};

// Where the threshold of a row is searched for, each lane of such a kernel searches by itself, so
// it takes fewer instructions than a warp that holds a row only if several rows share the warp. It
// keeps a list of the largest size, which costs less than the search.
inline constexpr int kMostSearchedBytes = 2 << 10;

// Where a threshold is searched for among more than 32 entries, a warp passes over a row that it
// holds in shared memory. Of longer rows a multiprocessor would hold too few to hide how long a
// pass takes, and a block passes over each where it lies. Rows with masks have the same choice for
// every mapping. Not measured.
inline constexpr int kMostCrowdedBytes = 4 << 10;

// For larger k, a warp first raises its lower bound by the maxima of chunks. It goes on with all
// entries only if some lane is left with more than 1 / kEntriesPerFewCandidates of its entries as
// candidates. It begins with all entries if a lane has no more than kMostEntriesAtOnce of them,
// where the maxima of chunks save nothing. It then visits candidates one by one, or all entries if
// some lane has more than 1 / kEntriesPerSparseCandidate of its entries as candidates. The limits
// come from counts of machine instructions and simulated steps: two to eight candidates one by one
// take as many as all entries.
inline constexpr int kMostEntriesAtOnce = 16;
inline constexpr int kEntriesPerFewCandidates = 4;
inline constexpr int kEntriesPerSparseCandidate = 2;

// Up to this many entries of a lane that tie with the k-th largest and are left out are cleared one
// by one. An H200 took 6 times as long as a copy for bfloat16 rows of equal entries when up to 64
// of a lane were cleared one by one.
inline constexpr int kMostClearedOneByOne = 8;

// The search for the k-th largest halves differences of numbers in its first steps, this many, and
// then also differences of keys. Random rows of 64 to 1024 entries take 8 to 12 steps.
inline constexpr int kMostMiddles = 12;

// Rows that do not begin at multiples of 16 bytes are taken by the plan held if they are longer
// than this and k is small. On an H200, rows of 4 KB with k = 3 took 1.2 times as long as a copy by
// held, against 1.25 (float32) and 1.6 (bfloat16) by few; with k = 8, they took 1.8 to 1.9 by held,
// against 1.6 and 2.0 by few. Rows of half a KB with k = 3 took 7 to 8 times as long by held, and 2
// to 3 by few (benchmarks/results/cuda/plans.csv). With larger k, rows longer than a stage are
// taken by segments.
inline constexpr int kMostLooseBytes = 2 << 10;
inline constexpr int kMostHeldNonZeros = kFewSizes[1];

// The longest row that a warp holds whole, three at once: 32 KiB. On an H200, a prototype took 1.1
// times as long as a copy for rows of 4 to 32 KiB (benchmarks/results/cuda/prototypes.csv).
inline constexpr int kMostHeldBytes = 32 << 10;

// Candidates that a warp has room for. If there are more, it keeps the first k, or, for larger k,
// takes the row by passes.
inline constexpr int kCandidatesPerWarp = 128;

// Up to this k, the k-th largest of the lanes' numbers is found in k rounds of about ten
// instructions each. For larger k, a network of 75 instructions sorts them.
inline constexpr int kMostRounds = 7;

// Longer rows of float64 are cut into segments of at most 16 KiB, and small enough for each of 16
// warps on every multiprocessor to have one, but of at least 2 KiB.
inline constexpr int kMostSegmentBytes = 16 << 10;
inline constexpr int kLeastSegmentBytes = 2 << 10;

// Segments whose headers a block reads before it takes their candidates.
inline constexpr int kSegmentsAtOnce = 1024;

// For k <= 32, a row with at most kMostMergedCandidates candidates is merged by a warp, and a block
// has up to kMostMergingWarps of these. A row with more is merged by a block, whose lanes read the
// first candidates of kSegmentsPerLane segments at once.
inline constexpr int kMostMergedCandidates = 256;
inline constexpr int kMostMergingWarps = 4;
inline constexpr int kSegmentsPerLane = 8;

// In the backward from the support, a warp writes about kTurnBytes of the result in a turn, and at
// least kLeastTurnBytes. It writes up to kMostTurnBytes if it takes several rows at once, or if a
// support is so large that each turn of its row reads many indices again. With 32 warps on a
// multiprocessor, 256 KiB of zeros are in flight, which take 8 us to write on an H200; meanwhile
// the support and then the gradient arrive in 2 to 3 us. Turns of 16 KiB took up to a quarter
// longer there.
inline constexpr int kPlacesPerLane = 4;  // indices of a lane: all of a row for k = 3
inline constexpr int kLeastTurnBytes = 4 << 10;
inline constexpr int kTurnBytes = 8 << 10;
inline constexpr int kMostTurnBytes = 32 << 10;
inline constexpr int kChunksAtOnce = 4;  // chunks that a lane writes between two tests of its loop
// Blocks of this backward on a multiprocessor. They leave 64 registers to a thread, or 80 where the
// compiler would spill some.
constexpr int blocks_of_zeros(int element_bytes, bool is_wide) {
  return element_bytes == 8 || is_wide ? 6 : 8;
}

// A value that is written over zeros takes a sector of the L2 cache's bandwidth, as eight zeros of
// float32 do. If a row has no more than this many sectors for each value that its support may have,
// values and zeros are put together in shared memory and written once. With the default k = 3,
// these are rows of up to 384 bytes. For 128 MiB in rows of 64 float32, that took 61 us on an H200,
// and values written over zeros took 87 us.
inline constexpr int kMostSectorsPerValue = 4;

// In the backward from the weights, the most chunks of a row that a lane holds, beside those of the
// next row, and the blocks of a multiprocessor for a number of chunks. With more, the compiler
// spills registers, or makes more code than the instruction cache is good for.
constexpr int most_held_chunks(int element_bytes) { return element_bytes == 4 ? 4 : 2; }
constexpr int blocks_of_gradients(int chunks) { return chunks == 1 ? 6 : 4; }

// In the same backward, a warp or a block lists the indices of the support of longer rows.
inline constexpr int kListedColumns = 512;    // indices that have room in a list
inline constexpr int kListedChunksAhead = 4;  // reads that a lane has in flight
inline constexpr int kBlocksOfLists = 8;      // on a multiprocessor, if each warp takes a row
inline constexpr int kBlocksOfWholeRows = 3;  // on a multiprocessor, if a block takes a row

// Blocks that a multiprocessor of any architecture can hold.
inline constexpr int kMostBlocksOfMultiprocessor = 16;

// Blocks of kThreadsPerBlock threads on a multiprocessor.
inline constexpr int kBlocksOfThreads = 2;

// Threads of a block that takes rows by passes, or merges segments.
inline constexpr int kThreadsPerBlock = 256;

// Candidates that a block lists: eight for each thread.
inline constexpr int kCandidatesPerBlock = 2048;

// Shared memory that such a block uses besides its list, with what the system reserves.
inline constexpr int kOtherSharedBytes = 12 << 10;

// In the backward of rows side by side, a block takes a row for each lane of a warp, and
// kThreadsPerColumnRow threads share each row.
inline constexpr int kColumnRows = kWarpThreads;
inline constexpr int kThreadsPerColumnRow = 8;

// In the forward of rows side by side, a thread has kColumnsAhead loads in flight and a
// multiprocessor has kColumnWarps warps. At 128 bytes for each load of a warp, these are 64 KiB,
// where a copy needs some 48 on an H200.
inline constexpr int kColumnsAhead = 16;
inline constexpr int kColumnWarps = 32;

// The most threads of a block. With 1024 of them, each has 64 registers, which is too few before
// sm_90. But no GPU before sm_90 has the shared memory for the lists of so many threads.
inline constexpr int kMostThreadsOfFewColumns = 1024;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 900
inline constexpr int kBoundOfFewColumns = kMostThreadsOfFewColumns / 2;
#else
inline constexpr int kBoundOfFewColumns = kMostThreadsOfFewColumns;
#endif
inline constexpr int kMostThreadsOfColumns = 512;
inline constexpr int kLeastThreadsOfColumns = 128;

// Neighbouring threads that have the same part of their rows. When few rows are spread over the
// device, they are not made fewer than this, since they would then read less than the 32 bytes of a
// sector.
inline constexpr int kLeastThreadsPerPart = 8;

// A row is cut into parts of at least about twice as many entries as a thread has loads in flight,
// and of at most as many as 16 bits count.
inline constexpr int kLeastColumnSteps = 2 * kColumnsAhead;
inline constexpr int kMostColumnSteps = 0xffff;
inline constexpr int kMostColumnParts = 64;

// Maxima that each part keeps. They bound the row's k-th largest entry from below: k entries reach
// the least of k maxima.
inline constexpr int kMaximaPerPart = 4;

// A list has room for the first k candidates, for kColumnsAhead entries more, and for some that
// stay until the list is cut down.
inline constexpr int kMostListedNonZeros = 32;
inline constexpr int kColumnListSlack = kColumnsAhead + 4;

// Up to this k, a part finds its first k candidates by insertion.
inline constexpr int kMostFewColumns = 4;

// The words of an entry of a list, for each lane of a warp. Two entries of 16 bits, of two rows,
// take one word each.
ZETA_HOST_DEVICE constexpr int column_entry_words(int element_bytes) {
  return element_bytes == 8 ? 3 : 2;
}
// The words of a warp's lists. The additional word puts lists of a row that different warps hold
// into different banks.
ZETA_HOST_DEVICE constexpr int column_list_words(int element_bytes, int capacity) {
  return capacity * column_entry_words(element_bytes) * kWarpThreads + 1;
}

// The shared memory of a warp: its lists, and for each lane its maxima and the count of each list.
constexpr int column_warp_bytes(int element_bytes, int capacity) {
  int const maximum_bytes = element_bytes == 8 ? 8 : 4;
  int const lists = element_bytes == 2 ? 2 : 1;
  return kWarpThreads * (kMaximaPerPart * maximum_bytes + 4 * lists) +
         4 * column_list_words(element_bytes, capacity);
}

// The most threads of a block in kernels that are launched with blocks of different shapes.
inline constexpr int kMostThreads = kThreadsPerBlock;
static_assert(kWarpsPerBlock * kWarpThreads <= kMostThreads &&
              kColumnRows * kThreadsPerColumnRow <= kMostThreads);

// The search for the k-th largest key takes a pass for each digit of this many bits.
inline constexpr int kDigitBits = 8;
inline constexpr int kDigitValues = 1 << kDigitBits;

// The most blocks that pass over a row together, and the least part of the row that each takes.
inline constexpr int kMostBlocksOfTeam = 64;
inline constexpr int64_t kSmallestPartBytes = int64_t{16} << 10;

// The most passes in float before those that are exact.
inline constexpr int kMostEstimates = 8;

// Reads that a thread has in flight in a pass over a row.
inline constexpr int kEntriesAhead = 4;
template <class Scalar>
inline constexpr int kPiecesAhead = sizeof(Scalar) >= 4 ? 2 : 1;

}  // namespace zeta::rowwise::cuda
