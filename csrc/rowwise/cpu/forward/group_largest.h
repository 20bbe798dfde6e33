#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "rowwise/cpu/forward/group_chunks.h"
#include "rowwise/cpu/rows/row_vectors.h"
#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/cpu/rows/taken_rows.h"
#include "rowwise/cpu/vectors/ranked_lanes.h"
#include "rowwise/cpu/vectors/transpose.h"
#include "rowwise/cpu/vectors/vector.h"
#include "rowwise/ordered_key.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Finds the k largest entries of each row of a group, and where they are.
template <class Scalar>
class GroupLargest {
 public:
  static constexpr int kRows = kLanes<float>;
  static constexpr int kMostLargest = 32;

  GroupLargest(int64_t length, int64_t k)
      : length_(length), k_(static_cast<int>(k)), chunks_(length, k) {
    lists_.reserve(kRows * kListStep);
    columns_.reserve(kRows * kListStep);
    ranked_.reserve(kMostListed);
    largest_.reserve(kMostListed);
  }

  void scan(TakenRows<Scalar> const& taken) { chunks_.scan(taken.logits, taken.readable); }

  Floats maxima() const { return chunks_.maxima(); }
  uint64_t nan_rows() const { return chunks_.nan_rows(); }

  // Finds those of the k largest entries that reach `lowest` and are finite. Returns the rows for
  // which it does not, as a bit mask: those that are not ordinary, or have too many candidates.
  [[gnu::noinline]] uint64_t find(TakenRows<Scalar> const& taken, Floats lowest) {
    Floats const finite = Floats{} + widen(least_finite<Scalar>());
    Floats const bounds = larger(larger(chunks_.limit(k_), lowest), finite);
    uint64_t left_out = 0;
    int longest = 1;
    for (int row = 0; row < kRows; ++row) {
      bool const is_nan = (nan_rows() >> row & 1U) != 0;
      int count =
          is_nan ? -1
                 : chunks_.list(row, taken.logits + row * length_, bounds[row], taken.ahead(row),
                                kMostListed, list_of(row), columns_.data() + row * kListStep);
      if (count < 0) {
        left_out |= uint64_t{1} << row;
        list_of(row)[0] = 0;
        count = 1;
      }
      for (int i = count; i < kMostListed; i += kRows) store(list_of(row) + i, none());
      longest = std::max(longest, count);
    }
    sort(longest);
    return left_out;
  }

  // How many of the largest entries are found in the row where these are most.
  int count() const { return count_; }

  // The i-th largest entries of the rows, or -inf, which follows them three times at least.
  Floats const* entries() const { return largest_.data(); }

  int32_t column(int row, int i) const {
    return columns_.data()[row * kListStep + ranked_.data()[i].places[row]];
  }

 private:
  static constexpr int kMostListed = 64;
  static constexpr int kListStep = kMostListed + kRows;

  static Floats none() { return Floats{} - INFINITY; }
  float* list_of(int row) { return lists_.data() + row * kListStep; }

  // Sorts the lists, and leaves the k largest entries of each.
  void sort(int longest) {
    RankedLanes* const ranked = ranked_.data();
    int const count =
        static_cast<int>(std::bit_ceil(static_cast<unsigned>(std::max(longest, kSortedRun))));
    for (int first = 0; first < count; first += kRows) {
      Floats square[kRows];
      for (int row = 0; row < kRows; ++row) square[row] = load<float>(list_of(row) + first);
      transpose_square<float>(square);
      for (int i = 0; i < kRows; ++i)
        ranked[first + i] = {square[i], Vector<int32_t>{} + (first + i)};
    }
    sort_many_lanes(ranked, count);
    count_ = std::min(k_, longest);
    for (int i = 0; i < count_; ++i) largest_.data()[i] = ranked[i].entries;
    std::fill_n(largest_.data() + count_, 3, none());
  }

  int64_t length_;
  int k_;
  int count_ = 0;
  GroupChunks<Scalar> chunks_;
  Scratch<float> lists_;         // of each row
  Scratch<int32_t> columns_;     // of the listed entries
  Scratch<RankedLanes> ranked_;  // the lists, one to a lane
  Scratch<Floats> largest_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
