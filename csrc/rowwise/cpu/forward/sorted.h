#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "rowwise/cpu/lanes/sorted_weights.h"
#include "rowwise/cpu/rows/lane_numbers.h"
#include "rowwise/cpu/rows/scan.h"
#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/cpu/rows/short_rows.h"
#include "rowwise/cpu/rows/taken_rows.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/cpu/vectors/sort_lanes.h"
#include "rowwise/cpu/vectors/vector.h"
#include "rowwise/float16.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Maps as many rows of 5 to kLongest entries as a vector has lanes of their type, for any k. The
// rows follow each other without a gap. Each row lies in a lane, and a copy of it is sorted,
// without branches that depend on the numbers. Where the walk down the sorted entries ends does,
// and so do the ways for ties, for NaN, and for half types whose sums ShortTerms cannot hold.
template <template <class> class MappingOf, class Scalar>
class SortedForward {
 public:
  using Fixed = typename MappingOf<float>::Fixed;
  static constexpr int kRows = ShortRows<Scalar>::kRows;
  static constexpr int64_t kLongest =
      sizeof(Scalar) == 2 ? tuning::kLongestSortedRowOfShorts : tuning::kLongestSortedRow;

  SortedForward(Fixed const& fixed, int64_t length, int64_t k, bool streams)
      : length_(static_cast<int>(length)),
        k_(static_cast<int>(k)),
        rows_(length, streams),
        weights_(fixed, length_, k_) {
    if (length > kMostOnStack) {
      columns_.reserve(2 * std::bit_ceil(static_cast<uint64_t>(length)));
    }
  }

  static int64_t most_rows() { return kRows; }

  // Returns the rows that it did not write, as a bit mask: none.
  uint64_t operator()(TakenRows<Scalar> const& taken, Scalar* weights) {
    forward_at_most<8, 16, 24, 32, 48, 64>(taken, weights);
    return 0;
  }

 private:
  using Numbers = ShortNumbers<Scalar>;
  using Entries = Vector<typename Numbers::Element>;
  using Bits = typename ShortRows<Scalar>::Bits;

  // Takes the least of these counts that is not below the length.
  template <int Count, int... Others>
  void forward_at_most(TakenRows<Scalar> const& taken, Scalar* weights) {
    if constexpr (Count < kLongest && sizeof...(Others) > 0) {
      if (length_ > Count) return forward_at_most<Others...>(taken, weights);
    }
    forward<Count>(taken, weights);
  }

  // Takes rows of up to `Count` entries. What registers cannot hold is in scratch, since stacks may
  // be small.
  template <int Count>
  void forward(TakenRows<Scalar> const& taken, Scalar* weights) {
    constexpr int kColumns = std::bit_ceil(static_cast<unsigned>(Count));
    if constexpr (Count <= kMostOnStack) {
      Bits columns[kColumns];
      Entries sorted[Count];
      forward(columns, sorted, taken, weights);
    } else {
      forward(reinterpret_cast<Bits(&)[kColumns]>(*columns_.data()),
              reinterpret_cast<Entries(&)[Count]>(*(columns_.data() + kColumns)), taken, weights);
    }
  }

  // Fills the rows up to `Count` entries with the lowest number.
  template <int Columns, int Count>
  [[gnu::always_inline]] void forward(Bits (&columns)[Columns], Entries (&sorted)[Count],
                                      TakenRows<Scalar> const& taken, Scalar* weights) {
    rows_.load(taken.logits, taken.readable, columns);
    for (int i = length_; i < Count; ++i) columns[i] = Numbers::bits(lowest());
    typename Numbers::Seen seen;
#pragma GCC unroll 32
    for (int i = 0; i < Count; ++i) {
      sorted[i] = Numbers::of_bits(columns[i]);
      seen.add(sorted[i]);
    }
    sort_lanes(sorted);
    uint64_t const suspects = lanes_where(seen.suspects(sorted[0]));
    if (k_ < length_) keep_largest(sorted, columns);
    weights_.weigh(sorted, columns);
    taken.prefetch_masks(0, kRows);
    rows_.store(columns, weights, taken.logits + taken.next);
    for_each_lane(suspects, [&](int row) {
      if (range_of(taken.logits + row * length_, length_).is_ordinary()) return;
      std::fill_n(weights + row * length_, length_, narrow<Scalar>(NAN));
    });
  }

  // Leaves the k largest entries of each row. Where more entries equal the last of them than there
  // is room for, the first ones stay.
  [[gnu::noinline]] void keep_largest(Entries* sorted, Bits* columns) const {
    Entries const last = sorted[k_ - 1];
    auto const has_ties = (last == sorted[k_]) & (last > Numbers::kLowest);
    if (lanes_where(has_ties) != 0) {
      auto room = has_ties & 0;
      for (int i = 0; i < k_; ++i) room -= sorted[i] == last;
      for (int i = 0; i < length_; ++i) {
        auto const is_tie = has_ties & (Numbers::of_bits(columns[i]) == last);
        room += is_tie;
        columns[i] = (is_tie & (room < 0)) ? Numbers::bits(lowest()) : columns[i];
      }
    }
    std::fill(sorted + k_, sorted + length_, lowest());
  }

  static Entries lowest() { return broadcast(Numbers::kLowest); }

  template <class Comparison>
  static uint64_t lanes_where(Comparison comparison) {
    using Lane = key_t<Scalar>;
    return lanes_at_least<Lane>(broadcast<Lane>(-1), comparison);
  }

  static constexpr int kMostOnStack = 16;

  int length_;
  int k_;
  Scratch<Bits> columns_;  // followed by the sorted ones
  ShortRows<Scalar> rows_;
  SortedWeights<MappingOf<float>, Scalar> weights_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
