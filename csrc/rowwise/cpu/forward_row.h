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
      : length_(length), k_(std::min(k, length)), streams_(streams), candidates_(length, k) {
    values_.reserve(std::min(k_, length));
    most_ =
        candidates_.capacity() < length / 2 ? candidates_.capacity() : length / tuning::kDensePart;
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
    has_list_ = has_list_ && part.has_list_;
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
  void forward_long(Scalar const* logits, Scalar* weights) {
    LaneExtremes<Scalar> const extremes(logits, length_);
    if (!extremes.range().is_ordinary()) return fill_with_nan(weights);
    Mapping const mapping(extremes.range().maximum(), length_);
    auto threshold = begin(extremes);
    if (!is_dense_ && collect(logits, 0, length_)) return write_support(mapping, weights);
    if constexpr (std::is_same_v<Real, float>) {
      auto const estimate =
          estimate_threshold(mapping, Entries<Scalar>{logits, length_}, threshold);
      is_dense_ = estimate.count > most_;
      threshold = estimate.threshold;
      candidates_.begin_again(threshold);
      if (!is_dense_ && collect(logits, 0, length_)) return write_support(mapping, weights);
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
          return candidates_.size() <= most_;
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
  int64_t most_;  // candidates for a list; a list that can be kept short is always one
  bool streams_;
  bool is_dense_ = false;   // as the row before
  bool has_list_ = true;    // of all candidates of a part
  KeyRange<Scalar> range_;  // of a part
  Candidates<Mapping, Scalar> candidates_;
  Scratch<Scalar> values_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
