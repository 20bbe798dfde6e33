#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "rowwise/cpu/scratch.h"
#include "rowwise/ordered_key.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// The entries of one row that may still be in its support. Whenever the buffer is full, what can no
// longer be in the support is dropped, so that a row takes time linear in its length and memory
// linear in min(k, length).
template <class Mapping, class Scalar>
class Candidates {
 public:
  using Real = widened_t<Scalar>;
  using Key = key_t<Scalar>;
  using Threshold = typename Mapping::Threshold;

  struct Entry {
    typename Mapping::Term term;
    Real logit;
    int64_t column;
  };

  void begin_row(Mapping const& mapping, int64_t length, int64_t k) {
    mapping_ = &mapping;
    k_ = std::min(k, length);
    capacity_ = std::min(length, std::max<int64_t>(kSmallestCapacity, 2 * k_));
    scratch_.reserve(capacity_);
    entries_ = scratch_.data();
    size_ = 0;
    bound_ = std::numeric_limits<Key>::min();
    raise_bound(mapping.lower_bound());
  }

  // Begins again with the same row, and with the bound that the entries so far have shown: the row
  // must hold an entry as large as each of them.
  void begin_again() {
    reduce_to_support();
    if (is_capped_) raise_bound(entries_[k_ - 1].logit);
    size_ = 0;
  }

  // No entry of a smaller key can be in the support any more.
  Key bound() const { return bound_; }

  int64_t size() const { return size_; }

  // Takes an entry whose key reaches bound(), of a column above those before.
  void add(Real logit, int64_t column) {
    if (size_ == capacity_) {
      reduce_to_support();
      // A later entry loses a tie against those kept.
      if (is_capped_) raise_bound(entries_[k_ - 1].logit, /*beyond=*/true);
      if (key_of(narrow<Scalar>(logit)) < bound_) return;
    }
    entries_[size_++] = {mapping_->term(logit), logit, column};
  }

  // Leaves the support of the entries added, and gives the threshold that it implies.
  Threshold reduce_to_support() {
    auto threshold = drop_below_threshold();
    is_capped_ = size_ > k_;
    if (is_capped_) {
      std::nth_element(entries_, entries_ + (k_ - 1), entries_ + size_, comes_first);
      size_ = k_;
      threshold = mapping_->threshold(sum_above(mapping_->lowest_threshold()));
    }
    raise_bound(mapping_->lower_bound(threshold));
    return threshold;
  }

  // Calls visit(entry) for each entry.
  template <class Visit>
  void for_each(Visit const& visit) const {
    for (int64_t i = 0; i < size_; ++i) visit(entries_[i]);
  }

 private:
  // Larger logits first, then lower columns.
  static bool comes_first(Entry const& a, Entry const& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.column < b.column);
  }

  // -0.0 equals +0.0 but has a smaller key.
  void raise_bound(Real logit, bool beyond = false) {
    auto key = key_of(narrow<Scalar>(logit));
    if (logit == 0) key = beyond ? 0 : -1;
    bound_ = std::max<Key>(bound_, key + (beyond ? 1 : 0));
  }

  typename Mapping::Sum sum_above(Threshold const& threshold) const {
    typename Mapping::Sum result;
    for (int64_t i = 0; i < size_; ++i) {
      if (mapping_->is_above(entries_[i].term, threshold)) result.add(entries_[i].term);
    }
    return result;
  }

  // Michelot's iteration (1986): each pass drops what lies below the threshold of the rest. A pass
  // either halves the entries or divides what the threshold still lacks, so passes are few.
  Threshold drop_below_threshold() {
    auto threshold = mapping_->lowest_threshold();
    int64_t count = 0;
    while (true) {
      auto const sum = sum_above(threshold);
      if (sum.count == count) break;
      count = sum.count;
      threshold = mapping_->threshold(sum);
    }
    auto const is_below = [&](Entry const& entry) {
      return !mapping_->is_above(entry.term, threshold);
    };
    size_ = std::remove_if(entries_, entries_ + size_, is_below) - entries_;
    return threshold;
  }

  static constexpr int64_t kSmallestCapacity = 1024;

  Mapping const* mapping_ = nullptr;
  int64_t k_ = 0;
  int64_t capacity_ = 0;
  int64_t size_ = 0;
  bool is_capped_ = false;
  Key bound_ = 0;
  Entry* entries_ = nullptr;
  Scratch<Entry> scratch_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
