#pragma once

#include <algorithm>
#include <cstdint>

#include "rowwise/cpu/forward/candidates.h"
#include "rowwise/cpu/rows/scan.h"
#include "rowwise/cpu/rows/taken_rows.h"
#include "rowwise/cpu/rows/write_sparse.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/ordered_key.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Lists the candidates of a row, or of a part of one, in one pass over its keys.
template <class Mapping, class Scalar>
class RowCandidates {
 public:
  using Fixed = typename Mapping::Fixed;
  using Threshold = typename Mapping::Threshold;
  using Extremes = LaneExtremes<Scalar>;

  // With more than `most` candidates, the row is left to others.
  RowCandidates(Fixed const& fixed, int64_t length, int64_t k, int64_t most)
      : fixed_(fixed),
        length_(length),
        k_(k),
        most_(most),
        list_(fixed, k, capacity()),
        of_lanes_(fixed, k, Extremes::kCount) {}

  // The most candidates for which a list costs less than passes over a row whose weights are all
  // written: any number, if the list can be kept short.
  static int64_t most_of_dense(int64_t length, int64_t k) {
    constexpr int64_t kPart = kHasSearch<Mapping> ? tuning::kDensePartOfSearch : tuning::kDensePart;
    return short_list(k) < length / 2 ? length : length / kPart;
  }

  Candidates<Mapping, Scalar>& list() { return list_; }

  // The longest list that costs less than passes over the row do, and the longest for which the
  // same can be said of an estimate that would make it shorter.
  int64_t most() const { return most_; }
  int64_t most_without_estimate() const {
    return takes_any() ? most_ : std::min(most_, length_ / tuning::kDensePart);
  }

  int64_t capacity() const {
    return std::min(length_, takes_any() ? short_list(k_) : most_ + kMostAtOnce);
  }

  // Lists the candidates of a row that is shorter than a vector.
  void scan_short(Scalar const* logits) {
    range_ = range_of(logits, length_);
    if (!range_.is_ordinary()) return;
    list_.begin_row(Mapping(range_.maximum(), fixed_));
    for (int64_t column = 0; column < length_; ++column) {
      if (key_of(logits[column]) >= list_.bound()) list_.add(widen(logits[column]), column);
    }
  }

  // Raises the list's bound to what the largest entries of lanes imply. Returns a threshold that is
  // not above that of the row.
  Threshold raise_bound(Mapping const& mapping, Extremes const& extremes) {
    of_lanes_.begin_row(mapping);
    extremes.for_each_at_least(
        list_.bound(), [&](key_t<Scalar> key) { of_lanes_.add(widen(scalar_of<Scalar>(key)), 0); });
    auto const threshold = of_lanes_.begin_again();
    list_.raise_bound(of_lanes_.bound());
    return threshold;
  }

  // Lists the candidates from `first` to before `last`. Returns false if the list is longer than
  // `most`, and stops.
  bool collect(Scalar const* logits, int64_t first, int64_t last, int64_t most) {
    return visit_at_least(
        logits + first, last - first, [&] { return list_.bound(); },
        [&](uint64_t mask, int64_t column) {
          list_.add(mask, logits + first + column, first + column);
          return list_.size() <= most;
        });
  }

  // Lists the candidates of a part of a row, block by block: a block is in the nearest cache when
  // its candidates are listed. Calls each_step() after every Extremes::kCount entries that it
  // reads, and each_block(first, end) after each block.
  template <class EachStep, class EachBlock>
  void scan(Scalar const* logits, int64_t first, int64_t last, EachStep const& each_step,
            EachBlock const& each_block) {
    range_ = KeyRange<Scalar>::empty();
    has_list_ = true;
    bool is_begun = begin_by_sample(logits + first, last - first);
    for (int64_t end; first < last; first = end) {
      end = first + tuning::kBlock;
      if (end + kShortestBlock > last) end = last;
      Extremes const extremes(logits + first, end - first, each_step);
      each_block(first, end);
      range_.add(extremes.range());
      if (!range_.is_ordinary() || !has_list_) continue;
      Mapping const mapping(range_.maximum(), fixed_);
      is_begun ? list_.raise_maximum(mapping) : list_.begin_row(mapping);
      is_begun = true;
      raise_bound(mapping, extremes);
      has_list_ = collect(logits, first, end, most_without_estimate());
    }
  }

  // Does the same and writes zeros to the part's weights, which are on their way to memory while
  // entries are read. Prefetches a later row.
  void scan_part(Scalar const* logits, Scalar* weights, int64_t first, int64_t last, bool streams,
                 LoneRowAhead<Scalar> ahead = {}) {
    StreamedZeros zeros(weights + first, weights + (streams ? last : first));
    scan(
        logits, first, last,
        [&] {
          zeros.write(kLinesPerStep);
          ahead.template prefetch_next<Extremes::kCount>();
        },
        [&](int64_t begin, int64_t end) {
          if (!streams) write_zeros(weights + begin, end - begin);
        });
    zeros.write_rest();
  }

  // Adds the candidates of the part of the row that comes next.
  void add_part(RowCandidates const& later) {
    bool const has_room = takes_any() || list_.size() + later.list_.size() <= capacity();
    has_list_ = has_list_ && later.has_list_ && has_room;
    range_.add(later.range_);
    if (!has_list_ || !range_.is_ordinary()) return;
    list_.raise_maximum(Mapping(range_.maximum(), fixed_));
    list_.add(later.list_);
  }

  // The range of the keys of all parts so far, and whether the list holds all of their candidates.
  KeyRange<Scalar> const& range() const { return range_; }
  bool has_list() const { return has_list_; }

 private:
  using Key = key_t<Scalar>;

  static constexpr int64_t kMostAtOnce = 64;  // candidates that collect() adds at once
  static constexpr int64_t kShortestBlock = kLanes<Key>;
  static constexpr int kLinesPerStep =
      Extremes::kCount * static_cast<int>(sizeof(Scalar)) / kLineBytes;

  static int64_t short_list(int64_t k) { return std::max<int64_t>(tuning::kSmallestList, 4 * k); }

  // Whether the list takes any number of candidates, and is cut back when it is full.
  bool takes_any() const { return most_ == length_; }

  // Begins a list with a bound from a sample, if the part is long, so that not every block of an
  // ascending row holds candidates. Returns whether it did.
  bool begin_by_sample(Scalar const* logits, int64_t length) {
    if (length < tuning::kSampledPart) return false;
    auto const extremes = Extremes::of_sample(logits, length, tuning::kSampledVectors);
    range_.add(extremes.range());
    if (!range_.is_ordinary()) return false;
    Mapping const mapping(range_.maximum(), fixed_);
    list_.begin_row(mapping);
    raise_bound(mapping, extremes);
    return true;
  }

  Fixed fixed_;
  int64_t length_;
  int64_t k_;
  int64_t most_;
  Candidates<Mapping, Scalar> list_;
  Candidates<Mapping, Scalar> of_lanes_;  // the largest entry of each lane
  KeyRange<Scalar> range_;
  bool has_list_ = true;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
