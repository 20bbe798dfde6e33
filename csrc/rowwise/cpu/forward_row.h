#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "rowwise/cpu/candidates.h"
#include "rowwise/cpu/row_scan.h"
#include "rowwise/float16.h"
#include "rowwise/ordered_key.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Maps rows to their weights. Both rows are contiguous and do not overlap.
template <template <class> class MappingOf, class Scalar>
class RowForward {
 public:
  using Real = widened_t<Scalar>;
  using Mapping = MappingOf<Real>;

  RowForward(int64_t length, int64_t k) : length_(length), k_(k) {}

  void operator()(Scalar const* logits, Scalar* weights) {
    if (length_ < kLanes<key_t<Scalar>>) {
      forward_short(logits, weights);
    } else {
      forward_long(logits, weights);
    }
  }

 private:
  // With fewer lanes than this at the bound, a second look at the lanes would not pay.
  static constexpr int64_t kFewLanes = 8;

  void forward_long(Scalar const* logits, Scalar* weights) {
    LaneExtremes<Scalar> const extremes(logits, length_);
    if (!extremes.range().is_ordinary()) return fill_with_nan(weights);
    Mapping const mapping(extremes.range().maximum(), length_);
    candidates_.begin_row(mapping, length_, k_);
    extremes.for_each_at_least(candidates_.bound(), [&](key_t<Scalar> key) {
      candidates_.add(widen(scalar_of<Scalar>(key)), 0);
    });
    if (candidates_.size() > kFewLanes)
      candidates_.begin_again();
    else
      candidates_.begin_row(mapping, length_, k_);
    zero_and_visit(
        logits, weights, length_, [&] { return candidates_.bound(); },
        [&](int64_t column) { candidates_.add(widen(logits[column]), column); });
    write_support(mapping, weights);
  }

  void forward_short(Scalar const* logits, Scalar* weights) {
    auto range = KeyRange<Scalar>::of(logits[0]);
    for (int64_t column = 1; column < length_; ++column) {
      range.add(KeyRange<Scalar>::of(logits[column]));
    }
    if (!range.is_ordinary()) return fill_with_nan(weights);
    Mapping const mapping(range.maximum(), length_);
    candidates_.begin_row(mapping, length_, k_);
    for (int64_t column = 0; column < length_; ++column) {
      if (key_of(logits[column]) < candidates_.bound()) continue;
      candidates_.add(widen(logits[column]), column);
    }
    std::fill_n(weights, length_, Scalar{});
    write_support(mapping, weights);
  }

  void write_support(Mapping const& mapping, Scalar* weights) {
    auto const threshold = candidates_.reduce_to_support();
    candidates_.for_each([&](auto const& entry) {
      weights[entry.column] = narrow<Scalar>(mapping.weight(entry.term, threshold));
    });
  }

  void fill_with_nan(Scalar* weights) { std::fill_n(weights, length_, narrow<Scalar>(NAN)); }

  int64_t length_;
  int64_t k_;
  Candidates<Mapping, Scalar> candidates_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
