#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/cpu/rows/support.h"
#include "rowwise/cpu/rows/write_dense.h"
#include "rowwise/cpu/rows/write_sparse.h"
#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/vector.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Maps rows with too many candidates for a list: passes over all entries find the support.
template <class Mapping, class Scalar>
class CrowdedRow {
 public:
  using Real = widened_t<Scalar>;
  using Threshold = typename Mapping::Threshold;

  CrowdedRow(int64_t length, int64_t k, bool streams) : length_(length), k_(k), streams_(streams) {}

  // The row's entries, widened once for many passes.
  Entries<Real> widened(Scalar const* logits) {
    if constexpr (std::is_same_v<Scalar, Real>) {
      return {logits, length_};
    } else {
      constexpr int64_t kStep = kLanes<Real>;
      reals_.reserve(length_);
      int64_t column = 0;
      for (; column + kStep <= length_; column += kStep) {
        store(reals_.data() + column, widen_lanes(logits + column));
      }
      for (; column < length_; ++column) reals_.data()[column] = widen(logits[column]);
      return {reals_.data(), length_};
    }
  }

  // Estimates the threshold of the row from a lower one; the estimate is not above the threshold.
  // The iteration starts at the estimate of the row before, if that is higher, since rows of one
  // tensor are often alike.
  Estimate estimate(Mapping const& mapping, Entries<Real> const& entries, Threshold threshold) {
    auto const known = static_cast<float>(mapping.below(threshold));
    auto const result = estimate_support(mapping, entries, std::max(known, last_threshold_));
    last_threshold_ = result.threshold;
    return result;
  }

  // Writes the weights, given a threshold that is not above that of the row.
  void write(Mapping const& mapping, Entries<Real> const& entries, Threshold threshold,
             Scalar* weights) {
    DenseRow<Mapping, Scalar> row(mapping, find_support(mapping, entries, k_, threshold));
    if (!streams_ || !is_whole_lines(weights, length_)) {
      return row.write(entries.data, weights, length_);
    }
    constexpr int64_t kPiece = 2048 / static_cast<int64_t>(sizeof(Scalar));
    alignas(kLineBytes) Scalar piece[kPiece];
    for (int64_t first = 0; first < length_; first += kPiece) {
      int64_t const count = std::min(kPiece, length_ - first);
      row.write(entries.data + first, piece, count);
      stream_lines(weights + first, piece, count);
    }
  }

 private:
  int64_t length_;
  int64_t k_;
  bool streams_;
  float last_threshold_ = -1;
  Scratch<Real> reals_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
