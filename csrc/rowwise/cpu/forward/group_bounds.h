#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "rowwise/cpu/lanes/limits.h"
#include "rowwise/cpu/lanes/roots.h"
#include "rowwise/cpu/lanes/supports.h"
#include "rowwise/cpu/rows/row_vectors.h"
#include "rowwise/cpu/rows/scan.h"
#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/cpu/vectors/sort_lanes.h"
#include "rowwise/cpu/vectors/transpose.h"
#include "rowwise/cpu/vectors/vector.h"
#include "rowwise/float16.h"
#include "rowwise/ordered_key.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Finds, for each row of a group, its maximum and a lower bound of the entries of its support.
// Reads the rows once, and again only if one may hold NaN or infinity.
template <class Mapping, class Scalar>
class GroupBounds {
 public:
  static constexpr int kRows = kLanes<float>;

  // `rows` has to outlive this object.
  GroupBounds(RowVectors<Scalar>& rows, typename Mapping::Fixed const& fixed, int64_t k)
      : rows_(rows),
        mapping_(0, fixed),
        k_(static_cast<int32_t>(k)),
        may_limit_(kRows / 2 < k &&
                   k <= static_cast<int64_t>(kDelegates * tuning::kLimitPerDelegate)) {
    if (!may_limit_) return;
    delegates_.reserve(kRows * kAbreast);
    columns_.reserve(kDelegates);
  }

  // Finds the rows' maxima. From the largest entry of each lane of a row's vectors, finds a
  // threshold that is not above the one that the row would have without the limit k, and a lower
  // bound of the entries of its support.
  [[gnu::noinline]] void find(Scalar const* logits) {
    auto of_group = broadcast<Element>(Numbers::kLowest);
    typename Numbers::Seen seen[kSeen];
    Floats largest[kRows];
    for (int row = 0; row < kRows; ++row) {
      auto const of_row = scan(row, logits + row * rows_.length(), seen);
      of_group = larger(of_group, of_row);
      largest[row] = Numbers::largest_floats(of_row);
    }
    for (int i = 1; i < kSeen; ++i) seen[0].add(seen[i]);
    transpose_square<float>(largest);
    maxima_ = largest[0];
    for (int i = 1; i < kRows; ++i) maxima_ = larger(maxima_, largest[i]);
    // `seen` is of all rows together, so it does not tell of a row that holds nothing but -inf.
    has_nan_ = false;
    if (any_lane(seen[0].suspects(of_group)) || any_lane(maxima_ == -INFINITY)) check_rows(logits);
    thresholds_ = thresholds_of(largest);
    // In this order a bound of NaN stays.
    bounds_ = larger(Floats{} + widen(least_finite<Scalar>()), maxima_ + thresholds_);
    if (k_ <= kRows) {
      sort_lanes(largest);
      bounds_ = larger(largest[k_ - 1], bounds_);
    }
  }

  // Raises the bounds to the k-th largest of a row's delegates, or just below it. Delegates are
  // kDelegates entries of the row, each the largest of those that share a lane.
  [[gnu::noinline]] void limit() {
    Floats* const columns = columns_.data();
    for (int i = 0; i < kAbreast; ++i) {
      Floats square[kRows];
      for (int row = 0; row < kRows; ++row) square[row] = delegates_of(row, i);
      transpose_square<float>(square);
      std::copy_n(square, kRows, columns + i * kRows);
    }
    Floats const lowest = Mapping::kHasReach ? bounds_ : smallest_above(columns, bounds_);
    Keys const is_open = count_at_least(columns, kDelegates, lowest) >= k_;
    LaneLimits limits(columns, kDelegates, k_, is_open, lowest, maxima_);
    limits.halve(tuning::kHalvingsForBound);
    bounds_ = is_open ? larger(limits.low(), bounds_) : bounds_;
  }

  // Whether limit() pays: there are enough delegates for k, and the largest entries of lanes do not
  // bound the k-th largest as well by themselves.
  bool may_limit() const { return may_limit_; }

  // NaN for rows that are not ordinary, so that no comparison holds in them.
  Floats maxima() const { return maxima_; }
  bool has_nan() const { return has_nan_; }
  bool is_nan(int row) const { return maxima_[row] != maxima_[row]; }

  // Thresholds at or below those that the rows would have without the limit k, relative to the
  // maxima.
  Floats thresholds() const { return thresholds_; }

  Floats bounds() const { return bounds_; }

 private:
  using Numbers = typename RowVectors<Scalar>::Numbers;
  using Element = typename Numbers::Element;
  static constexpr int kCount = kLanes<Element>;  // entries in a vector
  // Vectors that do not wait for each other. Where the threshold is searched for they make 64
  // delegates, if 8 vectors hold as many: a longer list of candidates costs more there.
  static constexpr int kAbreast = kHasSearch<Mapping> ? std::min(8, 64 / kRows) : 4;
  static constexpr int kDelegates = kAbreast * kRows;
  // How many objects take turns to see all rows: the sums of floats take longer than minima of
  // keys.
  static constexpr int kSeen = kCount == kRows ? 4 : 1;

  // Returns the largest entry of each lane of a row's vectors.
  [[gnu::always_inline]] Vector<Element> scan(int row, Scalar const* entries,
                                              typename Numbers::Seen (&seen)[kSeen]) {
    Vector<Element> largest[kAbreast];
    std::fill_n(largest, kAbreast, broadcast<Element>(Numbers::kLowest));
    typename Numbers::Seen of_row[kSeen];
    std::copy_n(seen, kSeen, of_row);
    auto const add = [&](int i, Vector<Element> numbers) {
      largest[i] = larger(largest[i], numbers);
      of_row[i % kSeen].add(numbers);
    };
    int64_t const count = rows_.whole() / kCount;
    int64_t vector = 0;
    for (; vector + kAbreast <= count; vector += kAbreast) {
#pragma GCC unroll 8
      for (int i = 0; i < kAbreast; ++i) add(i, Numbers::of(entries + (vector + i) * kCount));
    }
#pragma GCC unroll 8
    for (int i = 0; i < kAbreast - 1; ++i) {
      if (vector + i < count) add(i, Numbers::of(entries + (vector + i) * kCount));
    }
    if (rows_.has_rest()) add(kAbreast - 1, rows_.load_rest(entries));
    std::copy_n(of_row, kSeen, seen);
    if (may_limit_) std::copy_n(largest, kAbreast, delegates_.data() + row * kAbreast);
#pragma GCC unroll 3
    for (int half = kAbreast / 2; half > 0; half /= 2) {
#pragma GCC unroll 4
      for (int i = 0; i < half; ++i) largest[i] = larger(largest[i], largest[i + half]);
    }
    return largest[0];
  }

  // The smallest delegates at or above the bounds, between which and the maxima it pays to halve.
  Floats smallest_above(Floats const* columns, Floats bounds) const {
    Floats smallest = maxima_;
    for (int i = 0; i < kDelegates; ++i) {
      smallest = columns[i] >= bounds ? smaller(smallest, columns[i]) : smallest;
    }
    return smallest;
  }

  // Returns thresholds at or below those of rows that hold these entries.
  Floats thresholds_of(Floats const (&largest)[kRows]) const {
    if constexpr (!kHasSearch<Mapping>) {
      return raise_thresholds(largest, kRows, maxima_, Floats{} - 1.0F, tuning::kPassesForBound);
    } else {
      return thresholds_below(mapping_, largest, kRows, maxima_, tuning::kPassesForRoot);
    }
  }

  [[gnu::noinline]] void check_rows(Scalar const* logits) {
    for (int row = 0; row < kRows; ++row) {
      auto const range = range_of(logits + row * rows_.length(), rows_.length());
      maxima_[row] = range.is_ordinary() ? range.maximum() : NAN;
      has_nan_ = has_nan_ || !range.is_ordinary();
    }
  }

  Floats delegates_of(int row, int i) const {
    auto const* const of_row = delegates_.data() + row * kAbreast;
    if constexpr (kCount == kRows) {
      return Numbers::largest_floats(of_row[i]);
    } else {
      auto const both = larger(of_row[i / 2], of_row[i / 2 + kAbreast / 2]);
      alignas(kVectorBytes) float floats[kCount];
      Numbers::widen_to(floats, both);
      return load<float>(floats + i % 2 * kRows);
    }
  }

  RowVectors<Scalar>& rows_;
  Mapping mapping_;
  int32_t k_;
  bool may_limit_;
  bool has_nan_ = false;
  Floats maxima_;
  Floats thresholds_;
  Floats bounds_;
  Scratch<Vector<Element>> delegates_;  // of each row
  Scratch<Floats> columns_;             // of delegates
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
