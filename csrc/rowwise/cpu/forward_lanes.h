#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "rowwise/cpu/lane_weights.h"
#include "rowwise/cpu/row_scan.h"
#include "rowwise/cpu/scratch.h"
#include "rowwise/cpu/sparse_row.h"
#include "rowwise/cpu/transpose.h"
#include "rowwise/cpu/vector.h"

// Several rows at once, one in each lane of a vector, for small k: no step depends on how a row's
// entries lie, so short rows cost no branches.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

inline constexpr int kMostLargest = 4;

// Rows that follow each other without a gap, as many as there are lanes, and a few times as many:
// while some wait for the results of one instruction, others go on.
template <template <class> class MappingOf, class Scalar, int K, int Tiles>
class LaneForward {
 public:
  using Mapping = MappingOf<widened_t<Scalar>>;
  using Weights = LaneWeights<Mapping, Scalar, K>;
  static constexpr int64_t kRows = Tiles * Weights::kRows;

  LaneForward(typename Mapping::Fixed const& fixed, int64_t length, bool streams)
      : length_(length), fixed_(fixed), streams_(streams) {
    if (streams) block_.reserve(kLaneRows * length + kLaneRows);
  }

  // `readable` entries from the first on may be read. Returns the rows that it left: none.
  uint64_t operator()(Scalar const* logits, Scalar* weights, int64_t readable) {
    bool const streams = streams_ && is_whole_lines(weights, kLaneRows * length_);
    int64_t const step = kLaneRows * length_;
    if (length_ <= kLaneRows && std::has_single_bit(static_cast<uint64_t>(length_))) {
      forward_whole<kLaneRows>(logits, weights,
                               readable >= 2 * kRows * length_ ? kRows * length_ : 0, streams);
      return 0;
    }
    Weights tiles[Tiles];
    for (int i = 0; i < Tiles; ++i) {
      tiles[i].set_largest(find_largest(logits + i * step, readable - i * step));
    }
    for (Weights& tile : tiles) tile.weigh(fixed_);
    for (int i = 0; i < Tiles; ++i) {
      tiles[i].find_ties();
      write_rows(tiles[i], logits + i * step, weights + i * step, readable - i * step, streams);
    }
    return 0;
  }

 private:
  using Numbers = typename Weights::Numbers;
  using Element = typename Numbers::Element;
  using Bits = typename Weights::Bits;
  using Found = Largest<Numbers, K + 1>;
  static constexpr int64_t kLaneRows = Weights::kRows;

  // Rows of `Count` entries or of a smaller power of two, which lie in `Count` vectors.
  template <int Count>
  void forward_whole(Scalar const* logits, Scalar* weights, int64_t next, bool streams) {
    if (length_ != Count) {
      if constexpr (Count > 1) forward_whole<Count / 2>(logits, weights, next, streams);
      return;
    }
    Weights tiles[Tiles];
    Vector<Element> columns[Tiles][Count];
    for (int64_t tile = 0; tile < Tiles; ++tile) {
      for (int i = 0; i < Count; ++i) {
        columns[tile][i] = Numbers::of(logits + (tile * Count + i) * kLaneRows);
      }
      transpose_whole<kLaneRows>(columns[tile]);
      Found largest;
#pragma GCC unroll 32
      for (int i = 0; i < Count; ++i) largest.add(columns[tile][i]);
      tiles[tile].set_largest(largest);
    }
    for (Weights& tile : tiles) tile.weigh(fixed_);
    for (int64_t tile = 0; tile < Tiles; ++tile) {
      tiles[tile].find_ties();
      tiles[tile].replace(columns[tile]);
      transpose_whole<Count>(columns[tile]);
      Scalar* const to = weights + tile * Count * kLaneRows;
      for (int i = 0; i < Count; ++i) {
        __builtin_prefetch(logits + next + (tile * Count + i) * kLaneRows);
        streams ? stream(to + i * kLaneRows, columns[tile][i])
                : store(to + i * kLaneRows, columns[tile][i]);
      }
      fill_with_nan(tiles[tile], logits + tile * Count * kLaneRows, to);
    }
  }

  template <int Rows, int Count>
  static void transpose_whole(Vector<Element> (&vectors)[Count]) {
    if constexpr (Count == kLaneRows) {
      transpose_square<Element>(vectors);
    } else {
      transpose<Element, Rows>(vectors);
    }
  }

  void write_rows(Weights const& all, Scalar const* logits, Scalar* weights, int64_t readable,
                  bool streams) {
    bool const in_place = !streams || length_ % kLaneRows == 0;
    Scalar* const block = in_place ? weights : block_.data();
    for (int row = 0; row < kLaneRows; ++row) {
      Scalar const* const from = logits + row * length_;
      Scalar* const to = block + row * length_;
      if (streams && in_place && !all.has_ties(row)) {
        write_row<true>(all, row, from, to);
      } else if (streams && in_place) {
        write_row<false>(all, row, from, block_.data());
        stream_vectors(to, block_.data(), length_);  // A row may end within a line.
      } else if (row * length_ + kLaneRows > std::min(readable, kLaneRows * length_)) {
        write_last_row(all, row, from, to);
      } else {
        write_row<false>(all, row, from, to);
      }
    }
    fill_with_nan(all, logits, block);
    if (!in_place) stream_lines(weights, block, kLaneRows * length_);
  }

  void fill_with_nan(Weights const& all, Scalar const* logits, Scalar* weights) const {
    all.for_each_suspect([&](int row) {
      if (range_of(logits + row * length_, length_).is_ordinary()) return;
      std::fill_n(weights + row * length_, length_, narrow<Scalar>(NAN));
    });
  }

  // Vector by vector, of which the last ends with the row. That of a shorter row extends beyond it,
  // to where the next row is written after.
  template <bool Streams>
  void write_row(Weights const& all, int row, Scalar const* logits, Scalar* weights) const {
    typename Weights::OfRow const of_row(all, row);
    auto const write = [&](int64_t column) {
      auto const bits = of_row(Numbers::of(logits + column));
      Streams ? stream(weights + column, bits) : store(weights + column, bits);
    };
    int64_t column = 0;
    for (; column + kLaneRows <= length_; column += kLaneRows) write(column);
    if (column < length_) write(std::max<int64_t>(0, length_ - kLaneRows));
    if (!Streams && all.has_ties(row)) all.put_ties(row, logits, weights, length_);
  }

  // A row shorter than a vector that may not extend beyond it.
  void write_last_row(Weights const& all, int row, Scalar const* logits, Scalar* weights) const {
    Scalar padded_logits[kLaneRows] = {};
    Scalar padded_weights[kLaneRows];
    std::copy_n(logits, length_, padded_logits);
    write_row<false>(all, row, padded_logits, padded_weights);
    std::copy_n(padded_weights, length_, weights);
  }

  Found find_largest(Scalar const* rows, int64_t readable) const {
    Found largest;
    int64_t column = 0;
    // Pages that do not exist take long to be asked for.
    int64_t const next = readable >= 2 * kLaneRows * length_ ? kLaneRows * length_ : 0;
    for (; column + kLaneRows <= length_; column += kLaneRows) {
      add_square(largest, rows + column, rows + column + next);
    }
    if (column == length_) return largest;
    int64_t const first = std::max<int64_t>(0, length_ - kLaneRows);
    if ((kLaneRows - 1) * length_ + first + kLaneRows <= readable) {
      add_rest(largest, rows, first, column);
    } else {
      for (; column < length_; ++column) {
        Vector<Element> entry = {};
        for (int row = 0; row < kLaneRows; ++row) {
          entry[row] = Numbers::of_one(rows[row * length_ + column]);
        }
        largest.add(entry);
      }
    }
    return largest;
  }

  void load_square(Vector<Element> (&square)[kLaneRows], Scalar const* first) const {
    for (int row = 0; row < kLaneRows; ++row) square[row] = Numbers::of(first + row * length_);
    transpose_square<Element>(square);
  }

  // Asks for one of the next rows, too: neither the square's loads nor the processor's own
  // prefetchers, which see a stride, keep memory busy.
  void add_square(Found& largest, Scalar const* first, Scalar const* next) const {
    Vector<Element> square[kLaneRows];
    load_square(square, first);
#pragma GCC unroll 32
    for (int i = 0; i < kLaneRows; ++i) {
      __builtin_prefetch(next + i * length_);
      largest.add(square[i]);
    }
  }

  // Adds the columns from `column` on of the square that begins at column `first`.
  [[gnu::noinline]] void add_rest(Found& largest, Scalar const* rows, int64_t first,
                                  int64_t column) const {
    Vector<Element> square[kLaneRows];
    load_square(square, rows + first);
    for (; column < length_; ++column) largest.add(square[column - first]);
  }

  int64_t length_;
  typename Mapping::Fixed fixed_;
  bool streams_;
  Scratch<Scalar> block_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
