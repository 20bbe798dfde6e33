#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <optional>

#include "rowwise/cpu/conversion.h"
#include "rowwise/cpu/group_candidates.h"
#include "rowwise/cpu/lane_supports.h"
#include "rowwise/cpu/row_scan.h"
#include "rowwise/cpu/row_vectors.h"
#include "rowwise/cpu/scratch.h"
#include "rowwise/cpu/short_lists.h"
#include "rowwise/cpu/short_passes.h"
#include "rowwise/cpu/sort_lanes.h"
#include "rowwise/cpu/sparse_row.h"
#include "rowwise/cpu/transpose.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/cpu/vector.h"
#include "rowwise/cpu/wide_rows.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// As many rows as a vector of floats has lanes, which follow each other without a gap, for any k.
// Each row is read along its entries, which leaves a few that may be in its support; these are then
// taken one row to a lane, and their weights put back where they came from. Rows with many
// candidates are left to WideRows or RowForward.
template <template <class> class MappingOf, class Scalar>
class GroupForward {
 public:
  using Mapping = MappingOf<float>;
  static constexpr int kRows = kLanes<float>;

  GroupForward(typename Mapping::Fixed const& fixed, int64_t length, int64_t k, bool streams)
      : length_(length),
        k_(static_cast<int32_t>(k)),
        streams_(streams),
        may_be_wide_(kMayBeWide && length <= WideRows<Scalar>::kLongest &&
                     fixed.unit() <= mappings::WideTerms::kSmallestUnit),
        has_short_terms_(fixed.unit() <= mappings::ShortTerms::kUnit),
        may_limit_(kRows / 2 < k && k <= kDelegates / 4 * 3),
        rows_(length),
        candidates_(rows_, k),
        short_lists_(fixed, k),
        short_passes_(k),
        supports_(fixed, k) {
    block_.reserve(2 * length + kLine + kCount);
    write_zeros(block_.data(), 2 * length + kLine + kCount);
  }

  // `readable` entries from the first on may be read. Returns the rows that it left, a bit for
  // each.
  uint64_t operator()(Scalar const* logits, Scalar* weights, int64_t readable) {
    if (groups_to_leave_ > 0) {
      --groups_to_leave_;
      return kAllRows;
    }
    rows_.set_readable(logits + readable);
    has_next_ = readable >= 2 * kRows * length_;
    find_bounds(logits);
    is_wide_ = prefers_wide_ && find_wide(logits);
    int64_t const longest = is_wide_ ? 0 : collect(logits);
    if (longest < 0) {
      is_wide_ = find_wide(logits);
      if (!is_wide_) {
        groups_to_leave_ = tuning::kGroupsToLeave;
        return kAllRows;
      }
    }
    if (is_wide_) {
      write(logits, weights);
      return wide_->fine_rows();
    }
    candidates_.gather(longest);
    bool const has_limit = weigh(static_cast<int>(longest)) || candidates_.has_dropped_ties();
    limits_ = may_limit_ && has_limit && (limits_ || longest > k_ + k_ / 2 + 8);
    prefers_wide_ = !has_limit && longest * tuning::kWidePart > length_;
    candidates_.scatter(longest);
    write(logits, weights);
    return 0;
  }

 private:
  using Numbers = typename RowVectors<Scalar>::Numbers;
  using Element = typename Numbers::Element;
  static constexpr bool kMayBeWide = sizeof(Scalar) == 2;
  static constexpr int kCount = kLanes<Element>;  // entries in a vector
  static constexpr int kAbreast = 4;              // vectors that need not wait in turn
  static constexpr int kDelegates = kAbreast * kRows;
  static constexpr uint64_t kAllRows = (uint64_t{1} << kRows) - 1;
  static constexpr int64_t kLine = kLineBytes / static_cast<int64_t>(sizeof(Scalar));

  // Finds the rows' maxima and, from the largest entries of the lanes of their vectors, thresholds
  // and bounds at or below which no support lies.
  void find_bounds(Scalar const* logits) {
    auto of_group = broadcast<Element>(Numbers::kLowest);
    typename Numbers::Seen seen[kSeen];
    Floats largest[kRows];
    for (int row = 0; row < kRows; ++row) {
      auto const of_row = scan(row, logits + row * length_, seen);
      of_group = larger(of_group, of_row);
      largest[row] = Numbers::largest_floats(of_row);
    }
    for (int i = 1; i < kSeen; ++i) seen[0].add(seen[i]);
    transpose_square<float>(largest);
    maxima_ = largest[0];
    for (int i = 1; i < kRows; ++i) maxima_ = larger(maxima_, largest[i]);
    // What was seen is that of all rows, so it does not tell of a row that holds -inf alone.
    has_nan_ = false;
    if (any_lane(seen[0].suspects(of_group)) || any_lane(maxima_ == -INFINITY)) check_rows(logits);
    thresholds_ =
        raise_thresholds(largest, kRows, maxima_, Floats{} - 1.0F, tuning::kPassesForBound);
    bounds_ = maxima_ + thresholds_;
    if (k_ <= kRows) {
      sort_lanes(largest);
      bounds_ = larger(largest[k_ - 1], bounds_);  // in this order a bound of NaN stays
    }
  }

  // Whether the supports were found without lists of candidates.
  bool find_wide(Scalar const* logits) {
    if constexpr (kMayBeWide) {
      if (!may_be_wide_) return false;
      if (groups_to_leave_wide_ > 0) {
        --groups_to_leave_wide_;
        return false;
      }
      if (!wide_) wide_.emplace(rows_, k_);
      bool const is_found = wide_->find(logits, maxima_, thresholds_);
      prefers_wide_ = is_found && wide_->most() * 2 * tuning::kWidePart > length_;
      if (!is_found) groups_to_leave_wide_ = tuning::kGroupsToLeaveWide;
      return is_found;
    }
    return false;
  }

  // What has been seen of all rows: sums of floats, which take longer, in turns.
  static constexpr int kSeen = kCount == kRows ? kAbreast : 1;

  // The largest entries of the lanes of a row's vectors.
  [[gnu::always_inline]] Vector<Element> scan(int row, Scalar const* entries,
                                              typename Numbers::Seen (&seen)[kSeen]) {
    Vector<Element> largest[kAbreast];
    std::fill_n(largest, kAbreast, broadcast<Element>(Numbers::kLowest));
    typename Numbers::Seen of_row[kSeen];
    std::copy_n(seen, kSeen, of_row);
    auto const add = [&](int i, Vector<Element> numbers) {
      largest[i] = larger(largest[i], numbers);
      of_row[i % kSeen].add(numbers);
    };
    int64_t const count = rows_.whole() / kCount;
    int64_t vector = 0;
    for (; vector + kAbreast <= count; vector += kAbreast) {
#pragma GCC unroll 4
      for (int i = 0; i < kAbreast; ++i) add(i, Numbers::of(entries + (vector + i) * kCount));
    }
    if (vector < count) add(0, Numbers::of(entries + vector * kCount));
    if (vector + 1 < count) add(1, Numbers::of(entries + (vector + 1) * kCount));
    if (vector + 2 < count) add(2, Numbers::of(entries + (vector + 2) * kCount));
    if (rows_.has_rest()) add(3, rows_.load_rest(entries));
    std::copy_n(of_row, kSeen, seen);
    if (may_limit_) std::copy_n(largest, kAbreast, delegates_[row]);
    return larger(larger(largest[0], largest[1]), larger(largest[2], largest[3]));
  }

  // Gives the rows that are not ordinary a maximum of NaN, so that no comparison holds in them.
  [[gnu::noinline]] void check_rows(Scalar const* logits) {
    for (int row = 0; row < kRows; ++row) {
      auto const range = range_of(logits + row * length_, length_);
      maxima_[row] = range.is_ordinary() ? range.maximum() : NAN;
      has_nan_ = has_nan_ || !range.is_ordinary();
    }
  }

  // Returns how many candidates a row has at most, or -1 if one has too many.
  int64_t collect(Scalar const* logits) {
    if (limits_) limit_bounds();
    int64_t const longest = candidates_.collect(logits, bounds_);
    if (longest >= 0 || limits_ || !may_limit_) return longest;
    limit_bounds();
    return candidates_.collect(logits, bounds_);
  }

  // Replaces candidates by the bits of their weights. Returns whether k limits a row.
  bool weigh(int longest) {
    Floats* const columns = candidates_.columns();
    if (longest <= ShortLists<Mapping, Scalar>::kLongest) {
      return short_lists_.weigh(columns, longest);
    }
    if constexpr (sizeof(Scalar) == 2) {
      bool const may_be_short = has_short_terms_ && longest <= short_passes_.kLongest;
      if (may_be_short && short_passes_.find(columns, longest, maxima_, thresholds_)) {
        short_passes_.weigh(columns, longest);
        return short_passes_.has_capped();
      }
    }
    supports_.find(columns, longest, maxima_, thresholds_);
    supports_.template weigh<Scalar>(columns, longest);
    return supports_.has_capped();
  }

  // Raises the bounds to the k-th largest of a row's delegates, or near it: the largest entries of
  // the lanes of so many vectors.
  [[gnu::noinline]] void limit_bounds() {
    Floats columns[kDelegates];
    for (int i = 0; i < kAbreast; ++i) {
      Floats square[kRows];
      for (int row = 0; row < kRows; ++row) square[row] = delegates_of(row, i);
      transpose_square<float>(square);
      std::copy_n(square, kRows, columns + i * kRows);
    }
    Keys const is_open = count_at_least(columns, kDelegates, bounds_) >= k_;
    LaneLimits limits(columns, kDelegates, k_, is_open, bounds_, maxima_);
    limits.halve(tuning::kHalvingsForBound);
    bounds_ = larger(limits.low(), bounds_);
  }

  Floats delegates_of(int row, int i) const {
    if constexpr (kCount == kRows) {
      return Numbers::largest_floats(delegates_[row][i]);
    } else {
      auto const both = larger(delegates_[row][i / 2], delegates_[row][i / 2 + 2]);
      alignas(kVectorBytes) float floats[kCount];
      Numbers::widen_to(floats, both);
      return load<float>(floats + i % 2 * kRows);
    }
  }

  RowAhead<Scalar> ahead(Scalar const* logits, int row) const {
    return {logits + (has_next_ ? (kRows + row) * length_ : 0), has_next_};
  }

  // Asks for the rows of the next group meanwhile.
  void write(Scalar const* logits, Scalar* weights) {
    if (streams_ && !(is_whole_lines(weights, length_) && !has_nan_)) {
      return write_lines(logits, weights);
    }
    if (streams_) return stream_rows(logits, weights);
    for (int row = 0; row < kRows; ++row) {
      Scalar* const to = weights + row * length_;
      if (row < kRows - 1 || !rows_.has_rest()) {
        write_row(row, to, ahead(logits, row));
      } else {
        write_row(row, block_.data(), ahead(logits, row));
        std::copy_n(block_.data(), length_, to);
        write_zeros(block_.data(), length_ + kCount);
      }
    }
    if (has_nan_) fill_with_nan(weights);
  }

  // The vectors of a row, of which the last extends beyond it.
  void write_row(int row, Scalar* weights, RowAhead<Scalar> ahead) const {
    if constexpr (kMayBeWide) {
      if (is_wide_) return wide_->template write<false>(row, weights, ahead);
    }
    if (candidates_.is_crowded(row)) {
      return candidates_.template expand_all<false>(row, weights, ahead);
    }
    four_by_four(rows_.count(), [&](int64_t i) {
      ahead.prefetch(i);
      store(weights + i * kCount, Vector<Element>{});
    });
    candidates_.expand_marked(row, weights);
  }

  // Around the caches, for rows of whole lines. Each is put among zeros while the one before is
  // written from there: what was just stored can be loaded in the same pieces only.
  void stream_rows(Scalar const* logits, Scalar* weights) {
    if constexpr (kMayBeWide) {
      for (int row = 0; is_wide_ && row < kRows; ++row) {
        wide_->template write<true>(row, weights + row * length_, ahead(logits, row));
      }
      if (is_wide_) return;
    }
    Scalar* const blocks[2] = {block_.data(), block_.data() + length_};
    for (int row = 0; row <= kRows; ++row) {
      if (row < kRows && !candidates_.is_crowded(row)) {
        candidates_.expand_marked(row, blocks[row % 2]);
      }
      if (row > 0)
        stream_row(row - 1, weights + (row - 1) * length_, blocks[(row - 1) % 2],
                   ahead(logits, row - 1));
    }
  }

  void stream_row(int row, Scalar* weights, Scalar* block, RowAhead<Scalar> ahead) {
    if (candidates_.is_crowded(row)) {
      return candidates_.template expand_all<true>(row, weights, ahead);
    }
    four_by_four(rows_.count(), [&](int64_t i) {
      ahead.prefetch(i);
      stream(weights + i * kCount, load<int32_t>(block + i * kCount));
    });
    candidates_.clear_marked(row, block);
  }

  // Around the caches, where rows do not begin with lines.
  void write_lines(Scalar const* logits, Scalar* weights) {
    StreamedLines<Scalar> lines(weights, block_.data());
    for (int row = 0; row < kRows; ++row) {
      if (is_nan(row)) {
        std::fill_n(lines.next(), length_, narrow<Scalar>(NAN));
      } else {
        write_row(row, lines.next(), ahead(logits, row));
      }
      lines.write(length_);
    }
    lines.write_rest();
    write_zeros(block_.data(), length_ + kLine + kCount);
  }

  void fill_with_nan(Scalar* weights) const {
    for (int row = 0; row < kRows; ++row) {
      if (is_nan(row)) std::fill_n(weights + row * length_, length_, narrow<Scalar>(NAN));
    }
  }

  bool is_nan(int row) const { return maxima_[row] != maxima_[row]; }

  int64_t length_;
  int32_t k_;
  bool streams_;
  bool may_be_wide_;
  bool has_short_terms_;
  bool may_limit_;             // whether enough delegates bound the k-th largest entry
  bool is_wide_ = false;       // whether wide_ has found the supports
  bool prefers_wide_ = false;  // for what the group before was
  int groups_to_leave_wide_ = 0;
  bool has_nan_ = false;
  bool has_next_ = false;  // another group after this one
  bool limits_ = false;    // since k was less than the candidates of rows before
  int groups_to_leave_ = 0;
  RowVectors<Scalar> rows_;
  GroupCandidates<Scalar> candidates_;
  ShortLists<Mapping, Scalar> short_lists_;
  ShortPasses<Mapping, Scalar> short_passes_;
  LaneSupports<Mapping> supports_;
  std::optional<WideRows<Scalar>> wide_;  // whose memory most rows do without
  Floats maxima_;
  Floats thresholds_;
  Floats bounds_;
  Vector<Element> delegates_[kRows][kAbreast];
  Scratch<Scalar> block_;  // a row, which is zero between writes
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
