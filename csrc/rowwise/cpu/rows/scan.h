#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "rowwise/cpu/vectors/vector.h"
#include "rowwise/ordered_key.h"

// Passes over contiguous logits, at least one vector of them.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Does for each lane what detail::reorder does.
template <class VectorType>
inline VectorType reordered(VectorType bits) {
  using Key = std::remove_cvref_t<decltype(bits[0])>;
  auto const sign = bits >> (8 * static_cast<int>(sizeof(Key)) - 1);
  return bits ^ (sign & std::numeric_limits<Key>::max());
}

template <class Scalar>
inline Vector<key_t<Scalar>> load_keys(Scalar const* logits) {
  return reordered(load<key_t<Scalar>>(logits));
}

template <class Scalar>
inline KeyRange<Scalar> range_of(Scalar const* logits, int64_t length) {
  auto range = KeyRange<Scalar>::of(logits[0]);
  for (int64_t column = 1; column < length; ++column) {
    range.add(KeyRange<Scalar>::of(logits[column]));
  }
  return range;
}

// Deals the entries of a row out to lanes, and finds the largest of each lane. Since these are
// entries of the row, the k-th largest of them is not above the row's k-th largest.
template <class Scalar>
class LaneExtremes {
 public:
  using Key = key_t<Scalar>;
  static constexpr int kVectors = 4;
  static constexpr int kCount = kVectors * kLanes<Key>;

  LaneExtremes(Scalar const* logits, int64_t length) : LaneExtremes(logits, length, [] {}) {}

  // Calls each_step() after every kCount entries.
  template <class EachStep>
  LaneExtremes(Scalar const* logits, int64_t length, EachStep const& each_step) {
    constexpr int64_t kStep = kLanes<Key>;
    Vector<Key> largest[kVectors];
    std::fill_n(largest, kVectors, broadcast(std::numeric_limits<Key>::min()));
    auto smallest = broadcast(std::numeric_limits<Key>::max());
    int64_t column = 0;
    for (; column + kCount <= length; column += kCount) {
#pragma GCC unroll 4
      for (int i = 0; i < kVectors; ++i) {
        auto const keys = load_keys(logits + column + i * kStep);
        largest[i] = larger(largest[i], keys);
        smallest = smaller(smallest, keys);
      }
      each_step();
    }
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) {
      if (column + kStep > length) break;
      auto const keys = load_keys(logits + column);
      largest[i] = larger(largest[i], keys);
      smallest = smaller(smallest, keys);
      column += kStep;
    }
    if (column < length) {
      auto const keys = load_keys(logits + length - kStep);
      // The entries that an earlier vector held are left out: no entry may count for two lanes.
      auto const is_old = first_lanes<Key>(kStep - (length - column));
      auto const lowest = broadcast(std::numeric_limits<Key>::min());
      largest[0] = larger(largest[0], is_old ? lowest : keys);
      smallest = smaller(smallest, keys);
    }
    finish(largest, smallest);
  }

  // The extremes of `vectors` vectors, spread evenly from the row's beginning to its end. They must
  // not overlap.
  static LaneExtremes of_sample(Scalar const* logits, int64_t length, int64_t vectors) {
    constexpr int64_t kStep = kLanes<Key>;
    Vector<Key> largest[kVectors];
    std::fill_n(largest, kVectors, broadcast(std::numeric_limits<Key>::min()));
    auto smallest = broadcast(std::numeric_limits<Key>::max());
    for (int64_t i = 0; i < vectors; ++i) {
      auto const keys = load_keys(logits + (length - kStep) / (vectors - 1) * i);
      largest[i % kVectors] = larger(largest[i % kVectors], keys);
      smallest = smaller(smallest, keys);
    }
    LaneExtremes result;
    result.finish(largest, smallest);
    return result;
  }

  KeyRange<Scalar> const& range() const { return range_; }

  // Calls visit(key) for the lanes whose largest key reaches the bound.
  template <class Visit>
  void for_each_at_least(Key bound, Visit const& visit) const {
    for (int first = 0; first < kCount; first += kLanes<Key>) {
      auto const mask = lanes_at_least<Key>(load<Key>(largest_ + first), broadcast(bound));
      for_each_lane(mask, [&](int lane) { visit(largest_[first + lane]); });
    }
  }

 private:
  LaneExtremes() = default;

  void finish(Vector<Key> const (&largest)[kVectors], Vector<Key> smallest) {
    for (int i = 0; i < kVectors; ++i) store(largest_ + i * kLanes<Key>, largest[i]);
    auto const both = larger(larger(largest[0], largest[1]), larger(largest[2], largest[3]));
    range_ = {smallest_of_lanes<Key>(smallest), largest_of_lanes<Key>(both)};
  }

  Key largest_[kCount];
  KeyRange<Scalar> range_;
};

// Calls visit(mask, column) for the logits whose key reaches bound(), in order: bit i of the mask
// stands for the entry at column + i. Stops, and returns false, when visit() returns false.
template <class Scalar, class Bound, class Visit>
inline bool visit_at_least(Scalar const* logits, int64_t length, Bound const& bound,
                           Visit const& visit) {
  using Key = key_t<Scalar>;
  constexpr int64_t kStep = kLanes<Key>;
  constexpr int kVectors = std::min(4, 64 / kLanes<Key>);
  auto const mask_at = [&](int64_t column, Vector<Key> limit) {
    return lanes_at_least<Key>(load_keys(logits + column), limit);
  };
  int64_t column = 0;
  for (; column + kVectors * kStep <= length; column += kVectors * kStep) {
    auto const limit = broadcast<Key>(bound());
    uint64_t mask = 0;
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) {
      mask |= mask_at(column + i * kStep, limit) << (i * kLanes<Key>);
    }
    if (mask != 0 && !visit(mask, column)) return false;
  }
  for (; column < length; column += kStep) {
    int64_t const first = std::min(column, length - kStep);
    uint64_t mask = mask_at(first, broadcast<Key>(bound()));
    mask &= ~uint64_t{0} << (column - first);
    if (mask != 0 && !visit(mask, first)) return false;
  }
  return true;
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
