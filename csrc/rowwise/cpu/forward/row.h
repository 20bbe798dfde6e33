#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "rowwise/cpu/forward/crowded_row.h"
#include "rowwise/cpu/forward/row_candidates.h"
#include "rowwise/cpu/rows/scan.h"
#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/cpu/rows/taken_rows.h"
#include "rowwise/cpu/rows/write_sparse.h"
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
  using Fixed = typename Mapping::Fixed;

  RowForward(Fixed const& fixed, int64_t length, int64_t k, bool streams)
      : fixed_(fixed),
        length_(length),
        streams_(streams),
        candidates_(fixed, length, std::min(k, length),
                    Listed::most_of_dense(length, std::min(k, length))),
        crowded_(length, std::min(k, length), streams) {
    values_.reserve(candidates_.capacity() + kLanes<Real>);
  }

  void operator()(Scalar const* logits, Scalar* weights, LoneRowAhead<Scalar> ahead = {}) {
    if (length_ < kLanes<key_t<Scalar>>) {
      forward_short(logits, weights);
    } else if (length_ >= 2 * tuning::kBlock && !needs_estimate_) {
      candidates_.scan_part(logits, weights, 0, length_, streams_, ahead);
      write_parts(logits, weights);
    } else {
      forward_long(logits, weights, ahead);
    }
  }

  // To split a row over threads, each part has its own RowForward, which scans it; add_part() then
  // merges the others into the first, in order, and its write_parts() writes the weights.
  void scan_part(Scalar const* logits, Scalar* weights, int64_t first, int64_t last) {
    candidates_.scan_part(logits, weights, first, last, streams_);
  }

  void add_part(RowForward const& later) { candidates_.add_part(later.candidates_); }

  void write_parts(Scalar const* logits, Scalar* weights) {
    if (!candidates_.range().is_ordinary()) return fill_with_nan(weights);
    Mapping const mapping(candidates_.range().maximum(), fixed_);
    if (!candidates_.has_list()) {
      return write_by_estimate(mapping, logits, weights, mapping.lowest_threshold());
    }
    auto& list = candidates_.list();
    list.raise_maximum(mapping);
    weigh_support(mapping, list, values_.data());
    for (int64_t i = 0; i < list.size(); ++i) weights[list.columns()[i]] = values_.data()[i];
  }

 private:
  using Listed = RowCandidates<Mapping, Scalar>;

  void forward_short(Scalar const* logits, Scalar* weights) {
    candidates_.scan_short(logits);
    if (!candidates_.range().is_ordinary()) return fill_with_nan(weights);
    write_support(Mapping(candidates_.range().maximum(), fixed_), weights);
  }

  void forward_long(Scalar const* logits, Scalar* weights, LoneRowAhead<Scalar> ahead) {
    using Extremes = LaneExtremes<Scalar>;
    Extremes const extremes(logits, length_,
                            [&] { ahead.template prefetch_next<Extremes::kCount>(); });
    if (!extremes.range().is_ordinary()) return fill_with_nan(weights);
    Mapping const mapping(extremes.range().maximum(), fixed_);
    auto threshold = mapping.lowest_threshold();
    if (!needs_estimate_) {
      candidates_.list().begin_row(mapping);
      threshold = candidates_.raise_bound(mapping, extremes);
      if (candidates_.collect(logits, 0, length_, candidates_.most_without_estimate())) {
        return write_support(mapping, weights);
      }
    }
    write_by_estimate(mapping, logits, weights, threshold);
  }

  // Takes a row with many candidates, given a threshold that is not above that of the row. Above an
  // estimate of the threshold there may be few enough for a list; otherwise passes over the row
  // find the support. It is not inlined, since its callers need little of the stack without it.
  [[gnu::noinline]] void write_by_estimate(Mapping const& mapping, Scalar const* logits,
                                           Scalar* weights, typename Mapping::Threshold threshold) {
    auto const entries = crowded_.widened(logits);
    if constexpr (kHasEstimate<Mapping, Real>) {
      auto const estimate = crowded_.estimate(mapping, entries, threshold);
      threshold = threshold_below(mapping, estimate);
      needs_estimate_ = estimate.count > candidates_.most_without_estimate() / 4;
      if (estimate.count <= candidates_.most()) {
        candidates_.list().begin_row(mapping, threshold);
        if (candidates_.collect(logits, 0, length_, candidates_.most())) {
          return write_support(mapping, weights);
        }
      }
    }
    crowded_.write(mapping, entries, threshold, weights);
  }

  void write_support(Mapping const& mapping, Scalar* weights) {
    auto& list = candidates_.list();
    weigh_support(mapping, list, values_.data());
    auto const write =
        streams_ ? &stream_sparse_row<Scalar, int64_t> : &write_sparse_row<Scalar, int64_t>;
    write(weights, length_, list.size(), list.columns(), values_.data());
  }

  void fill_with_nan(Scalar* weights) { std::fill_n(weights, length_, narrow<Scalar>(NAN)); }

  Fixed fixed_;
  int64_t length_;
  bool streams_;
  bool needs_estimate_ = false;  // at once, since the row before had many candidates
  Listed candidates_;
  CrowdedRow<Mapping, Scalar> crowded_;
  Scratch<Scalar> values_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
