#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>

#include "rowwise/cpu/candidates.h"
#include "rowwise/float16.h"
#include "rowwise/ordered_key.h"

namespace zeta::rowwise::cpu {

// The columns of a row are dealt out to lanes, so that compilers turn the loops into vectors. The
// largest entry of each lane is also one of the row: whatever is smaller than k of them is not
// among the row's k largest.
template <class Scalar>
class LaneMaxima {
 public:
  using Key = key_t<Scalar>;

  LaneMaxima(Scalar const* logits, int64_t length) {
    Key smallest[kLanes];
    std::fill_n(smallest, kLanes, key_of(logits[0]));
    std::fill_n(largest_, kLanes, std::numeric_limits<Key>::min());
    int64_t first = 0;
    for (; first + kLanes <= length; first += kLanes) {
      for (int lane = 0; lane < kLanes; ++lane) {
        Key const key = key_of(logits[first + lane]);
        smallest[lane] = std::min(smallest[lane], key);
        largest_[lane] = std::max(largest_[lane], key);
      }
    }
    for (int lane = 0; first + lane < length; ++lane) {
      Key const key = key_of(logits[first + lane]);
      smallest[lane] = std::min(smallest[lane], key);
      largest_[lane] = std::max(largest_[lane], key);
    }
    std::sort(largest_, largest_ + kLanes, std::greater<>());
    range_ = {*std::min_element(smallest, smallest + kLanes), largest_[0]};
  }

  KeyRange<Scalar> range() const { return range_; }

  // A key that k entries of the row reach.
  Key reached_by(int64_t k) const {
    return k <= kLanes ? largest_[k - 1] : std::numeric_limits<Key>::min();
  }

 private:
  static constexpr int kLanes = 16;

  Key largest_[kLanes];
  KeyRange<Scalar> range_;
};

template <int64_t Columns, class Scalar>
bool reaches(Scalar const* logits, key_t<Scalar> bound) {
  key_t<Scalar> largest = key_of(logits[0]);
  for (int64_t column = 1; column < Columns; ++column) {
    largest = std::max(largest, key_of(logits[column]));
  }
  return largest >= bound;
}

// Offers the entries that may be in the support. Few are, so most blocks are passed over whole.
template <class Candidates, class Scalar>
void offer_row(Candidates& candidates, Scalar const* logits, int64_t length,
               key_t<Scalar> reached_by_k) {
  constexpr int64_t kBlock = 16;
  auto bound = std::max(reached_by_k, key_of(narrow<Scalar>(candidates.lower_bound())));
  if (bound == 0) --bound;  // -0.0, which equals +0.0
  auto offer = [&](int64_t first, int64_t last) {
    for (int64_t column = first; column < last; ++column) {
      if (key_of(logits[column]) >= bound) candidates.offer(widen(logits[column]), column);
    }
  };
  int64_t first = 0;
  for (; first + kBlock <= length; first += kBlock) {
    if (reaches<kBlock>(logits + first, bound)) offer(first, first + kBlock);
  }
  offer(first, length);
}

// Maps one row of at least one logit to its weights. Both rows are contiguous and do not overlap.
template <template <class> class MappingOf, class Scalar>
void forward_row(Scalar const* logits, Scalar* weights, int64_t length, int64_t k,
                 Candidates<MappingOf<widened_t<Scalar>>, widened_t<Scalar>>& candidates) {
  using Real = widened_t<Scalar>;
  LaneMaxima<Scalar> const maxima(logits, length);
  auto const range = maxima.range();
  if (!range.is_ordinary()) {
    auto const not_a_number = narrow<Scalar>(std::numeric_limits<double>::quiet_NaN());
    std::fill_n(weights, length, not_a_number);
    return;
  }

  MappingOf<Real> const mapping(range.maximum(), length);
  candidates.begin_row(mapping, length, k);
  offer_row(candidates, logits, length, maxima.reached_by(k));
  auto const threshold = candidates.reduce_to_support();

  std::fill_n(weights, length, Scalar{});
  for (auto const& entry : candidates.entries()) {
    weights[entry.column] = narrow<Scalar>(mapping.weight(mapping.term(entry.logit), threshold));
  }
}

}  // namespace zeta::rowwise::cpu
