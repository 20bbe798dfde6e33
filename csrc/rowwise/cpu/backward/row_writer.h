#pragma once

#include <algorithm>
#include <cstdint>

#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/cpu/rows/write_sparse.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Writes contiguous rows that are zero but for a few entries. Rows that follow each other without a
// gap are collected and written as one, since zeros are written faster the more there are.
//
// The stores are ordinary ones for results of any size. Large results that the operators allocate
// are new memory, and the caches hold its pages since the system has just cleared them.
template <class Scalar>
class RowWriter {
 public:
  // Each row has at most `most_entries` that are not zero.
  RowWriter(int64_t length, int64_t most_entries)
      : length_(length), rows_together_(std::max<int64_t>(1, kTogether / length)) {
    columns_.reserve(rows_together_ * most_entries);
    values_.reserve(rows_together_ * most_entries);
  }

  void begin_row(Scalar* row) {
    if (row != first_ + rows_ * length_ || rows_ == rows_together_) {
      write();
      first_ = row;
    }
    before_row_ = rows_ * length_;
    ++rows_;
  }

  // Adds an entry to the row begun last. Indices increase.
  void add(int64_t column, Scalar value) {
    columns_.data()[count_] = before_row_ + column;
    values_.data()[count_++] = value;
  }

  // Writes the rows begun so far.
  void write() {
    if (rows_ == 0) return;
    write_sparse_row(first_, rows_ * length_, count_, columns_.data(), values_.data());
    rows_ = 0;
    count_ = 0;
  }

 private:
  static constexpr int64_t kTogether = 4096;  // entries

  int64_t length_;
  int64_t rows_together_;
  Scalar* first_ = nullptr;
  int64_t rows_ = 0;
  int64_t count_ = 0;
  int64_t before_row_ = 0;
  Scratch<int64_t> columns_;
  Scratch<Scalar> values_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
