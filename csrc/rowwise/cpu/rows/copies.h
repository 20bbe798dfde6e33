#pragma once

#include <algorithm>
#include <cstdint>

#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/cpu/rows/write_sparse.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/cpu/vectors/transpose.h"
#include "rowwise/cpu/vectors/vector.h"
#include "rowwise/ordered_key.h"
#include "rowwise/row_geometry.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Copies rows of any strides to scratch, where they follow each other without a gap, and back.
template <class Scalar>
class RowCopies {
 public:
  using Bits = key_t<Scalar>;
  static constexpr int kSquare = kLanes<Bits>;

  // How many rows to copy together, since neighbouring rows share cache lines: 1 to 4 squares of
  // them, as many as fit into tuning::kCopiedBytes.
  static int64_t rows_for(int64_t length) {
    int64_t const rows = tuning::kCopiedBytes / (length * static_cast<int64_t>(sizeof(Scalar)));
    return std::clamp<int64_t>(rows / kSquare, 1, 4) * kSquare;
  }

  RowCopies(int64_t length, int64_t stride, int64_t rows, bool streams = false)
      : length_(length), stride_(stride), streams_(streams) {
    scratch_.reserve(length * rows);
  }

  Scalar* data() { return scratch_.data(); }

  // Copies the rows that begin at base + offsets[0], base + offsets[1], ... to data().
  void load(Scalar const* base, int64_t const* offsets, int64_t rows) {
    for_each_square(offsets, rows, [&](int64_t row, int64_t column, bool is_whole) {
      Scalar const* const source = base + offsets[row] + column * stride_;
      Scalar* const destination = data() + row * length_ + column;
      if (is_whole) return copy_square(source, stride_, destination, length_);
      for_each_entry(row, rows, column, [&](int64_t i, int64_t j) {
        data()[i * length_ + j] = base[offsets[i] + j * stride_];
      });
    });
  }

  void store(Scalar* base, int64_t const* offsets, int64_t rows) {
    for_each_square(offsets, rows, [&](int64_t row, int64_t column, bool is_whole) {
      Scalar* const destination = base + offsets[row] + column * stride_;
      Scalar const* const source = data() + row * length_ + column;
      bool const streams = streams_ && kVectorBytes == kLineBytes &&
                           is_whole_lines(destination, kSquare) &&
                           is_whole_lines(destination + stride_, kSquare);
      if (is_whole) return copy_square(source, length_, destination, stride_, streams);
      for_each_entry(row, rows, column, [&](int64_t i, int64_t j) {
        base[offsets[i] + j * stride_] = data()[i * length_ + j];
      });
    });
  }

 private:
  // Calls visit(row, column, is_whole) for each square. A square is whole, so that vectors can copy
  // it, if kSquare rows that are neighbours in memory have kSquare entries each in it.
  template <class Visit>
  void for_each_square(int64_t const* offsets, int64_t rows, Visit const& visit) const {
    for (int64_t row = 0; row < rows; row += kSquare) {
      bool adjacent = row + kSquare <= rows;
      for (int64_t i = row; adjacent && i < row + kSquare; ++i) {
        adjacent = offsets[i] == offsets[row] + i - row;
      }
      for (int64_t column = 0; column < length_; column += kSquare) {
        visit(row, column, adjacent && column + kSquare <= length_);
      }
    }
  }

  template <class Visit>
  void for_each_entry(int64_t row, int64_t rows, int64_t column, Visit const& visit) const {
    for (int64_t j = column; j < std::min(column + kSquare, length_); ++j) {
      for (int64_t i = row; i < std::min(row + kSquare, rows); ++i) visit(i, j);
    }
  }

  static void copy_square(Scalar const* source, int64_t source_stride, Scalar* destination,
                          int64_t destination_stride, bool streams = false) {
    Vector<Bits> square[kSquare];
    for (int i = 0; i < kSquare; ++i) {
      square[i] = cpu::ZETA_CAPABILITY::load<Bits>(source + i * source_stride);
    }
    transpose_square<Bits>(square);
    for (int i = 0; i < kSquare; ++i) {
      Scalar* const line = destination + i * destination_stride;
      streams ? stream_line(line, &square[i]) : cpu::ZETA_CAPABILITY::store(line, square[i]);
    }
  }

  int64_t length_;
  int64_t stride_;
  bool streams_;
  Scratch<Scalar> scratch_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
