#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "mappings/host_device.h"

// Tells where the rows of a few tensors of one shape lie in memory. A row is a slice along one
// dimension. The other dimensions are the batch; those whose strides allow it are merged.
namespace zeta::rowwise {

// Dimensions of size 1 are left out. 63 larger ones would hold more rows than int64_t can count.
inline constexpr int kMaxBatchDimensions = 62;

template <int Operands>
struct RowGeometry {
  int64_t rows = 1;
  int64_t length = 1;
  // Length of the full row. It differs from `length` only when each row holds some entries of a
  // longer one. It sets how sums are scaled, so that their bits are those of the full row's sums.
  int64_t full_length = 1;
  int64_t stride[Operands] = {};  // between neighbours in a row, in elements

  int batch_dimensions = 0;  // the number of sizes and strides below, innermost first
  int64_t batch_sizes[kMaxBatchDimensions] = {};
  int64_t batch_strides[kMaxBatchDimensions][Operands] = {};

  // Sets `result` to where row `row` begins in each operand, in elements.
  ZETA_HOST_DEVICE void offsets(int64_t row, int64_t (&result)[Operands]) const {
    for (int operand = 0; operand < Operands; ++operand) result[operand] = 0;
    ZETA_KEEP_LOOP
    for (int dimension = 0; dimension < batch_dimensions; ++dimension) {
      bool const outermost = dimension == batch_dimensions - 1;
      int64_t const rest = outermost ? 0 : row / batch_sizes[dimension];
      int64_t const index = row - rest * batch_sizes[dimension];
      for (int operand = 0; operand < Operands; ++operand) {
        result[operand] += index * batch_strides[dimension][operand];
      }
      row = rest;
    }
  }

  // Returns how many rows, from `row` on, follow each other at a distance of batch_strides[0] in
  // every operand.
  ZETA_HOST_DEVICE int64_t evenly_spaced_rows(int64_t row) const {
    return batch_dimensions == 0 ? 1 : batch_sizes[0] - row % batch_sizes[0];
  }

  // Whether the operand's rows are contiguous and follow each other without a gap.
  bool is_dense(int operand) const {
    if (stride[operand] != 1) return false;
    int64_t distance = length;
    for (int dimension = 0; dimension < batch_dimensions; ++dimension) {
      if (batch_strides[dimension][operand] != distance) return false;
      distance *= batch_sizes[dimension];
    }
    return true;
  }

  // Whether all operands are.
  bool is_dense() const {
    for (int operand = 0; operand < Operands; ++operand) {
      if (!is_dense(operand)) return false;
    }
    return true;
  }
};

// Returns the same geometry for fewer or more operands. The numbers of the rows stay. Operands that
// are added have strides of 0.
template <int Kept, int Operands>
ZETA_HOST_DEVICE RowGeometry<Kept> with_operands(RowGeometry<Operands> const& geometry) {
  constexpr int kShared = Kept < Operands ? Kept : Operands;
  RowGeometry<Kept> result;
  result.rows = geometry.rows;
  result.length = geometry.length;
  result.full_length = geometry.full_length;
  result.batch_dimensions = geometry.batch_dimensions;
  for (int operand = 0; operand < kShared; ++operand) {
    result.stride[operand] = geometry.stride[operand];
  }
  for (int dimension = 0; dimension < geometry.batch_dimensions; ++dimension) {
    result.batch_sizes[dimension] = geometry.batch_sizes[dimension];
    for (int operand = 0; operand < kShared; ++operand) {
      result.batch_strides[dimension][operand] = geometry.batch_strides[dimension][operand];
    }
  }
  return result;
}

// Builds a geometry dimension by dimension. Operand 0 is the one written: rows are numbered in the
// order of its memory.
template <int Operands>
class RowGeometryBuilder {
 public:
  using Strides = std::array<int64_t, Operands>;

  void set_row(int64_t size, Strides const& stride) {
    length_ = size;
    stride_ = stride;
  }

  void add_batch_dimension(int64_t size, Strides const& stride) {
    rows_ *= size;
    if (size == 1) return;
    auto const end = dimensions_.begin() + count_;
    auto const position = std::find_if(dimensions_.begin(), end, [&](Dimension const& other) {
      return other.stride[0] > stride[0];
    });
    std::copy_backward(position, end, end + 1);
    *position = {size, stride};
    ++count_;
  }

  RowGeometry<Operands> build() const {
    RowGeometry<Operands> geometry;
    geometry.rows = rows_;
    geometry.length = length_;
    geometry.full_length = length_;
    std::copy(stride_.begin(), stride_.end(), geometry.stride);
    for (int i = 0; i < count_; ++i) {
      if (!merge(dimensions_[i], geometry)) append(dimensions_[i], geometry);
    }
    return geometry;
  }

 private:
  struct Dimension {
    int64_t size;
    Strides stride;
  };

  static bool merge(Dimension const& outer, RowGeometry<Operands>& geometry) {
    if (geometry.batch_dimensions == 0) return false;
    int const last = geometry.batch_dimensions - 1;
    for (int operand = 0; operand < Operands; ++operand) {
      int64_t const inner = geometry.batch_strides[last][operand];
      if (outer.stride[operand] != inner * geometry.batch_sizes[last]) return false;
    }
    geometry.batch_sizes[last] *= outer.size;
    return true;
  }

  static void append(Dimension const& dimension, RowGeometry<Operands>& geometry) {
    int const position = geometry.batch_dimensions++;
    geometry.batch_sizes[position] = dimension.size;
    std::copy(dimension.stride.begin(), dimension.stride.end(), geometry.batch_strides[position]);
  }

  int64_t rows_ = 1;
  int64_t length_ = 1;
  Strides stride_ = {};
  int count_ = 0;
  // Sorted by their stride in operand 0. They are not initialised, since that takes longer than
  // building the geometry.
  std::array<Dimension, kMaxBatchDimensions + 1> dimensions_;
};

}  // namespace zeta::rowwise
