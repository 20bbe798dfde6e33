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
#include "rowwise/cpu/rows/write_sparse.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/float16.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Maps rows that follow each other without a gap, in the way that suits their length and k.
template <template <class> class MappingOf, class Scalar>
class ContiguousForward {
 public:
  using Fixed = typename MappingOf<widened_t<Scalar>>::Fixed;

  ContiguousForward(Fixed const& fixed, int64_t length, int64_t k, bool streams)
      : fixed_(fixed), length_(length), k_(std::min(k, length)), streams_(streams) {}

  // `readable` entries from `logits` on may be read.
  void operator()(Scalar const* logits, Scalar* weights, int64_t rows, int64_t readable) {
    Rows rest = {logits, weights, rows, readable};
    take_together(rest);
    one_by_one(rest, rest.count);
    if (streams_) stream_fence();
  }

 private:
  struct Rows {
    Scalar const* logits;
    Scalar* weights;
    int64_t count;
    int64_t readable;

    void drop(int64_t rows, int64_t length) {
      logits += rows * length;
      weights += rows * length;
      count -= rows;
      readable -= rows * length;
    }
  };

  void take_together(Rows& rest) {
    if constexpr (kHasSearch<MappingOf<widened_t<Scalar>>>) {
      take_group(rest);
    } else if (is_for_lanes()) {
      take_in_lanes(rest, std::make_integer_sequence<int, kMostLargest>());
    } else if constexpr (std::is_same_v<widened_t<Scalar>, float>) {
      using Sorted = SortedForward<MappingOf, Scalar>;
      if (length_ > Sorted::kLongest) return take_group(rest);
      together<Sorted>(rest, length_, k_, streams_);
      with_padding<Sorted>(rest, length_, k_);
    }
  }

  void take_group(Rows& rest) {
    if constexpr (std::is_same_v<widened_t<Scalar>, float>) {
      if (length_ * static_cast<int64_t>(sizeof(Scalar)) > tuning::kLargestRowOfGroup) return;
      together<GroupForward<MappingOf, Scalar>>(rest, length_, k_, streams_);
    }
  }

  static constexpr int kMostLargest =
      sizeof(Scalar) == 2 ? tuning::kMostLargestOfShorts : tuning::kFewLargest;

  bool is_for_lanes() const {
    if (k_ <= tuning::kFewLargest) return length_ <= tuning::kLongestRowOfLanes;
    return k_ <= kMostLargest && length_ >= tuning::kShortestRowOfMoreLargest &&
           length_ <= tuning::kLongestRowOfMoreLargest;
  }

  template <int... Index>
  void take_in_lanes(Rows& rest, std::integer_sequence<int, Index...>) {
    ((k_ == Index + 1 ? take_largest<Index + 1>(rest) : void()), ...);
  }

  template <int K>
  void take_largest(Rows& rest) {
    using Lanes = LaneForward<MappingOf, Scalar, K>;
    if (rest.count >= Lanes::kRows) {
      Lanes lanes(fixed_, length_, streams_);
      rest.drop(lanes.take(rest.logits, rest.weights, rest.count, rest.readable), length_);
    }
    with_padding<Lanes>(rest, length_);
  }

  // Takes as many rows at a time as the kernel does. For fewer rows no kernel is made, which saves
  // its memory.
  template <class Kernel, class... Arguments>
  void together(Rows& rest, Arguments const&... arguments) {
    if (rest.count < Kernel::kRows) return;
    InScratch<Kernel> kernel(fixed_, arguments...);
    while (rest.count >= Kernel::kRows) {
      uint64_t const left = (*kernel)(rest.logits, rest.weights, rest.readable);
      for_each_lane(
          left, [&](int row) { one(rest.logits + row * length_, rest.weights + row * length_); });
      rest.drop(Kernel::kRows, length_);
    }
  }

  // Takes fewer rows than the kernel does, with rows of zeros after them, unless they are too few
  // for that to pay.
  template <class Kernel, class... Arguments>
  [[gnu::noinline]] void with_padding(Rows& rest, Arguments const&... arguments) {
    if (rest.count == 0 || rest.count * tuning::kEntriesForPadding < length_) return;
    Kernel kernel(fixed_, arguments..., /*streams=*/false);
    int64_t const entries = rest.count * length_;
    int64_t const padded_entries = Kernel::kRows * length_;
    padded_.reserve(2 * padded_entries);
    Scalar* const logits = padded_.data();
    Scalar* const weights = logits + padded_entries;
    write_zeros(logits, padded_entries);
    std::copy_n(rest.logits, entries, logits);
    kernel(logits, weights, padded_entries);
    std::copy_n(weights, entries, rest.weights);
    rest.drop(rest.count, length_);
  }

  void one_by_one(Rows& rest, int64_t count) {
    for (int64_t row = 0; row < count; ++row) {
      one(rest.logits, rest.weights);
      rest.drop(1, length_);
    }
  }

  void one(Scalar const* logits, Scalar* weights) {
    if (!row_) row_.emplace(fixed_, length_, k_, streams_);
    (*row_)(logits, weights);
  }

  Fixed fixed_;
  int64_t length_;
  int64_t k_;
  bool streams_;
  Scratch<Scalar> padded_;
  std::optional<RowForward<MappingOf, Scalar>> row_;  // made only for rows that need it
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
