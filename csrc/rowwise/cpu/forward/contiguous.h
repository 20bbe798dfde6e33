#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

#include "rowwise/cpu/forward/group.h"
#include "rowwise/cpu/forward/lanes.h"
#include "rowwise/cpu/forward/row.h"
#include "rowwise/cpu/forward/sorted.h"
#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/cpu/rows/taken_rows.h"
#include "rowwise/cpu/rows/write_sparse.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/float16.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Maps rows, each contiguous, in the way that suits their length and k.
template <template <class> class MappingOf, class Scalar>
class ContiguousForward {
 public:
  using Fixed = typename MappingOf<widened_t<Scalar>>::Fixed;

  ContiguousForward(Fixed const& fixed, int64_t length, int64_t k, bool streams)
      : fixed_(fixed), length_(length), k_(std::min(k, length)), streams_(streams) {}

  // Takes all rows that `rows` has left. The weights of row 0 begin at `weights`, and those of the
  // others follow without a gap.
  template <class Rows>
  void operator()(Rows& rows, Scalar* weights) {
    take_together(rows, weights);
    while (rows.left() > 0) {
      take(rows, 1, weights,
           [&](auto const& taken, Scalar* to) { one(taken.logits, to, taken.lone_ahead()); });
    }
    if (streams_) stream_fence();
  }

 private:
  // Takes some rows by map(taken, weights).
  template <class Rows, class Map>
  void take(Rows& rows, int64_t count, Scalar* weights, Map const& map) {
    TakenRows<Scalar> const taken = rows.take(count);
    Scalar* const to = weights + taken.first * length_;
    map(taken, to);
    rows.finish([&](int64_t row) { to[row * length_] = narrow<Scalar>(0); });
  }

  template <class Rows>
  void take_together(Rows& rows, Scalar* weights) {
    if constexpr (kHasSearch<MappingOf<widened_t<Scalar>>>) {
      take_groups(rows, weights);
    } else if (is_for_lanes()) {
      take_in_lanes(rows, weights, std::make_integer_sequence<int, kMostLargest>());
    } else if constexpr (std::is_same_v<widened_t<Scalar>, float>) {
      using Sorted = SortedForward<MappingOf, Scalar>;
      if (length_ > Sorted::kLongest) return take_groups(rows, weights);
      if (rows.left() >= Sorted::kRows) {
        InScratch<Sorted> sorted(fixed_, length_, k_, streams_);
        together(*sorted, rows, weights);
      }
      with_padding<Sorted>(rows, weights, length_, k_);
    }
  }

  // For too few rows no kernel is made, which saves its memory.
  template <class Rows>
  void take_groups(Rows& rows, Scalar* weights) {
    if constexpr (std::is_same_v<widened_t<Scalar>, float>) {
      using Group = GroupForward<MappingOf, Scalar>;
      if (length_ * static_cast<int64_t>(sizeof(Scalar)) > tuning::kLargestRowOfGroup) return;
      if (rows.left() < Group::kRows) return;
      InScratch<Group> group(fixed_, length_, k_, streams_);
      together(*group, rows, weights);
    }
  }

  static constexpr int kMostLargest =
      sizeof(Scalar) == 2 ? tuning::kMostLargestOfShorts : tuning::kFewLargest;

  bool is_for_lanes() const {
    if (k_ <= tuning::kFewLargest) return length_ <= tuning::kLongestRowOfLanes;
    return k_ <= kMostLargest && length_ >= tuning::kShortestRowOfMoreLargest &&
           length_ <= tuning::kLongestRowOfMoreLargest;
  }

  template <class Rows, int... Index>
  void take_in_lanes(Rows& rows, Scalar* weights, std::integer_sequence<int, Index...>) {
    ((k_ == Index + 1 ? take_largest<Index + 1>(rows, weights) : void()), ...);
  }

  template <int K, class Rows>
  void take_largest(Rows& rows, Scalar* weights) {
    using Lanes = LaneForward<MappingOf, Scalar, K>;
    if (rows.left() >= Lanes::kRows) {
      Lanes lanes(fixed_, length_, streams_);
      together(lanes, rows, weights);
    }
    with_padding<Lanes>(rows, weights, length_);
  }

  // Takes as many rows at a time as the kernel does.
  template <class Kernel, class Rows>
  void together(Kernel& kernel, Rows& rows, Scalar* weights) {
    int64_t const most = kernel.most_rows();
    while (rows.left() >= Kernel::kRows) {
      int64_t const count = rows.left() >= most ? most : Kernel::kRows;
      take(rows, count, weights, [&](auto const& taken, Scalar* to) {
        for_each_lane(kernel(taken, to),
                      [&](int row) { one(taken.logits + row * length_, to + row * length_); });
      });
    }
  }

  // Takes fewer rows than the kernel does, with rows of zeros after them, unless they are too few
  // for that to pay.
  template <class Kernel, class Rows, class... Arguments>
  [[gnu::noinline]] void with_padding(Rows& rows, Scalar* weights, Arguments const&... arguments) {
    int64_t const count = rows.left();
    if (count == 0 || count * tuning::kEntriesForPadding < length_) return;
    Kernel kernel(fixed_, arguments..., /*streams=*/false);
    int64_t const entries = count * length_;
    int64_t const padded_entries = Kernel::kRows * length_;
    padded_.reserve(2 * padded_entries);
    Scalar* const padded = padded_.data();
    Scalar* const padded_weights = padded + padded_entries;
    write_zeros(padded, padded_entries);
    take(rows, count, weights, [&](auto const& taken, Scalar* to) {
      std::copy_n(taken.logits, entries, padded);
      kernel({padded, 0, Kernel::kRows, length_, padded_entries}, padded_weights);
      std::copy_n(padded_weights, entries, to);
    });
  }

  void one(Scalar const* logits, Scalar* weights, LoneRowAhead<Scalar> ahead = {}) {
    if (!row_) row_.emplace(fixed_, length_, k_, streams_);
    (*row_)(logits, weights, ahead);
  }

  Fixed fixed_;
  int64_t length_;
  int64_t k_;
  bool streams_;
  Scratch<Scalar> padded_;
  std::optional<RowForward<MappingOf, Scalar>> row_;  // made only for rows that need it
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
