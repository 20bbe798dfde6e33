#pragma once

#include <cstdint>

// Numbers that decide how fast the forward is, and nothing else. Where nothing else is said they
// were found by timing the engine alone (benchmarks/engine) on an AMD EPYC with AVX-512, 48 KiB of
// first and 1 MiB of second cache for each core. Cycles are those for 64 bytes of float32 in the
// second cache.
namespace zeta::rowwise::cpu::tuning {

// A result of this size or more does not stay in the caches, so it is written around them: an
// ordinary store to memory reads the line first. 32 MiB is the last-level cache that a group of
// cores shares on most servers.
inline constexpr int64_t kStreamedBytes = int64_t{32} << 20;

// The longest rows of which the k <= 4 largest entries are kept in lanes. At n = 1024 a group takes
// 0.75 of the time, and for bfloat16 as much.
inline constexpr int64_t kFewLargest = 4;
inline constexpr int64_t kLongestRowOfLanes = 512;

// The same for numbers of 16 bits, of which a vector has twice as many, and k <= 8. At n = 32
// sorting takes 1.2 to 1.8 times as long, at n = 64 a group 2.2 to 3.1 times, and at n = 256 1 to
// 1.5 times.
inline constexpr int64_t kMostLargestOfShorts = 8;
inline constexpr int64_t kShortestRowOfMoreLargest = 25;
inline constexpr int64_t kLongestRowOfMoreLargest = 256;

// So many tiles are taken at once: the work that does not grow with the length, which is a chain of
// instructions that wait for each other, then overlaps. At n = 8 that takes 0.8 of the time, at
// n = 64 0.95. More than 2 change nothing.
inline constexpr int kTiles = 2;

// But no more bytes than this: rows are read twice, and should still be in the nearest cache then.
inline constexpr int64_t kTiledBytes = 16384;

// The longest rows that are sorted in lanes, for larger k. At n = 32 a group takes 1.2 to 2.8 times
// as long, at n = 64 0.6 to 2.5 times. A vector has twice as many numbers of 16 bits: for them a
// group takes 1.1 to 4.2 times as long at n = 64, and at n = 128 0.7 to 2 times.
inline constexpr int64_t kLongestSortedRow = 32;
inline constexpr int64_t kLongestSortedRowOfShorts = 64;

// Fewer rows than a tile has are taken as one that is filled with zeros, if there is one for every
// so many of its entries: that many rows take as long one by one. A call for 15 rows of 64 then
// takes half the time, one for 20 bfloat16 rows of 256 a third.
inline constexpr int64_t kEntriesForPadding = 40;

// The largest rows, in bytes, of a group: longer ones would leave the second cache before they are
// read again.
inline constexpr int64_t kLargestRowOfGroup = 16384;

// Longer lists of candidates cost more in lanes than passes over the row do.
inline constexpr int64_t kLongestListOfGroup = 128;

// After a group with longer lists, so many groups are not tried: what the try costs is then an
// eighth of itself.
inline constexpr int kGroupsToLeave = 7;

// Most of so few vectors of a row hold candidates, so all are compressed as they are read.
inline constexpr int64_t kFewVectors = 8;

// Of so many vectors one holds candidates: more are found with a branch each.
inline constexpr int kVectorsOfHit = 4;

// With candidates in more than this part of its vectors, all of a row's are compressed: that takes
// 16 instructions a vector, and 20 and a few misses of branches one that is looked for.
inline constexpr double kPartOfCrowded = 0.75;

// With more candidates than so many times k, and a few, it is worth a pass to leave out ties that
// lose. Fewer are seldom ties.
inline constexpr int64_t kTimesLimit = 2;

// The k-th largest of delegates bounds that of a row, if k is no larger part of them.
inline constexpr double kLimitPerDelegate = 0.75;

// That bound costs about as much as half of k more candidates, and so many, do.
inline constexpr int kBeyondLimit = 8;

// The longest rows of half types of which the supports are found by passes along them, without
// lists. At n = 4096 that takes 0.6 to 1.6 times as long as one by one, at n = 2048 0.4 to 1 times.
inline constexpr int64_t kLongestWideRow = 2048;

// And no longer than so many times k: rows that k limits further are cheaper one by one.
inline constexpr int64_t kWideRowPerLimit = 16;

// With candidates for more than this part of a row, passes along rows cost less than lists.
inline constexpr int64_t kWidePart = 2;

// The search for the k-th largest term of a row takes so many steps by counts, then halves.
inline constexpr int kStepsByCount = 12;

// Passes of Michelot's iteration over the largest entries of lanes, for a bound. One is a few
// percent slower in some rows; more than two change nothing.
inline constexpr int kPassesForBound = 2;

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

// A thread keeps this much memory at most from call to call: rows along another dim ask for two
// copies, and a group for less than as much again.
inline constexpr int64_t kKeptBytes = 4 * kCopiedBytes;

// The search for the k-th largest entries of rows in lanes halves intervals so many times, which
// leaves a few values for a pass each.
inline constexpr int kHalvingsOfLanes = 6;

// The same for a bound, which may lie below the k-th largest entry.
inline constexpr int kHalvingsForBound = 8;

// The search for the k-th largest entry halves values this many times: for 1000 normal numbers 10
// times is enough. Then it halves keys, which ends after 32 or 64 times for any numbers.
inline constexpr int kStepsByValue = 12;

// Passes of Michelot's iteration in float, each of which ends nearer to the threshold.
inline constexpr int kMostEstimates = 30;

}  // namespace zeta::rowwise::cpu::tuning
