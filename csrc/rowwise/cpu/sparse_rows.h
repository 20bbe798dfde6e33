#pragma once

#include <algorithm>
#include <cstdint>

#include "rowwise/cpu/scratch.h"
#include "rowwise/cpu/sparse_row.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Writes contiguous rows that are zero but for few entries. Rows that follow each other without a
// gap are collected and written as one, so that short rows fill whole lines.
template <class Scalar>
class SparseRows {
 public:
  // Of a result of `rows` rows, of which each has at most `most_entries` that are not zero.
  SparseRows(int64_t rows, int64_t length, int64_t most_entries)
      : length_(length),
        rows_together_(std::max<int64_t>(1, kTogether / length)),
        streams_(is_streamed(rows * length * static_cast<int64_t>(sizeof(Scalar)))) {
    columns_.reserve(rows_together_ * most_entries);
    values_.reserve(rows_together_ * most_entries);
  }

  void begin_row(Scalar* row) {
    if (row != first_ + rows_ * length_ || rows_ == rows_together_) {
      write();
      first_ = row;
    }
    before_row_ = static_cast<int32_t>(rows_ * length_);
    ++rows_;
  }

  // In the order of the columns.
  void add(int32_t column, Scalar value) {
    columns_.data()[count_] = before_row_ + column;
    values_.data()[count_++] = value;
  }

  // Has to be called after the last row, and before other memory may count on the rows.
  void write_all() {
    write();
    if (streams_) stream_fence();
  }

 private:
  static constexpr int64_t kTogether = 4096;  // entries

  void write() {
    if (rows_ == 0) return;
    int64_t const length = rows_ * length_;
    if (streams_) {
      stream_sparse_row(first_, length, count_, columns_.data(), values_.data());
    } else {
      write_sparse_row(first_, length, count_, columns_.data(), values_.data());
    }
    rows_ = 0;
    count_ = 0;
  }

  int64_t length_;
  int64_t rows_together_;
  bool streams_;
  Scalar* first_ = nullptr;
  int64_t rows_ = 0;
  int64_t count_ = 0;
  int32_t before_row_ = 0;
  Scratch<int32_t> columns_;
  Scratch<Scalar> values_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
