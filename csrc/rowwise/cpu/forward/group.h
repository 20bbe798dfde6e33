#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "rowwise/cpu/forward/group_bounds.h"
#include "rowwise/cpu/forward/group_candidates.h"
#include "rowwise/cpu/forward/wide_rows.h"
#include "rowwise/cpu/lanes/list_weights.h"
#include "rowwise/cpu/lanes/lists_by_search.h"
#include "rowwise/cpu/rows/row_vectors.h"
#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/cpu/rows/streamed_lines.h"
#include "rowwise/cpu/rows/taken_rows.h"
#include "rowwise/cpu/rows/write_sparse.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/cpu/vectors/vector.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Maps a group of rows, as many as a vector of floats has lanes, for any k. The rows follow each
// other without a gap. A pass along each row leaves a list of the few entries that may be in its
// support; the lists are then taken one to a lane, and their weights are put back where the entries
// came from. Rows with many candidates are left to WideRows or RowForward.
template <template <class> class MappingOf, class Scalar>
class GroupForward {
 public:
  using Mapping = MappingOf<float>;
  static constexpr int kRows = kLanes<float>;

  GroupForward(typename Mapping::Fixed const& fixed, int64_t length, int64_t k, bool streams)
      : length_(length),
        k_(static_cast<int32_t>(k)),
        streams_(streams),
        may_be_wide_(may_be_wide(fixed, length, k)),
        rows_(length),
        bounds_(rows_, fixed, k),
        candidates_(rows_, k),
        weights_(fixed, k) {
    limits_ = !Mapping::kHasReach && bounds_.may_limit();
    block_.reserve(2 * length + kLine + kCount);
    write_zeros(block_.data(), 2 * length + kLine + kCount);
  }

  static int64_t most_rows() { return kRows; }

  // Returns the rows that it did not write, as a bit mask.
  uint64_t operator()(TakenRows<Scalar> const& taken, Scalar* weights) {
    Scalar const* const logits = taken.logits;
    if (groups_to_leave_ > 0) {
      --groups_to_leave_;
      return kAllRows;
    }
    rows_.set_readable(logits + taken.readable);
    bounds_.find(logits);
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
      write(taken, weights);
      return fine_rows();
    }
    candidates_.gather(longest);
    bool const has_limit = weights_.weigh(candidates_.columns(), static_cast<int>(longest),
                                          bounds_.maxima(), bounds_.thresholds()) ||
                           candidates_.has_dropped_ties();
    bool const is_long = longest > k_ + k_ / 2 + tuning::kBeyondLimit;
    limits_ = bounds_.may_limit() && has_limit && (limits_ || is_long);
    prefers_wide_ = longest * tuning::kWidePart > length_;
    candidates_.scatter(longest);
    write(taken, weights);
    return 0;
  }

 private:
  using Numbers = typename RowVectors<Scalar>::Numbers;
  using Element = typename Numbers::Element;
  static constexpr bool kMayBeWide = sizeof(Scalar) == 2 && !kHasSearch<Mapping>;
  struct NoRows {};
  using Wide = std::conditional_t<kMayBeWide, WideRows<Mapping, Scalar>, NoRows>;
  using Weights = std::conditional_t<kHasSearch<Mapping>, SearchedLists<Mapping, Scalar>,
                                     ListWeights<Mapping, Scalar>>;
  static constexpr int kCount = kLanes<Element>;  // entries in a vector
  static constexpr uint64_t kAllRows = (uint64_t{1} << kRows) - 1;
  static constexpr int64_t kLine = kLineBytes / static_cast<int64_t>(sizeof(Scalar));

  static bool may_be_wide(typename Mapping::Fixed const& fixed, int64_t length, int64_t k) {
    if constexpr (kMayBeWide) {
      return length <= std::min(tuning::kLongestWideRow, k * tuning::kWideRowPerLimit) &&
             fixed.unit() <= Mapping::WideTerms::kSmallestUnit;
    }
    return false;
  }

  // Finds the supports by WideRows, without lists, if these rows allow it. Returns whether they do.
  bool find_wide(Scalar const* logits) {
    if constexpr (kMayBeWide) {
      if (!may_be_wide_) return false;
      if (!wide_) wide_.emplace(rows_, k_);
      wide_->find(logits, bounds_.maxima(), bounds_.thresholds());
      prefers_wide_ = wide_->most() * 2 * tuning::kWidePart > length_;
      return true;
    }
    return false;
  }

  // The rows that WideRows leaves out, as a bit mask.
  uint64_t fine_rows() const {
    if constexpr (kMayBeWide) return wide_->fine_rows();
    return 0;
  }

  // Lists the candidates. Returns the length of the longest list, or -1 if one is too long.
  int64_t collect(Scalar const* logits) {
    if (limits_) bounds_.limit();
    int64_t const longest = candidates_.collect(logits, bounds_.bounds());
    if (longest >= 0 || limits_ || !bounds_.may_limit()) return longest;
    bounds_.limit();
    return candidates_.collect(logits, bounds_.bounds());
  }

  // Writes the rows, and prefetches those of the next group.
  [[gnu::noinline]] void write(TakenRows<Scalar> const& taken, Scalar* weights) {
    if (streams_ && !(is_whole_lines(weights, length_) && !bounds_.has_nan())) {
      return write_lines(taken, weights);
    }
    if (streams_) return stream_rows(taken, weights);
    // From this row on, a vector that extends beyond the row may extend beyond the group.
    int const last = rows_.whole() > 0 ? kRows - 1 : 0;
    for (int row = 0; row < kRows; ++row) {
      Scalar* const to = weights + row * length_;
      if (row < last || !rows_.has_rest()) {
        write_row(row, to, taken.ahead(row));
      } else {
        write_row(row, block_.data(), taken.ahead(row));
        std::copy_n(block_.data(), length_, to);
        write_zeros(block_.data(), length_ + kCount);
      }
    }
    if (bounds_.has_nan()) fill_with_nan(weights);
  }

  // Writes a row in whole vectors, the last of which extends beyond it.
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

  // Writes rows of whole lines with non-temporal stores. Each row is put among zeros in one block
  // while the row before is written from the other: numbers that have just been stored are loaded
  // fast only in the pieces in which they were stored.
  void stream_rows(TakenRows<Scalar> const& taken, Scalar* weights) {
    if constexpr (kMayBeWide) {
      for (int row = 0; is_wide_ && row < kRows; ++row) {
        wide_->template write<true>(row, weights + row * length_, taken.ahead(row));
      }
      if (is_wide_) return;
    }
    Scalar* const blocks[2] = {block_.data(), block_.data() + length_};
    for (int row = 0; row <= kRows; ++row) {
      if (row < kRows && !candidates_.is_crowded(row)) {
        candidates_.expand_marked(row, blocks[row % 2]);
      }
      if (row == 0) continue;
      int const before = row - 1;
      stream_row(before, weights + before * length_, blocks[before % 2], taken.ahead(before));
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

  // Writes with non-temporal stores where rows do not begin with lines, or some are NaN.
  void write_lines(TakenRows<Scalar> const& taken, Scalar* weights) {
    StreamedLines<Scalar> lines(weights, block_.data());
    for (int row = 0; row < kRows; ++row) {
      if (bounds_.is_nan(row)) {
        std::fill_n(lines.next(), length_, narrow<Scalar>(NAN));
      } else {
        write_row(row, lines.next(), taken.ahead(row));
      }
      lines.write(length_);
    }
    lines.write_rest();
    write_zeros(block_.data(), length_ + kLine + kCount);
  }

  void fill_with_nan(Scalar* weights) const {
    for (int row = 0; row < kRows; ++row) {
      if (bounds_.is_nan(row)) std::fill_n(weights + row * length_, length_, narrow<Scalar>(NAN));
    }
  }

  int64_t length_;
  int32_t k_;
  bool streams_;
  bool may_be_wide_;
  bool is_wide_ = false;       // whether wide_ has found the supports
  bool prefers_wide_ = false;  // since the group before had many candidates
  bool limits_;                // whether k is to raise the bounds, as it limited the group before
  int groups_to_leave_ = 0;
  RowVectors<Scalar> rows_;
  GroupBounds<Mapping, Scalar> bounds_;
  GroupCandidates<Scalar> candidates_;
  Weights weights_;
  std::optional<Wide> wide_;  // made only for groups that need it
  Scratch<Scalar> block_;     // rows to be written, and zero between writes
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
