#pragma once

#include <cstdint>
#include <initializer_list>

#include "rowwise/cuda/tuning.h"
#include "rowwise/row_geometry.h"

// A plan depends on the device and on the shape of the rows.
namespace zeta::rowwise::cuda {

struct Device {
  int multiprocessors;
  int shared_bytes;  // of one multiprocessor
};

struct Shape {
  int64_t rows;
  int64_t length;
  int element_bytes;
  int64_t k;           // of a forward; the capacity of the support that a backward reads; else 0
  bool is_dense;       // rows are contiguous and follow each other without a gap, in every operand
  bool is_contiguous;  // each row is, in every operand
  bool is_aligned;     // each row begins at a multiple of 16 bytes, in every operand
  bool is_side_by_side;    // consecutive rows are neighbours in memory, in every operand
  int64_t neighbours = 1;  // this many rows in turn: the innermost batch dimension
  bool is_paired = false;  // two such rows can be read as one word of 4 bytes
  bool is_by_sums = true;  // whether kernels by sums take the mapping, see by_sums.h
  bool has_mask = false;   // which leaves entries out, and is one of the operands
};

// Returns the shared memory of a multiprocessor that one block can use.
constexpr int most_shared_bytes(Device const& device) {
  return device.shared_bytes - kSystemSharedBytes;
}

constexpr int64_t most_non_zeros(Shape const& shape) {
  return shape.k < shape.length ? shape.k : shape.length;
}

constexpr int64_t row_bytes(Shape const& shape) { return shape.length * shape.element_bytes; }

// Whether some row of a dense tensor does not begin at a multiple of 16 bytes.
constexpr bool is_loose(Shape const& shape) {
  return !shape.is_aligned || row_bytes(shape) % kChunkBytes != 0;
}

// Returns the shape of the rows of the geometry's first operands, which begin at `pointers`.
template <int Operands, class Scalar>
Shape shape_of(RowGeometry<Operands> const& geometry, std::initializer_list<Scalar const*> pointers,
               int64_t k = 0) {
  constexpr int kElementBytes = sizeof(Scalar);
  Shape shape = {.rows = geometry.rows,
                 .length = geometry.length,
                 .element_bytes = kElementBytes,
                 .k = k,
                 .is_dense = geometry.batch_dimensions <= 1,
                 .is_contiguous = true,
                 .is_aligned = true,
                 .is_side_by_side = geometry.batch_dimensions > 0};
  shape.neighbours = geometry.batch_dimensions > 0 ? geometry.batch_sizes[0] : 1;
  constexpr int kWordBytes = 4;
  shape.is_paired = kElementBytes == 2 && shape.neighbours % 2 == 0;
  int operand = 0;
  for (Scalar const* pointer : pointers) {
    bool const is_contiguous = geometry.stride[operand] == 1 || geometry.length == 1;
    shape.is_contiguous = shape.is_contiguous && is_contiguous;
    bool const is_alone = geometry.batch_dimensions == 0;
    bool const has_no_gaps = is_alone || geometry.batch_strides[0][operand] == geometry.length;
    shape.is_dense = shape.is_dense && is_contiguous && has_no_gaps;
    bool is_aligned = reinterpret_cast<uintptr_t>(pointer) % kChunkBytes == 0;
    for (int dimension = 0; dimension < geometry.batch_dimensions; ++dimension) {
      int64_t const bytes = geometry.batch_strides[dimension][operand] * kElementBytes;
      is_aligned = is_aligned && bytes % kChunkBytes == 0;
    }
    shape.is_aligned = shape.is_aligned && is_aligned;
    shape.is_side_by_side = shape.is_side_by_side && geometry.batch_strides[0][operand] == 1;
    bool is_paired =
        reinterpret_cast<uintptr_t>(pointer) % kWordBytes == 0 && geometry.stride[operand] % 2 == 0;
    for (int dimension = 1; dimension < geometry.batch_dimensions; ++dimension) {
      is_paired = is_paired && geometry.batch_strides[dimension][operand] % 2 == 0;
    }
    shape.is_paired = shape.is_paired && is_paired;
    ++operand;
  }
  return shape;
}

// Returns the shape of rows of which a mask, the last operand, leaves entries out.
template <class Scalar>
Shape shape_of_masked(RowGeometry<4> const& geometry, std::initializer_list<Scalar const*> pointers,
                      int64_t k) {
  auto shape = shape_of<4, Scalar>(geometry, pointers, k);
  shape.has_mask = true;
  shape.is_contiguous = shape.is_contiguous && (geometry.stride[3] == 1 || geometry.length == 1);
  return shape;
}

}  // namespace zeta::rowwise::cuda
