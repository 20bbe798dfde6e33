#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/cpu/rows/support.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/ordered_key.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// The entries of one row that may still be in its support, in order. Whenever the buffer is full,
// what can no longer be in the support is dropped, so that a row takes time linear in its length.
template <class Mapping, class Scalar>
class Candidates {
 public:
  using Real = widened_t<Scalar>;
  using Key = key_t<Scalar>;
  using Threshold = typename Mapping::Threshold;

  // The capacity has to be a few times k, or of as many entries as will be added.
  Candidates(typename Mapping::Fixed const& fixed, int64_t k, int64_t capacity)
      : mapping_(0, fixed), k_(k), capacity_(capacity) {
    logits_.reserve(capacity_ + kLanes<Real>);
    columns_.reserve(capacity_);
  }

  void begin_row(Mapping const& mapping) {
    size_ = 0;
    bound_ = std::numeric_limits<Key>::min();
    raise_maximum(mapping);
  }

  // The same, given a threshold that is not above that of the row.
  void begin_row(Mapping const& mapping, Threshold const& threshold) {
    begin_row(mapping);
    raise_bound_to_logit(mapping.lower_bound(threshold));
  }

  // The mapping of a maximum that is not below the one before.
  void raise_maximum(Mapping const& mapping) {
    mapping_ = mapping;
    raise_bound_to_logit(mapping.lower_bound());
  }

  // Drops the entries but keeps the bound that they have shown, since the row holds an entry as
  // large as each of them. Returns the threshold below which that of the row cannot lie.
  Threshold begin_again() {
    auto threshold = mapping_.lowest_threshold();
    if (size_ > tuning::kFewestForBound) {
      auto const support = reduce_to_support();
      if (support.is_capped) raise_bound_to_logit(support.smallest);
      threshold = support.threshold;
    }
    size_ = 0;
    return threshold;
  }

  // No entry of a smaller key can be in the support any more.
  Key bound() const { return bound_; }
  void raise_bound(Key bound) { bound_ = std::max(bound_, bound); }

  int64_t size() const { return size_; }
  int64_t capacity() const { return capacity_; }

  // Takes an entry whose key reaches bound(), of a column above those before.
  void add(Real logit, int64_t column) {
    if (size_ == capacity_) {
      auto const support = reduce_to_support();
      // A later entry loses a tie against those kept.
      if (support.is_capped) raise_bound_to_logit(support.smallest, /*beyond=*/true);
      if (key_of(narrow<Scalar>(logit)) < bound_) return;
    }
    logits_.data()[size_] = logit;
    columns_.data()[size_] = column;
    ++size_;
  }

  // Takes those entries of a vector or a few that a mask names, of which the first is in `column`.
  void add(uint64_t mask, Scalar const* entries, int64_t column) {
    if (size_ + std::popcount(mask) > capacity_) {
      for_each_lane(mask, [&](int lane) {
        if (key_of(entries[lane]) >= bound_) add(widen(entries[lane]), column + lane);
      });
      return;
    }
    int64_t size = size_;
    for_each_lane(mask, [&](int lane) {
      logits_.data()[size] = widen(entries[lane]);
      columns_.data()[size] = column + lane;
      ++size;
    });
    size_ = size;
  }

  // Takes those of a part of the row that comes after.
  void add(Candidates const& later) {
    for (int64_t i = 0; i < later.size_; ++i) {
      Real const logit = later.logits_.data()[i];
      if (key_of(narrow<Scalar>(logit)) >= bound_) add(logit, later.columns_.data()[i]);
    }
  }

  // Leaves the support of the entries added.
  Support<Mapping, Real> reduce_to_support() {
    auto const entries = padded_entries();
    auto threshold = mapping_.lowest_threshold();
    if constexpr (std::is_same_v<Real, float>) {
      if (entries.count > kEstimated) {
        threshold = mapping_.threshold_below(estimate_threshold(mapping_, entries, -1).threshold);
      }
    }
    auto const support = find_support(mapping_, entries, k_, threshold);
    int64_t ties = support.ties;
    int64_t kept = 0;
    for (int64_t i = 0; i < size_; ++i) {
      Real const logit = logits_.data()[i];
      if (logit < support.smallest || (logit == support.smallest && ties-- <= 0)) continue;
      logits_.data()[kept] = logit;
      columns_.data()[kept] = columns_.data()[i];
      ++kept;
    }
    size_ = kept;
    raise_bound_to_logit(mapping_.lower_bound(support.threshold));
    return support;
  }

  Real const* logits() const { return logits_.data(); }
  int64_t const* columns() const { return columns_.data(); }

 private:
  static constexpr int64_t kEstimated = 4 * kLanes<Real>;  // Of fewer, exact passes are as fast.

  // As whole vectors, the last of which ends with -inf.
  Entries<Real> padded_entries() {
    constexpr int64_t kStep = kLanes<Real>;
    store(logits_.data() + size_, broadcast(-std::numeric_limits<Real>::infinity()));
    return {logits_.data(), (size_ + kStep - 1) / kStep * kStep};
  }

  // -0.0 equals +0.0 but has a smaller key.
  void raise_bound_to_logit(Real logit, bool beyond = false) {
    auto key = key_of(narrow<Scalar>(logit));
    if (logit == 0) key = beyond ? 0 : -1;
    raise_bound(static_cast<Key>(key + (beyond ? 1 : 0)));
  }

  Mapping mapping_;
  int64_t k_;
  int64_t capacity_;
  int64_t size_ = 0;
  Key bound_ = std::numeric_limits<Key>::min();
  Scratch<Real> logits_;
  Scratch<int64_t> columns_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
