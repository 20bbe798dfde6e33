#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "rowwise/cpu/conversion.h"
#include "rowwise/cpu/lane_supports.h"
#include "rowwise/cpu/row_scan.h"
#include "rowwise/cpu/scratch.h"
#include "rowwise/cpu/sparse_row.h"
#include "rowwise/cpu/transpose.h"
#include "rowwise/cpu/vector.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// As many rows as a vector of floats has lanes, which follow each other without a gap, for any k.
// They are so short that all of their entries are taken to lanes, one row to a lane.
template <template <class> class MappingOf, class Scalar>
class TileForward {
 public:
  using Mapping = MappingOf<float>;
  static constexpr int kRows = kLanes<float>;

  TileForward(typename Mapping::Fixed const& fixed, int64_t length, int64_t k, bool streams)
      : length_(length), streams_(streams), supports_(fixed, k) {
    int64_t const vectors = (length + kRows - 1) / kRows;
    columns_.reserve(vectors * kRows * kRows);
    block_.reserve(kRows * length + kRows);
  }

  // `readable` entries from the first on may be read. Returns true: the rows were written.
  bool operator()(Scalar const* logits, Scalar* weights, int64_t readable) {
    load(logits, readable);
    Floats const maxima = find_maxima(logits);
    supports_.find(columns(), length_, maxima, Floats{} - 1.0F);
    supports_.template weigh<Scalar>(columns(), length_);
    write_block();
    for (int row = 0; row < kRows; ++row) {
      if (maxima[row] == maxima[row]) continue;
      std::fill_n(block_.data() + row * length_, length_, narrow<Scalar>(NAN));
    }
    int64_t const count = kRows * length_;
    if (streams_ && is_whole_lines(weights, count)) {
      stream_lines(weights, block_.data(), count);
    } else {
      std::copy_n(block_.data(), count, weights);
    }
    return true;
  }

 private:
  Floats* columns() { return reinterpret_cast<Floats*>(columns_.data()); }

  void load(Scalar const* logits, int64_t readable) {
    for (int64_t first = 0; first < length_; first += kRows) {
      int64_t const count = std::min<int64_t>(kRows, length_ - first);
      Floats square[kRows];
      for (int row = 0; row < kRows; ++row) {
        int64_t const offset = row * length_ + first;
        alignas(kVectorBytes) Scalar rest[kRows];
        Scalar const* source = logits + offset;
        if (offset + kRows > readable) {
          std::copy_n(source, count, rest);
          source = rest;
        }
        square[row] = first_lanes<int32_t>(count) ? widen_lanes(source) : Floats{} - INFINITY;
      }
      transpose_square<float>(square);
      std::copy_n(square, kRows, columns() + first);
    }
  }

  // Rows that are not ordinary get a maximum of NaN, so that no comparison holds in them.
  Floats find_maxima(Scalar const* logits) {
    Floats maxima = columns()[0];
    Floats sum = {};
    for (int64_t column = 0; column < length_; ++column) {
      maxima = larger(maxima, columns()[column]);
      sum += columns()[column];
    }
    // No comparison finds a NaN, but a sum keeps it; sums that overflow may be NaN too.
    auto const difference = maxima - maxima;
    auto const is_suspect = (sum != sum) | (difference != difference);
    for_each_lane(lanes_at_least<int32_t>(Keys{} - 1, is_suspect), [&](int row) {
      auto const range = range_of(logits + row * length_, length_);
      maxima[row] = range.is_ordinary() ? range.maximum() : NAN;
    });
    return maxima;
  }

  // From columns to rows. A vector extends beyond its row, to where the next one is written after.
  void write_block() {
    for (int64_t first = 0; first < length_; first += kRows) {
      Floats square[kRows];
      std::copy_n(columns() + first, kRows, square);
      transpose_square<float>(square);
      std::copy_n(square, kRows, columns() + first);
    }
    for (int row = 0; row < kRows; ++row) {
      for (int64_t first = 0; first < length_; first += kRows) {
        Scalar* const to = block_.data() + row * length_ + first;
        Floats const bits = columns()[first + row];
        if constexpr (sizeof(Scalar) == sizeof(float)) {
          store(to, bits);
        } else {
          store(to, shortened(reinterpret_cast<Vector<uint32_t>>(bits)));
        }
      }
    }
  }

  int64_t length_;
  bool streams_;
  LaneSupports<Mapping> supports_;
  Scratch<float> columns_;
  Scratch<Scalar> block_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
