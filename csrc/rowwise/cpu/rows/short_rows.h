#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "rowwise/cpu/rows/lane_numbers.h"
#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/cpu/rows/write_sparse.h"
#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/transpose.h"
#include "rowwise/cpu/vectors/vector.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Loads rows as columns of their bits, one row to a lane, and stores such columns as rows. There
// are as many rows as a vector has lanes, and they follow each other without a gap. There are
// `Count` columns, a power of two and less than twice a row's length; those beyond the row's length
// hold anything.
//
// The last vector of a row may extend beyond it: a load then reads into the next row, and a store
// writes the next row afterwards.
template <class Scalar>
class ShortRows {
 public:
  using Lane = typename ShortNumbers<Scalar>::Element;
  using Bits = Vector<Lane>;
  static constexpr int kRows = kLanes<Lane>;

  ShortRows(int64_t length, bool streams) : length_(static_cast<int>(length)), streams_(streams) {
    padded_.reserve(kRows * kRows);
    if (streams) block_.reserve(kRows * length + kRows);
  }

  // `readable` entries from `rows` on may be read.
  template <int Count>
  void load(Scalar const* rows, int64_t readable, Bits (&columns)[Count]) {
    if constexpr (Count < kRows) {
      if (length_ != Count) rows = pad<Count>(rows, readable);
#pragma GCC unroll 32
      for (int i = 0; i < Count; ++i) columns[i] = load_as<Bits>(rows + i * kRows);
      transpose<Lane, kRows>(columns);
    } else {
#pragma GCC unroll 8
      for (int first = 0; first < Count; first += kRows) {
        if (first < length_) {
          load_square(rows + first, length_ - first, readable - first, columns + first);
        }
      }
    }
  }

  // Writes the columns back as rows. Prefetches as many rows from `next` on.
  template <int Count>
  void store(Bits (&columns)[Count], Scalar* rows, Scalar const* next) {
    constexpr int kLine = kLineBytes / static_cast<int>(sizeof(Scalar));
    for (int i = 0; i < kRows * length_; i += kLine) __builtin_prefetch(next + i);
    bool const streams = streams_ && is_whole_lines(rows, kRows * length_);
    bool const is_whole = length_ % std::min(Count, kRows) == 0;
    if (streams && is_whole) return store<true>(columns, rows);
    store<false>(columns, streams ? block_.data() : rows);
    if (streams) stream_lines(rows, block_.data(), kRows * length_);
  }

 private:
  template <bool Streams, int Count>
  void store(Bits (&columns)[Count], Scalar* rows) {
    if constexpr (Count < kRows) {
      transpose<Lane, Count>(columns);
      Scalar* const to = length_ == Count ? rows : padded_.data();
#pragma GCC unroll 32
      for (int i = 0; i < Count; ++i) put<Streams>(to + i * kRows, columns[i]);
      if (length_ != Count) take_padding_away<Count>(rows);
    } else {
      // The last vectors of the rows are written first: where one extends into the next row, that
      // row's first vector is written over it.
#pragma GCC unroll 8
      for (int first = Count - kRows; first >= 0; first -= kRows) {
        if (first < length_) store_square<Streams>(columns + first, rows + first, length_ - first);
      }
    }
  }

  template <bool Streams>
  static void put(Scalar* to, Bits bits) {
    Streams ? stream(to, bits) : cpu::ZETA_CAPABILITY::store(to, bits);
  }

  // `length` is what is left of a row, and `readable` is how many entries from `rows` on may be
  // read.
  void load_square(Scalar const* rows, int length, int64_t readable, Bits* columns) const {
    Bits square[kRows];
#pragma GCC unroll 32
    for (int row = 0; row + 1 < kRows; ++row) square[row] = load_as<Bits>(rows + row * length_);
    int64_t const last = (kRows - 1) * length_;
    if (readable >= last + kRows) {
      square[kRows - 1] = load_as<Bits>(rows + last);
    } else {
      Scalar entries[kRows] = {};
      std::copy_n(rows + last, std::min(length, kRows), entries);
      square[kRows - 1] = load_as<Bits>(entries);
    }
    transpose_square<Lane>(square);
#pragma GCC unroll 32
    for (int i = 0; i < kRows; ++i) columns[i] = square[i];
  }

  template <bool Streams>
  void store_square(Bits const* columns, Scalar* rows, int length) const {
    Bits square[kRows];
#pragma GCC unroll 32
    for (int i = 0; i < kRows; ++i) square[i] = columns[i];
    transpose_square<Lane>(square);
#pragma GCC unroll 32
    for (int row = 0; row + 1 < kRows; ++row) put<Streams>(rows + row * length_, square[row]);
    Scalar* const last = rows + (kRows - 1) * length_;
    if (length >= kRows) {
      put<Streams>(last, square[kRows - 1]);
    } else {
      put_first(last, square[kRows - 1], length);
    }
  }

  static void put_first(Scalar* to, Bits bits, int count) {
    alignas(kVectorBytes) Scalar entries[kRows];
    cpu::ZETA_CAPABILITY::store(entries, bits);
    std::copy_n(entries, count, to);
  }

  // Copies rows to padded_, where each takes `Count` entries. take_padding_away() copies them back.
  template <int Count>
  Scalar const* pad(Scalar const* rows, int64_t readable) {
    int row = 0;
    for (; row * length_ + Count <= readable && row < kRows; ++row) {
      std::memcpy(padded_.data() + row * Count, rows + row * length_, Count * sizeof(Scalar));
    }
    for (; row < kRows; ++row) {
      std::copy_n(rows + row * length_, length_, padded_.data() + row * Count);
    }
    return padded_.data();
  }

  template <int Count>
  void take_padding_away(Scalar* rows) const {
    constexpr int kLast = kRows - 1;
    for (int row = 0; row < kLast; ++row) {
      std::memcpy(rows + row * length_, padded_.data() + row * Count, Count * sizeof(Scalar));
    }
    std::copy_n(padded_.data() + kLast * Count, length_, rows + kLast * length_);
  }

  int length_;
  bool streams_;
  Scratch<Scalar> padded_;  // rows of `Count` entries
  Scratch<Scalar> block_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
