#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <functional>
#include <source_location>
#include <string>
#include <type_traits>

#include "simt/fault.h"
#include "simt/grid.h"

// CUDA's functions for the lanes of a warp.
namespace zeta::simt {

template <class Value>
concept Shuffled = std::is_arithmetic_v<Value> && sizeof(Value) <= sizeof(uint64_t);

template <class Value>
concept Reduced = std::same_as<Value, int> || std::same_as<Value, unsigned>;

namespace detail {

template <class Visit>
void for_each_lane(unsigned lanes, Visit const& visit) {
  for (; lanes != 0; lanes &= lanes - 1) visit(static_cast<unsigned>(std::countr_zero(lanes)));
}

inline void exchange(unsigned lanes, LaneValues& values) {
  for_each_lane(lanes,
                [&](unsigned lane) { values.result[lane] = values.given[values.source[lane]]; });
}

inline void nothing(unsigned, LaneValues&) {}

inline void ballot(unsigned lanes, LaneValues& values) {
  uint64_t result = 0;
  for_each_lane(lanes, [&](unsigned lane) { result |= values.given[lane] << lane; });
  for_each_lane(lanes, [&](unsigned lane) { values.result[lane] = result; });
}

inline void match_any(unsigned lanes, LaneValues& values) {
  for_each_lane(lanes, [&](unsigned lane) {
    values.result[lane] = 0;
    for_each_lane(lanes, [&](unsigned other) {
      if (values.given[other] == values.given[lane]) values.result[lane] |= uint64_t{1} << other;
    });
  });
}

struct Plus {
  template <class Value>
  Value operator()(Value a, Value b) const {
    return static_cast<Value>(static_cast<unsigned>(a) + static_cast<unsigned>(b));
  }
};
struct Smaller {
  template <class Value>
  Value operator()(Value a, Value b) const {
    return b < a ? b : a;
  }
};
struct Larger {
  template <class Value>
  Value operator()(Value a, Value b) const {
    return a < b ? b : a;
  }
};

template <class Value, class Function>
void fold(unsigned lanes, LaneValues& values) {
  auto const first = static_cast<unsigned>(std::countr_zero(lanes));
  auto result = static_cast<Value>(values.given[first]);
  for_each_lane(lanes & (lanes - 1), [&](unsigned lane) {
    result = Function{}(result, static_cast<Value>(values.given[lane]));
  });
  for_each_lane(lanes, [&](unsigned lane) { values.result[lane] = static_cast<uint64_t>(result); });
}

template <class Value>
uint64_t bits_of(Value value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(value));
  return bits;
}

template <class Value>
Value value_of(uint64_t bits) {
  Value value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

inline constexpr Collective kShuffle = {"__shfl_sync", true, exchange};
inline constexpr Collective kShuffleUp = {"__shfl_up_sync", true, exchange};
inline constexpr Collective kShuffleDown = {"__shfl_down_sync", true, exchange};
inline constexpr Collective kShuffleXor = {"__shfl_xor_sync", true, exchange};
inline constexpr Collective kBallot = {"__ballot_sync", false, ballot};
inline constexpr Collective kAll = {"__all_sync", false, ballot};
inline constexpr Collective kAny = {"__any_sync", false, ballot};
inline constexpr Collective kMatchAny = {"__match_any_sync", false, match_any};
inline constexpr Collective kSyncWarp = {"__syncwarp", false, nothing};
template <class Value>
inline constexpr Collective kAdd = {"__reduce_add_sync", false, fold<Value, Plus>};
template <class Value>
inline constexpr Collective kMin = {"__reduce_min_sync", false, fold<Value, Smaller>};
template <class Value>
inline constexpr Collective kMax = {"__reduce_max_sync", false, fold<Value, Larger>};
inline constexpr Collective kAnd = {"__reduce_and_sync", false, fold<unsigned, std::bit_and<>>};
inline constexpr Collective kOr = {"__reduce_or_sync", false, fold<unsigned, std::bit_or<>>};
inline constexpr Collective kXor = {"__reduce_xor_sync", false, fold<unsigned, std::bit_xor<>>};

inline uint64_t vote(Collective const& collective, unsigned mask, uint64_t value,
                     std::source_location where) {
  return Grid::current().collective(collective, mask, value, 0, where);
}

// Finds the source lane of a shuffle inside of a segment of `width` lanes.
struct Segment {
  Segment(char const* name, int width, std::source_location where)
      : lane(static_cast<int>(Grid::current().lane())), first(lane & -width) {
    if (width < 1 || width > 32 || !std::has_single_bit(static_cast<unsigned>(width))) {
      throw Fault(where, std::string(name) + ": the width is " + std::to_string(width) +
                             ", which is no power of two up to 32");
    }
    last = first + width - 1;
  }

  // If the wanted lane is outside of the segment, the caller gets its own value back.
  unsigned source(int wanted) const {
    return static_cast<unsigned>(wanted < first || wanted > last ? lane : wanted);
  }

  int lane;
  int first;
  int last;
};

template <class Value>
Value shuffle(Collective const& collective, unsigned mask, Value value, unsigned source,
              std::source_location where) {
  return value_of<Value>(
      Grid::current().collective(collective, mask, bits_of(value), source, where));
}

}  // namespace detail
}  // namespace zeta::simt

template <zeta::simt::Shuffled Value>
Value __shfl_sync(unsigned mask, Value value, int source, int width = 32,
                  std::source_location where = std::source_location::current()) {
  zeta::simt::detail::Segment const segment("__shfl_sync", width, where);
  auto const lane = static_cast<unsigned>(segment.first + (source & (width - 1)));
  return zeta::simt::detail::shuffle(zeta::simt::detail::kShuffle, mask, value, lane, where);
}

template <zeta::simt::Shuffled Value>
Value __shfl_up_sync(unsigned mask, Value value, unsigned delta, int width = 32,
                     std::source_location where = std::source_location::current()) {
  zeta::simt::detail::Segment const segment("__shfl_up_sync", width, where);
  return zeta::simt::detail::shuffle(zeta::simt::detail::kShuffleUp, mask, value,
                                     segment.source(segment.lane - static_cast<int>(delta)), where);
}

template <zeta::simt::Shuffled Value>
Value __shfl_down_sync(unsigned mask, Value value, unsigned delta, int width = 32,
                       std::source_location where = std::source_location::current()) {
  zeta::simt::detail::Segment const segment("__shfl_down_sync", width, where);
  return zeta::simt::detail::shuffle(zeta::simt::detail::kShuffleDown, mask, value,
                                     segment.source(segment.lane + static_cast<int>(delta)), where);
}

template <zeta::simt::Shuffled Value>
Value __shfl_xor_sync(unsigned mask, Value value, int lane_mask, int width = 32,
                      std::source_location where = std::source_location::current()) {
  zeta::simt::detail::Segment const segment("__shfl_xor_sync", width, where);
  int const wanted = segment.lane ^ lane_mask;
  // Here, unlike in other shuffles, earlier segments are within reach.
  auto const source = static_cast<unsigned>(wanted > segment.last ? segment.lane : wanted);
  return zeta::simt::detail::shuffle(zeta::simt::detail::kShuffleXor, mask, value, source, where);
}

inline unsigned __ballot_sync(unsigned mask, int predicate,
                              std::source_location where = std::source_location::current()) {
  return static_cast<unsigned>(
      zeta::simt::detail::vote(zeta::simt::detail::kBallot, mask, predicate != 0, where));
}

inline int __all_sync(unsigned mask, int predicate,
                      std::source_location where = std::source_location::current()) {
  return zeta::simt::detail::vote(zeta::simt::detail::kAll, mask, predicate != 0, where) == mask;
}

inline int __any_sync(unsigned mask, int predicate,
                      std::source_location where = std::source_location::current()) {
  return zeta::simt::detail::vote(zeta::simt::detail::kAny, mask, predicate != 0, where) != 0;
}

template <zeta::simt::Shuffled Value>
unsigned __match_any_sync(unsigned mask, Value value,
                          std::source_location where = std::source_location::current()) {
  return static_cast<unsigned>(zeta::simt::detail::vote(zeta::simt::detail::kMatchAny, mask,
                                                        zeta::simt::detail::bits_of(value), where));
}

inline void __syncwarp(unsigned mask = 0xffffffffU,
                       std::source_location where = std::source_location::current()) {
  zeta::simt::detail::vote(zeta::simt::detail::kSyncWarp, mask, 0, where);
}

template <zeta::simt::Reduced Value>
Value __reduce_add_sync(unsigned mask, Value value,
                        std::source_location where = std::source_location::current()) {
  return static_cast<Value>(zeta::simt::detail::vote(zeta::simt::detail::kAdd<Value>, mask,
                                                     zeta::simt::detail::bits_of(value), where));
}

template <zeta::simt::Reduced Value>
Value __reduce_min_sync(unsigned mask, Value value,
                        std::source_location where = std::source_location::current()) {
  return static_cast<Value>(zeta::simt::detail::vote(zeta::simt::detail::kMin<Value>, mask,
                                                     zeta::simt::detail::bits_of(value), where));
}

template <zeta::simt::Reduced Value>
Value __reduce_max_sync(unsigned mask, Value value,
                        std::source_location where = std::source_location::current()) {
  return static_cast<Value>(zeta::simt::detail::vote(zeta::simt::detail::kMax<Value>, mask,
                                                     zeta::simt::detail::bits_of(value), where));
}

inline unsigned __reduce_and_sync(unsigned mask, unsigned value,
                                  std::source_location where = std::source_location::current()) {
  return static_cast<unsigned>(
      zeta::simt::detail::vote(zeta::simt::detail::kAnd, mask, value, where));
}

inline unsigned __reduce_or_sync(unsigned mask, unsigned value,
                                 std::source_location where = std::source_location::current()) {
  return static_cast<unsigned>(
      zeta::simt::detail::vote(zeta::simt::detail::kOr, mask, value, where));
}

inline unsigned __reduce_xor_sync(unsigned mask, unsigned value,
                                  std::source_location where = std::source_location::current()) {
  return static_cast<unsigned>(
      zeta::simt::detail::vote(zeta::simt::detail::kXor, mask, value, where));
}
