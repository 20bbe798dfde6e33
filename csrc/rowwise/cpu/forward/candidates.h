#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/cpu/rows/support.h"
#include "rowwise/cpu/rows/write_weights.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/ordered_key.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// The entries of one row that may still be in its support, in order. Whenever the buffer is full,
// entries that can no longer be in the support are dropped, so that a row takes time linear in its
// length.
template <class Mapping, class Scalar>
class Candidates {
 public:
  using Real = widened_t<Scalar>;
  using Key = key_t<Scalar>;
  using Threshold = typename Mapping::Threshold;

  // The capacity has to be a few times k, or as large as the number of entries that will be added.
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

  // Begins a row, given a threshold that is not above that of the row.
  void begin_row(Mapping const& mapping, Threshold const& threshold) {
    begin_row(mapping);
    raise_bound_to_logit(mapping.lower_bound(threshold));
  }

  // Takes the mapping of a maximum that is not below the one before.
  void raise_maximum(Mapping const& mapping) {
    mapping_ = mapping;
    raise_bound_to_logit(mapping.lower_bound());
  }

  // Drops the entries but keeps the bound that they imply, since the row holds an entry as large as
  // each of them. Returns a threshold that is not above that of the row.
  Threshold begin_again() {
    auto threshold = mapping_.lowest_threshold();
    if (size_ > tuning::kFewestForBound) {
      auto const support = reduce();
      if (support.is_capped) raise_bound_to_logit(support.smallest);
      threshold = support.threshold;
    }
    size_ = 0;
    return threshold;
  }

  // No entry with a smaller key can be in the support any more.
  Key bound() const { return bound_; }
  void raise_bound(Key bound) { bound_ = std::max(bound_, bound); }

  int64_t size() const { return size_; }
  int64_t capacity() const { return capacity_; }

  // Adds an entry whose key reaches bound(). Its index has to be above those added before.
  void add(Real logit, int64_t column) {
    if (size_ == capacity_) {
      auto const support = reduce();
      // A later entry loses a tie against those kept.
      if (support.is_capped) raise_bound_to_logit(support.smallest, /*beyond=*/true);
      if (key_of(narrow<Scalar>(logit)) < bound_) return;
    }
    logits_.data()[size_] = logit;
    columns_.data()[size_] = column;
    ++size_;
  }

  // Adds the entries that the mask selects: its bit i stands for entries[i], which has the index
  // column + i.
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

  // Adds the candidates of a later part of the row.
  void add(Candidates const& later) {
    for (int64_t i = 0; i < later.size_; ++i) {
      Real const logit = later.logits_.data()[i];
      if (key_of(narrow<Scalar>(logit)) >= bound_) add(logit, later.columns_.data()[i]);
    }
  }

  // Drops all entries that are not in the support of those added.
  Support<Mapping, Real> reduce_to_support() {
    auto const entries = padded_entries();
    return keep(find_support(mapping_, entries, k_, lowest_threshold(entries)));
  }

  Real const* logits() const { return logits_.data(); }
  int64_t const* columns() const { return columns_.data(); }

 private:
  // With no more entries, exact passes are as fast as an estimate, but for those of a search.
  static constexpr int64_t kEstimated = kHasSearch<Mapping> ? 0 : 4 * kLanes<Real>;

  // Whether room is made without a search.
  static constexpr bool kIsRough =
      kHasSearch<Mapping> && (kHasEstimate<Mapping, Real> || !Mapping::kHasReach);

  // Returns a threshold that is not above that of the entries.
  Threshold lowest_threshold(Entries<Real> const& entries) const {
    if constexpr (kHasEstimate<Mapping, Real>) {
      if (entries.count > kEstimated) {
        return threshold_below(mapping_, estimate_support(mapping_, entries, -1));
      }
    }
    return mapping_.lowest_threshold();
  }

  // Drops enough entries to make room: all that are not in the support, or, where a search would
  // find that, those that an estimate and k leave out. Returns what it kept.
  Support<Mapping, Real> reduce() {
    if constexpr (kIsRough) {
      auto const entries = padded_entries();
      auto const threshold = lowest_threshold(entries);
      auto const [largest, is_limited] = largest_above(mapping_, entries, k_, threshold);
      return keep({threshold, largest.smallest, largest.kept_ties(k_), k_, is_limited});
    } else {
      return reduce_to_support();
    }
  }

  Support<Mapping, Real> keep(Support<Mapping, Real> const& support) {
    int64_t ties = support.ties;
    int64_t kept = 0;
    // Without a branch, since which entries are kept is hard to predict.
    for (int64_t i = 0; i < size_; ++i) {
      Real const logit = logits_.data()[i];
      bool const is_tie = logit == support.smallest;
      bool const is_kept = logit > support.smallest || (is_tie && ties > 0);
      ties -= is_tie ? 1 : 0;
      logits_.data()[kept] = logit;
      columns_.data()[kept] = columns_.data()[i];
      kept += is_kept ? 1 : 0;
    }
    size_ = kept;
    raise_bound_to_logit(mapping_.lower_bound(support.threshold));
    return support;
  }

  // The entries as whole vectors, the last of which is filled up with -inf.
  Entries<Real> padded_entries() {
    constexpr int64_t kStep = kLanes<Real>;
    store(logits_.data() + size_, broadcast(-std::numeric_limits<Real>::infinity()));
    return {logits_.data(), (size_ + kStep - 1) / kStep * kStep};
  }

  // Raises the bound to the key of a logit, or beyond it. -0.0 equals +0.0 but has a smaller key.
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

// Leaves the support in the list, and writes its weights. Up to a vector of numbers is written
// after the last weight.
template <class Mapping, class Scalar>
void weigh_support(Mapping const& mapping, Candidates<Mapping, Scalar>& list, Scalar* weights) {
  auto const threshold = list.reduce_to_support().threshold;
  if constexpr (kHasSearch<Mapping>) {
    write_weights(mapping, threshold, list.logits(), list.size(), weights);
  } else {
    for (int64_t i = 0; i < list.size(); ++i) {
      auto const term = mapping.term(list.logits()[i]);
      weights[i] = narrow<Scalar>(mapping.weight(term, threshold));
    }
  }
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
