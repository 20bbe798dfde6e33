#pragma once

#include <cstdint>

// These numbers decide how fast the forward is, and nothing else. Unless a comment says otherwise,
// they were found by timing the engine alone (benchmarks/engine) on an AMD EPYC with AVX-512, 48
// KiB of first-level and 1 MiB of second-level cache for each core. The length of a row is n.
namespace zeta::rowwise::cpu::tuning {

// A result of this size or more does not stay in the caches, so it is written with non-temporal
// stores: an ordinary store to memory reads the line first. 32 MiB is the last-level cache that a
// group of cores shares on most servers.
inline constexpr int64_t kStreamedBytes = int64_t{32} << 20;

// Rows of up to kLongestRowOfLanes entries are taken in lanes (forward/lanes.h) if k <=
// kFewLargest. At n = 1024 a group (forward/group.h) takes 0.75 of the time for float32.
inline constexpr int64_t kFewLargest = 4;
inline constexpr int64_t kLongestRowOfLanes = 512;

// For 16-bit numbers, of which a vector has twice as many, rows of these lengths are taken in lanes
// if k <= kMostLargestOfShorts, too. At n = 32 sorting takes 1.2 to 1.8 times as long, at n = 64 a
// group 2.2 to 3.1 times, and at n = 256 1 to 1.5 times.
inline constexpr int64_t kMostLargestOfShorts = 8;
inline constexpr int64_t kShortestRowOfMoreLargest = 25;
inline constexpr int64_t kLongestRowOfMoreLargest = 256;

// How many tiles, each of as many rows as a vector has lanes, are taken at once. The work that does
// not grow with the length is a chain of instructions that wait for each other; the chains of
// several tiles overlap. At n = 8 that takes 0.8 of the time, at n = 64 0.95. More than 2 tiles
// change nothing.
inline constexpr int kTiles = 2;

// The most bytes of the tiles that are taken at once: rows are read twice, and should still be in
// the nearest cache the second time.
inline constexpr int64_t kTiledBytes = 16384;

// The longest rows that are sorted in lanes (forward/sorted.h), for larger k. At n = 32 a group
// takes 1.2 to 2.8 times as long, at n = 64 0.6 to 2.5 times. A vector has twice as many 16-bit
// numbers: for them a group takes 1.1 to 4.2 times as long at n = 64, and at n = 128 0.7 to 2
// times.
inline constexpr int64_t kLongestSortedRow = 32;
inline constexpr int64_t kLongestSortedRowOfShorts = 64;

// Rows that are too few for a tile are filled up with rows of zeros, if there is one of them for
// every kEntriesForPadding entries of their length: at that number they take as long one by one. A
// call for 15 rows of 64 then takes half the time, and one for 20 bfloat16 rows of 256 a third.
inline constexpr int64_t kEntriesForPadding = 40;

// The largest row of a group, in bytes: longer ones would leave the second-level cache before they
// are read again.
inline constexpr int64_t kLargestRowOfGroup = 16384;

// Longer lists of candidates cost more in lanes than passes over the row do.
inline constexpr int64_t kLongestListOfGroup = 128;

// After a group with lists longer than that, the next kGroupsToLeave groups are taken row by row
// without a try, so that tries that fail cost an eighth as much.
inline constexpr int kGroupsToLeave = 7;

// In rows of up to this many vectors, most vectors hold candidates, so all are compressed as they
// are read.
inline constexpr int64_t kFewVectors = 8;

// One of so many vectors is expected to hold candidates. More are found with a branch each.
inline constexpr int kVectorsOfHit = 4;

// If more than this part of a row's vectors hold candidates, all are compressed: that takes 16
// instructions a vector, whereas each one that is looked for takes 20 and a few mispredicted
// branches.
inline constexpr double kPartOfCrowded = 0.75;

// With more candidates than kTimesLimit * k and a few, it is worth a pass to leave out ties that
// lose. Fewer candidates are seldom ties.
inline constexpr int64_t kTimesLimit = 2;

// The largest rows, in bytes, that are taken in groups when no zeros are written
// (forward/compact_group.h). With AVX2 rows of 32 KiB take 0.3 to 1 of the time one by one, and
// rows of 256 KiB 0.8 to 1.1.
inline constexpr int64_t kLargestCompactRow = 65536;

// The k-th largest of the delegates (forward/group_bounds.h, forward/group_chunks.h) bounds that of
// the row, if k is no larger part of their number than this.
inline constexpr double kLimitPerDelegate = 0.75;

// A bound from the delegates costs about as much as k / 2 + kBeyondLimit more candidates do.
inline constexpr int kBeyondLimit = 8;

// The longest rows of half types whose supports are found by passes along them, without lists
// (forward/wide_rows.h). At n = 4096 that takes 0.6 to 1.6 times as long as one by one, at n = 2048
// 0.4 to 1 times.
inline constexpr int64_t kLongestWideRow = 2048;

// Such rows are also no longer than this many times k: rows that k limits further are cheaper one
// by one.
inline constexpr int64_t kWideRowPerLimit = 16;

// With candidates for more than 1 / kWidePart of a row, passes along rows cost less than lists.
inline constexpr int64_t kWidePart = 2;

// The search for the k-th largest term of a row takes this many steps by counts, and then halves.
inline constexpr int kStepsByCount = 12;

// Passes of Michelot's iteration over the largest entries of lanes, which give a bound. With one
// pass some rows take a few percent longer; more than two change nothing.
inline constexpr int kPassesForBound = 2;

// The same for Newton's method, which begins further away. Rows of N(0,0.1) take 2 to 6 steps on
// average, by alpha. Not timed for itself.
inline constexpr int kPassesForRoot = 6;

// Entries of a block of a long row. A block fits into the nearest cache of any processor, and the
// work that is done once for each block is little against the rest.
inline constexpr int64_t kBlock = 8192;

// Parts of a row from kSampledPart entries on begin with a sample of kSampledVectors vectors. A
// sample waits for memory, which shorter parts are not worth.
inline constexpr int64_t kSampledPart = 65536;
inline constexpr int64_t kSampledVectors = 64;

// With candidates for more than 1 / kDensePart of a row, passes over the row cost less than a list.
inline constexpr int64_t kDensePart = 8;

// The same where the threshold is searched for, by more passes that cost more. Not timed for
// itself.
inline constexpr int64_t kDensePartOfSearch = 2;

// The list of candidates is cut back when it holds this many, or 4 k if that is more: long enough
// that this is rare, short enough that ties for the last place fill it at little cost.
inline constexpr int64_t kSmallestList = 128;

// With no more lanes than this whose largest entry may be in the support, a bound from them would
// cost more than it saves.
inline constexpr int64_t kFewestForBound = 8;

// Rows that are copied together, because they share cache lines, stay within half of a second-level
// cache.
inline constexpr int64_t kCopiedBytes = int64_t{1} << 19;

// The most memory that a thread keeps from call to call. Rows along another dim need two copies,
// and a group needs less than as much again.
inline constexpr int64_t kKeptBytes = 4 * kCopiedBytes;

// The search for the k-th largest entries of rows in lanes halves intervals this many times, which
// leaves a few values, of which each takes a pass.
inline constexpr int kHalvingsOfLanes = 6;

// How often intervals are halved for a bound, which may lie below the k-th largest entry.
inline constexpr int kHalvingsForBound = 8;

// The search for the k-th largest entry takes this many steps by values: for 1000 normally
// distributed numbers 10 are enough. Then it halves keys, which ends after 32 or 64 steps for any
// numbers.
inline constexpr int kStepsByValue = 12;

// The most passes of Michelot's iteration or of Newton's method in float, each of which ends nearer
// to the threshold.
inline constexpr int kMostEstimates = 30;

}  // namespace zeta::rowwise::cpu::tuning
