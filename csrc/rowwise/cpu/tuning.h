#pragma once

#include <cstdint>

// Numbers that decide how fast the forward is, and nothing else. Where nothing else is said they
// were found by timing the engine alone (benchmarks/engine) on an AMD EPYC with AVX-512, 32 KiB of
// first and 1 MiB of second cache for each core.
namespace zeta::rowwise::cpu::tuning {

// A result of this size or more does not stay in the caches, so it is written around them: an
// ordinary store to memory reads the line first. 32 MiB is the last-level cache that a group of
// cores shares on most servers.
inline constexpr int64_t kStreamedBytes = int64_t{32} << 20;

// Longer rows cost less one by one: what a row costs at any length is then small against the row.
// For k <= 4, at n = 1024: 0.29 ns for each entry in lanes, 0.44 one by one; for larger k the two
// meet between 256 and 512.
inline constexpr int64_t kLongestRowOfLanes = 512;
inline constexpr int64_t kLongestRowOfTiles = 64;
inline constexpr int64_t kLongestRowOfTile = 24;
inline constexpr int64_t kLargestRowOfGroup = 16384;  // bytes

// Longer lists of candidates cost more in lanes than passes over the row do.
inline constexpr int64_t kLongestListOfGroup = 128;

// Vectors of short rows are compressed, since most have candidates. In longer rows, these are fewer
// than vectors, or hardly more.
inline constexpr int64_t kLongestCompressedRow = 128;

// Entries of a block of a long row: it fits into the nearest cache of any processor, and what is
// done once for each block is little against it.
inline constexpr int64_t kBlock = 8192;

// The sample waits for memory, which only longer rows are worth.
inline constexpr int64_t kSampledPart = 65536;
inline constexpr int64_t kSampledVectors = 64;

// With candidates for this part of a row or more, passes over the row cost less than a list.
inline constexpr int64_t kDensePart = 8;

// The list of candidates is cut back when it holds this many, or 4 k: long enough that it seldom
// is, short enough that ties for the last place fill it at little cost.
inline constexpr int64_t kSmallestList = 128;

// With fewer lanes that may matter than this, a bound from them would cost more than it saves.
inline constexpr int64_t kFewestForBound = 8;

// Rows that are copied together, because they share lines, stay within half of a second cache.
inline constexpr int64_t kCopiedBytes = int64_t{1} << 19;

// The search for the k-th largest entry halves values this many times: for 1000 normal numbers 10
// times is enough. Then it halves keys, which ends after 32 or 64 times for any numbers.
inline constexpr int kStepsByValue = 12;

// Passes of Michelot's iteration in float, each of which ends nearer to the threshold.
inline constexpr int kMostEstimates = 30;

}  // namespace zeta::rowwise::cpu::tuning
