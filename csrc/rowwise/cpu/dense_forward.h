#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "rowwise/cpu/forward_group.h"
#include "rowwise/cpu/forward_lanes.h"
#include "rowwise/cpu/forward_row.h"
#include "rowwise/cpu/forward_sorted.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/float16.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Rows that follow each other without a gap.
template <template <class> class MappingOf, class Scalar>
class DenseForward {
 public:
  using Fixed = typename MappingOf<widened_t<Scalar>>::Fixed;

  DenseForward(Fixed const& fixed, int64_t length, int64_t k, bool streams)
      : fixed_(fixed), length_(length), k_(std::min(k, length)), streams_(streams) {}

  // `readable` entries from the first on may be read.
  void operator()(Scalar const* logits, Scalar* weights, int64_t rows, int64_t readable) {
    Rows rest = {logits, weights, rows, readable};
    if (k_ <= kMostLargest && length_ <= tuning::kLongestRowOfLanes) {
      auto const of_largest = [&]<int K>(std::integral_constant<int, K>) {
        if (k_ != K) return;
        together(LaneForward<MappingOf, Scalar, K, tuning::kTiles>(fixed_, length_, streams_),
                 rest);
        together(LaneForward<MappingOf, Scalar, K, 1>(fixed_, length_, streams_), rest);
        with_padding(LaneForward<MappingOf, Scalar, K, 1>(fixed_, length_, false), rest);
      };
      of_largest(std::integral_constant<int, 1>{});
      of_largest(std::integral_constant<int, 2>{});
      of_largest(std::integral_constant<int, 3>{});
      of_largest(std::integral_constant<int, 4>{});
    } else if constexpr (std::is_same_v<widened_t<Scalar>, float>) {
      if (length_ <= tuning::kLongestSortedRow) {
        together(SortedForward<MappingOf, Scalar>(fixed_, length_, k_, streams_), rest);
        with_padding(SortedForward<MappingOf, Scalar>(fixed_, length_, k_, false), rest);
      } else if (length_ * static_cast<int64_t>(sizeof(Scalar)) <= tuning::kLargestRowOfGroup) {
        together(GroupForward<MappingOf, Scalar>(fixed_, length_, k_, streams_), rest);
      }
    }
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

  template <class Kernel>
  static constexpr int64_t kRowsOf = std::remove_cvref_t<Kernel>::kRows;

  // As many rows at a time as the kernel takes.
  template <class Kernel>
  void together(Kernel&& kernel, Rows& rest) {
    while (rest.count >= kRowsOf<Kernel>) {
      if (kernel(rest.logits, rest.weights, rest.readable)) {
        rest.drop(kRowsOf<Kernel>, length_);
      } else {
        one_by_one(rest, kRowsOf<Kernel>);
      }
    }
  }

  // Short rows that are fewer than the kernel takes, with rows of zeros after them.
  template <class Kernel>
  void with_padding(Kernel&& kernel, Rows& rest) {
    if (rest.count == 0 || length_ > tuning::kLongestPaddedRow) return;
    int64_t const entries = rest.count * length_;
    alignas(kVectorBytes) Scalar logits[kRowsOf<Kernel> * tuning::kLongestPaddedRow] = {};
    alignas(kVectorBytes) Scalar weights[kRowsOf<Kernel> * tuning::kLongestPaddedRow];
    std::copy_n(rest.logits, entries, logits);
    kernel(logits, weights, kRowsOf<Kernel> * length_);
    std::copy_n(weights, entries, rest.weights);
    rest.drop(rest.count, length_);
  }

  void one_by_one(Rows& rest, int64_t count) {
    if (count > 0 && !row_) row_.emplace(fixed_, length_, k_, streams_);
    for (int64_t row = 0; row < count; ++row) {
      (*row_)(rest.logits, rest.weights);
      rest.drop(1, length_);
    }
  }

  Fixed fixed_;
  int64_t length_;
  int64_t k_;
  bool streams_;
  std::optional<RowForward<MappingOf, Scalar>> row_;  // whose memory most rows do without
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
