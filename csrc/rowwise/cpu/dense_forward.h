#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "rowwise/cpu/forward_group.h"
#include "rowwise/cpu/forward_lanes.h"
#include "rowwise/cpu/forward_row.h"
#include "rowwise/cpu/forward_tile.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/float16.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Rows that follow each other without a gap.
template <template <class> class MappingOf, class Scalar>
class DenseForward {
 public:
  using Fixed = typename MappingOf<widened_t<Scalar>>::Fixed;

  DenseForward(Fixed const& fixed, int64_t length, int64_t k, bool streams)
      : fixed_(fixed),
        length_(length),
        k_(std::min(k, length)),
        streams_(streams),
        row_(fixed, length, k, streams) {}

  // `readable` entries from the first on may be read.
  void operator()(Scalar const* logits, Scalar* weights, int64_t rows, int64_t readable) {
    int64_t row = 0;
    auto const together = [&](auto&& kernel) {
      constexpr int64_t kRows = std::remove_cvref_t<decltype(kernel)>::kRows;
      for (; row + kRows <= rows; row += kRows) {
        int64_t const offset = row * length_;
        if (kernel(logits + offset, weights + offset, readable - offset)) continue;
        for (int64_t i = row; i < row + kRows; ++i) {
          row_(logits + i * length_, weights + i * length_);
        }
      }
    };
    if (k_ <= kMostLargest && length_ <= tuning::kLongestRowOfLanes) {
      auto const of_largest = [&]<int K>(std::integral_constant<int, K>) {
        if (k_ != K) return;
        together(LaneForward<MappingOf, Scalar, K, tuning::kTiles>(fixed_, length_, streams_));
        together(LaneForward<MappingOf, Scalar, K, 1>(fixed_, length_, streams_));
      };
      of_largest(std::integral_constant<int, 1>{});
      of_largest(std::integral_constant<int, 2>{});
      of_largest(std::integral_constant<int, 3>{});
      of_largest(std::integral_constant<int, 4>{});
    } else if constexpr (std::is_same_v<widened_t<Scalar>, float>) {
      if (length_ <= tuning::kLongestRowOfTile) {
        together(TileForward<MappingOf, Scalar>(fixed_, length_, k_, streams_));
      } else if (length_ * static_cast<int64_t>(sizeof(Scalar)) <= tuning::kLargestRowOfGroup) {
        together(GroupForward<MappingOf, Scalar>(fixed_, length_, k_, streams_));
      }
    }
    for (; row < rows; ++row) row_(logits + row * length_, weights + row * length_);
    if (streams_) stream_fence();
  }

 private:
  Fixed fixed_;
  int64_t length_;
  int64_t k_;
  bool streams_;
  RowForward<MappingOf, Scalar> row_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
