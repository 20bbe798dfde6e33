#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace zeta::rowwise::cpu {

// The entries of one row that may still be in its support. The row is offered in order of column;
// whenever the buffer is full, what can no longer be in the support is dropped, so that a row takes
// time linear in its length and memory linear in min(k, length).
template <class Mapping, class Real>
class Candidates {
 public:
  using Threshold = typename Mapping::Threshold;

  struct Entry {
    Real logit;
    int64_t column;
  };

  void begin_row(Mapping const& mapping, int64_t length, int64_t k) {
    mapping_ = &mapping;
    k_ = std::min(k, length);
    capacity_ = static_cast<size_t>(std::min(length, std::max<int64_t>(kSmallestCapacity, 2 * k_)));
    entries_.clear();
    entries_.reserve(capacity_);
    lower_bound_ = mapping.lower_bound();
    threshold_ = mapping.lowest_threshold();
  }

  // No entry below this can be in the support any more.
  Real lower_bound() const { return lower_bound_; }

  // Takes an entry at or above lower_bound().
  void offer(Real logit, int64_t column) {
    if (entries_.size() == capacity_) reduce_to_support();
    if (logit < lower_bound_ || !mapping_->is_above(mapping_->term(logit), threshold_)) return;
    if (is_capped_ && logit == lower_bound_) return;
    entries_.push_back({logit, column});
  }

  // Leaves the support of the entries offered, and gives the threshold that it implies.
  Threshold reduce_to_support() {
    drop_below_threshold();
    is_capped_ = static_cast<int64_t>(entries_.size()) > k_;
    if (is_capped_) {
      auto const last = entries_.begin() + (k_ - 1);
      std::nth_element(entries_.begin(), last, entries_.end(), comes_first);
      // An entry offered later loses a tie against those kept.
      lower_bound_ = last->logit;
      entries_.resize(static_cast<size_t>(k_));
      threshold_ = mapping_->threshold(sum());
    }
    return threshold_;
  }

  std::vector<Entry> const& entries() const { return entries_; }

 private:
  // Larger logits first, then lower columns.
  static bool comes_first(Entry const& a, Entry const& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.column < b.column);
  }

  typename Mapping::Sum sum() const {
    typename Mapping::Sum result;
    for (Entry const& entry : entries_) result.add(mapping_->term(entry.logit));
    return result;
  }

  // Michelot's iteration (1986): each pass drops what lies below the threshold of the rest. A pass
  // either halves the entries or divides what the threshold still lacks, so passes are few.
  void drop_below_threshold() {
    size_t before = 0;
    do {
      before = entries_.size();
      threshold_ = mapping_->threshold(sum());
      std::erase_if(entries_, [this](Entry const& entry) {
        return !mapping_->is_above(mapping_->term(entry.logit), threshold_);
      });
    } while (entries_.size() != before);
  }

  static constexpr int64_t kSmallestCapacity = 1024;

  Mapping const* mapping_ = nullptr;
  int64_t k_ = 0;
  size_t capacity_ = 0;
  bool is_capped_ = false;
  Real lower_bound_ = 0;
  Threshold threshold_ = {};
  std::vector<Entry> entries_;
};

}  // namespace zeta::rowwise::cpu
