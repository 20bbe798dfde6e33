#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "rowwise/cpu/conversion.h"
#include "rowwise/cpu/group_candidates.h"
#include "rowwise/cpu/lane_supports.h"
#include "rowwise/cpu/row_scan.h"
#include "rowwise/cpu/row_vectors.h"
#include "rowwise/cpu/scratch.h"
#include "rowwise/cpu/sort_lanes.h"
#include "rowwise/cpu/sparse_row.h"
#include "rowwise/cpu/transpose.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/cpu/vector.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// As many rows as a vector of floats has lanes, which follow each other without a gap, for any k.
// Each row is read along its entries, which leaves a few that may be in its support; these are then
// taken one row to a lane, and their weights put back where they came from. Rows with many
// candidates are left to RowForward.
template <template <class> class MappingOf, class Scalar>
class GroupForward {
 public:
  using Mapping = MappingOf<float>;
  static constexpr int kRows = kLanes<float>;

  GroupForward(typename Mapping::Fixed const& fixed, int64_t length, int64_t k, bool streams)
      : length_(length), k_(k), rows_(length), candidates_(rows_), supports_(fixed, k) {
    if (streams) reserve_lines();
  }

  // `readable` entries from the first on may be read. Returns whether the rows were written.
  bool operator()(Scalar const* logits, Scalar* weights, int64_t readable) {
    if (groups_to_leave_ > 0) {
      --groups_to_leave_;
      return false;
    }
    rows_.set_readable(logits + readable);
    find_bounds(logits);
    int64_t const longest = collect(logits);
    if (longest < 0) {
      groups_to_leave_ = tuning::kGroupsToLeave;
      return false;
    }
    candidates_.gather(longest);
    supports_.find(candidates_.columns(), longest, maxima_, thresholds_);
    supports_.template weigh<Scalar>(candidates_.columns(), longest);
    candidates_.scatter(longest);
    write(weights);
    return true;
  }

 private:
  using Numbers = typename RowVectors<Scalar>::Numbers;
  using Element = typename Numbers::Element;
  static constexpr int kCount = kLanes<Element>;  // entries in a vector
  static constexpr int kAbreast = 4;              // vectors that need not wait in turn

  // Finds the rows' maxima and, from the largest entries of the lanes of their vectors, thresholds
  // and bounds at or below which no support lies.
  void find_bounds(Scalar const* logits) {
    Floats largest[kRows];
    auto of_group = broadcast<Element>(Numbers::kLowest);
    typename Numbers::Seen seen[kAbreast];
    for (int row = 0; row < kRows; ++row) {
      auto const of_row = scan(logits + row * length_, seen);
      of_group = larger(of_group, of_row);
      largest[row] = Numbers::largest_floats(of_row);
    }
    for (int i = 1; i < kAbreast; ++i) seen[0].add(seen[i]);
    transpose_square<float>(largest);
    maxima_ = largest[0];
    for (int i = 1; i < kRows; ++i) maxima_ = larger(maxima_, largest[i]);
    // What was seen is that of all rows, so it does not tell of a row that holds -inf alone.
    if (any_lane(seen[0].suspects(of_group)) || any_lane(maxima_ == -INFINITY)) check_rows(logits);
    thresholds_ =
        raise_thresholds(largest, kRows, maxima_, Floats{} - 1.0F, tuning::kPassesForBound);
    bounds_ = maxima_ + thresholds_;
    if (k_ <= kRows) {
      sort_lanes(largest);
      bounds_ = larger(largest[k_ - 1], bounds_);  // in this order a bound of NaN stays
    }
  }

  // The largest entries of the lanes of a row's vectors.
  Vector<Element> scan(Scalar const* row, typename Numbers::Seen (&seen)[kAbreast]) {
    Vector<Element> largest[kAbreast];
    std::fill_n(largest, kAbreast, broadcast<Element>(Numbers::kLowest));
    auto const add = [&](int i, Vector<Element> entries) {
      largest[i] = larger(largest[i], entries);
      seen[i].add(entries);
    };
    int64_t column = 0;
    constexpr int64_t kStep = int64_t{kAbreast} * kCount;
    for (; column + kStep <= rows_.whole(); column += kStep) {
#pragma GCC unroll 4
      for (int i = 0; i < kAbreast; ++i) add(i, Numbers::of(row + column + i * kCount));
    }
    for (; column < rows_.whole(); column += kCount) add(0, Numbers::of(row + column));
    if (rows_.has_rest()) add(1, rows_.load_rest(row));
    return larger(larger(largest[0], largest[1]), larger(largest[2], largest[3]));
  }

  // Gives the rows that are not ordinary a maximum of NaN, so that no comparison holds in them.
  void check_rows(Scalar const* logits) {
    for (int row = 0; row < kRows; ++row) {
      auto const range = range_of(logits + row * length_, length_);
      maxima_[row] = range.is_ordinary() ? range.maximum() : NAN;
    }
  }

  // Returns how many candidates a row has at most, or -1 if one has too many.
  int64_t collect(Scalar const* logits) {
    int64_t longest = 0;
    for (int row = 0; row < kRows; ++row) {
      int64_t const count = candidates_.collect(row, logits + row * length_, bounds_[row]);
      if (count < 0) return -1;
      longest = std::max(longest, count);
    }
    return longest;
  }

  // So many rows as make up whole lines, to be written at once. They are zero between writes.
  void reserve_lines() {
    auto const bytes = length_ * static_cast<int64_t>(sizeof(Scalar));
    rows_of_lines_ = static_cast<int>(kLineBytes / std::gcd(kLineBytes, bytes));
    lines_.reserve(rows_of_lines_ * length_);
    write_zeros(lines_.data(), rows_of_lines_ * length_);
  }

  void write(Scalar* weights) {
    bool const streams = 0 < rows_of_lines_ && rows_of_lines_ <= kRows &&
                         is_whole_lines(weights, rows_of_lines_ * length_);
    for (int row = 0; row < kRows; ++row) {
      Scalar* const to = weights + row * length_;
      if (candidates_.is_compressed()) {
        expand(row, to, streams);
      } else if (!streams) {
        write_zeros(to, length_);
        put(row, to);
      } else if (row % rows_of_lines_ == 0) {
        write_lines(row, to);
      }
    }
  }

  void expand(int row, Scalar* weights, bool streams) const {
    if (is_nan(row)) return fill_with_nan(weights);
    streams ? candidates_.template expand_row<true>(row, weights)
            : candidates_.template expand_row<false>(row, weights);
  }

  void write_lines(int first, Scalar* weights) {
    Scalar* const lines = lines_.data();
    for (int i = 0; i < rows_of_lines_; ++i) put(first + i, lines + i * length_);
    stream_lines(weights, lines, rows_of_lines_ * length_);
    for (int i = 0; i < rows_of_lines_; ++i) clear(first + i, lines + i * length_);
  }

  void put(int row, Scalar* zeros) const {
    is_nan(row) ? fill_with_nan(zeros) : candidates_.put_row(row, zeros);
  }

  void clear(int row, Scalar* weights) const {
    is_nan(row) ? write_zeros(weights, length_) : candidates_.clear_row(row, weights);
  }

  bool is_nan(int row) const { return maxima_[row] != maxima_[row]; }

  void fill_with_nan(Scalar* weights) const { std::fill_n(weights, length_, narrow<Scalar>(NAN)); }

  int64_t length_;
  int64_t k_;
  int rows_of_lines_ = 0;
  int groups_to_leave_ = 0;
  RowVectors<Scalar> rows_;
  GroupCandidates<Scalar> candidates_;
  LaneSupports<Mapping> supports_;
  Floats maxima_;
  Floats thresholds_;
  Floats bounds_;
  Scratch<Scalar> lines_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
