#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "rowwise/cpu/candidates.h"
#include "rowwise/cpu/dense_row.h"
#include "rowwise/cpu/row_scan.h"
#include "rowwise/cpu/scratch.h"
#include "rowwise/cpu/sparse_row.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/float16.h"
#include "rowwise/ordered_key.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Maps rows to their weights. Both rows are contiguous and do not overlap.
template <template <class> class MappingOf, class Scalar>
class RowForward {
 public:
  using Real = widened_t<Scalar>;
  using Mapping = MappingOf<Real>;

  RowForward(int64_t length, int64_t k, bool streams)
      : length_(length),
        k_(std::min(k, length)),
        streams_(streams),
        candidates_(length, k_, capacity()) {
    values_.reserve(candidates_.capacity());
  }

  void operator()(Scalar const* logits, Scalar* weights) {
    if (length_ < kLanes<key_t<Scalar>>) {
      forward_short(logits, weights);
    } else {
      forward_long(logits, weights);
    }
  }

  // A row may also be taken in parts, each by an object of its own, of which the first part's takes
  // in the others in order and writes.
  void scan_part(Scalar const* logits, Scalar* weights, int64_t first, int64_t last) {
    LaneExtremes<Scalar> const extremes(logits + first, last - first);
    range_ = extremes.range();
    write_zeros(weights + first, last - first);
    if (!range_.is_ordinary()) return;
    begin(extremes);
    has_list_ = collect(logits, first, last);
  }

  void add_part(RowForward const& part) {
    bool const has_room = is_short() || candidates_.size() + part.candidates_.size() <= capacity();
    has_list_ = has_list_ && part.has_list_ && has_room;
    range_.add(part.range_);
    if (!has_list_ || !range_.is_ordinary()) return;
    candidates_.raise_maximum(Mapping(range_.maximum(), length_));
    candidates_.add(part.candidates_);
  }

  void write_parts(Scalar const* logits, Scalar* weights) {
    if (!range_.is_ordinary()) return fill_with_nan(weights);
    Mapping const mapping(range_.maximum(), length_);
    if (!has_list_) return write_dense(mapping, logits, weights, mapping.lowest_threshold());
    candidates_.raise_maximum(mapping);
    auto const support = candidates_.reduce_to_support();
    weigh(mapping, support.threshold);
    for (int64_t i = 0; i < candidates_.size(); ++i) {
      weights[candidates_.columns()[i]] = values_.data()[i];
    }
  }

 private:
  // Entries that a list may have to hold besides those that make it too long.
  static constexpr int64_t kMostAtOnce = std::max<int64_t>(64, LaneExtremes<Scalar>::kCount);

  static int64_t short_list(int64_t k) { return std::max<int64_t>(tuning::kSmallestList, 4 * k); }

  // Whether a list of candidates can be kept short, however many there are.
  bool is_short() const { return short_list(k_) < length_ / 2; }

  // The most candidates that make a list.
  int64_t most() const { return is_short() ? length_ : length_ / tuning::kDensePart; }

  int64_t capacity() const {
    return is_short() ? short_list(k_) : std::min(length_, most() + kMostAtOnce);
  }

  void forward_long(Scalar const* logits, Scalar* weights) {
    LaneExtremes<Scalar> const extremes(logits, length_);
    if (!extremes.range().is_ordinary()) return fill_with_nan(weights);
    Mapping const mapping(extremes.range().maximum(), length_);
    auto threshold = mapping.lowest_threshold();
    if (!needs_estimate_) {
      threshold = begin(extremes);
      if (collect(logits, 0, length_)) return write_support(mapping, weights);
    }
    if constexpr (std::is_same_v<Real, float>) {
      auto const estimate =
          estimate_threshold(mapping, Entries<Scalar>{logits, length_}, threshold);
      threshold = estimate.threshold;
      needs_estimate_ = estimate.count > most() / 4;
      if (estimate.count <= most()) {
        candidates_.begin_row(mapping, threshold);
        if (collect(logits, 0, length_)) return write_support(mapping, weights);
      }
    }
    write_dense(mapping, logits, weights, threshold);
  }

  // Begins a list of candidates with the bound that the largest entries of the lanes show.
  typename Mapping::Threshold begin(LaneExtremes<Scalar> const& extremes) {
    candidates_.begin_row(Mapping(extremes.range().maximum(), length_));
    extremes.for_each_at_least(candidates_.bound(), [&](key_t<Scalar> key) {
      candidates_.add(widen(scalar_of<Scalar>(key)), 0);
    });
    return candidates_.begin_again();
  }

  // Whether there were few candidates.
  bool collect(Scalar const* logits, int64_t first, int64_t last) {
    return visit_at_least(
        logits + first, last - first, [&] { return candidates_.bound(); },
        [&](uint64_t mask, int64_t column) {
          candidates_.add(mask, logits + first + column, first + column);
          return candidates_.size() <= most();
        });
  }

  void forward_short(Scalar const* logits, Scalar* weights) {
    auto const range = range_of(logits, length_);
    if (!range.is_ordinary()) return fill_with_nan(weights);
    Mapping const mapping(range.maximum(), length_);
    candidates_.begin_row(mapping);
    for (int64_t column = 0; column < length_; ++column) {
      if (key_of(logits[column]) < candidates_.bound()) continue;
      candidates_.add(widen(logits[column]), column);
    }
    write_support(mapping, weights);
  }

  void write_support(Mapping const& mapping, Scalar* weights) {
    auto const support = candidates_.reduce_to_support();
    weigh(mapping, support.threshold);
    auto const write =
        streams_ ? &stream_sparse_row<Scalar, int64_t> : &write_sparse_row<Scalar, int64_t>;
    write(weights, length_, candidates_.size(), candidates_.columns(), values_.data());
  }

  void weigh(Mapping const& mapping, typename Mapping::Threshold const& threshold) {
    for (int64_t i = 0; i < candidates_.size(); ++i) {
      auto const term = mapping.term(candidates_.logits()[i]);
      values_.data()[i] = narrow<Scalar>(mapping.weight(term, threshold));
    }
  }

  void write_dense(Mapping const& mapping, Scalar const* logits, Scalar* weights,
                   typename Mapping::Threshold const& lowest) {
    auto const support = find_support(mapping, Entries<Scalar>{logits, length_}, k_, lowest);
    write_dense_row(mapping, support, logits, weights, length_);
  }

  void fill_with_nan(Scalar* weights) { std::fill_n(weights, length_, narrow<Scalar>(NAN)); }

  int64_t length_;
  int64_t k_;
  bool streams_;
  bool needs_estimate_ = false;  // to find few candidates, as the row before did
  bool has_list_ = true;         // of all candidates of a part
  KeyRange<Scalar> range_;       // of a part
  Candidates<Mapping, Scalar> candidates_;
  Scratch<Scalar> values_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
