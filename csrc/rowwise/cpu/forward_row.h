#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "rowwise/cpu/candidates.h"
#include "rowwise/cpu/dense_row.h"
#include "rowwise/cpu/row_scan.h"
#include "rowwise/cpu/scratch.h"
#include "rowwise/cpu/sparse_row.h"
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
    most_ = candidates_.capacity() < length / 2 ? candidates_.capacity() : length / kDensePart;
  }

  void operator()(Scalar const* logits, Scalar* weights) {
    if (length_ < kLanes<key_t<Scalar>>) {
      forward_short(logits, weights);
    } else {
      forward_long(logits, weights);
    }
  }

 private:
  // With candidates for this part of a row or more, passes over the row cost less than a list.
  static constexpr int64_t kDensePart = 8;

  void forward_long(Scalar const* logits, Scalar* weights) {
    LaneExtremes<Scalar> const extremes(logits, length_);
    if (!extremes.range().is_ordinary()) return fill_with_nan(weights);
    Mapping const mapping(extremes.range().maximum(), length_);
    candidates_.begin_row(mapping);
    extremes.for_each_at_least(candidates_.bound(), [&](key_t<Scalar> key) {
      candidates_.add(widen(scalar_of<Scalar>(key)), 0);
    });
    auto threshold = candidates_.begin_again();
    if (!is_dense_ && collect(logits)) return write_support(mapping, weights);
    Entries<Scalar> const entries{logits, length_};
    if constexpr (std::is_same_v<Real, float>) {
      auto const estimate = estimate_threshold(mapping, entries, threshold);
      is_dense_ = estimate.count > most_;
      threshold = estimate.threshold;
      candidates_.begin_again(threshold);
      if (!is_dense_ && collect(logits)) return write_support(mapping, weights);
    }
    auto const support = find_support(mapping, entries, k_, threshold);
    write_dense_row(mapping, support, logits, weights, length_);
  }

  // Whether there were few candidates.
  bool collect(Scalar const* logits) {
    return visit_at_least(
        logits, length_, [&] { return candidates_.bound(); },
        [&](uint64_t mask, int64_t column) {
          candidates_.add(mask, logits + column, column);
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
    int64_t const count = candidates_.size();
    for (int64_t i = 0; i < count; ++i) {
      auto const term = mapping.term(candidates_.logits()[i]);
      values_.data()[i] = narrow<Scalar>(mapping.weight(term, support.threshold));
    }
    auto const write =
        streams_ ? &stream_sparse_row<Scalar, int64_t> : &write_sparse_row<Scalar, int64_t>;
    write(weights, length_, count, candidates_.columns(), values_.data());
  }

  void fill_with_nan(Scalar* weights) { std::fill_n(weights, length_, narrow<Scalar>(NAN)); }

  int64_t length_;
  int64_t k_;
  int64_t most_;  // candidates for a list; a list that can be kept short is always one
  bool streams_;
  bool is_dense_ = false;  // as the row before
  Candidates<Mapping, Scalar> candidates_;
  Scratch<Scalar> values_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
