#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <ostream>

#include "numbers.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/row_geometry.h"

// Where the rows of an operand lie.

namespace zeta::fuzz {

// Rows along the dimension between two others.
struct Shape {
  int64_t outer;
  int64_t length;
  int64_t inner;

  int64_t rows() const { return outer * inner; }
};

inline std::ostream& operator<<(std::ostream& stream, Shape const& shape) {
  return stream << shape.outer << " x " << shape.length << " x " << shape.inner;
}

inline Shape any_shape(Input& input) {
  constexpr std::array<int64_t, 4> kLongest = {40, 600, 5000, 70000};
  constexpr int64_t kMostEntries = 6000;
  constexpr int64_t kMostRows = 300;  // several tiles of 64
  int const choice = input.ConsumeIntegralInRange(0, 31);
  int64_t const longest = kLongest[choice < 16 ? 0 : choice < 27 ? 1 : choice < 31 ? 2 : 3];
  Shape shape{1, input.ConsumeIntegralInRange<int64_t>(1, longest), 1};
  int64_t const most_rows = std::clamp<int64_t>(kMostEntries / shape.length, 1, kMostRows);
  shape.outer = input.ConsumeIntegralInRange<int64_t>(1, std::min<int64_t>(most_rows, 70));
  shape.inner = input.ConsumeIntegralInRange<int64_t>(1, most_rows / shape.outer);
  return shape;
}

// Usually that of the rows, else more, up to rows that fit into no machine.
inline int64_t any_full_length(Input& input, int64_t length) {
  constexpr int64_t kLongest = int64_t{1} << 40;
  if (input.ConsumeIntegralInRange(0, 7) != 0) return length;
  return std::max(length, kLongest >> input.ConsumeIntegralInRange(0, 40));
}

// Strides of outer, length and inner, in elements.
struct Layout {
  std::array<int64_t, 3> strides;
  int64_t offset;
};

inline Layout dense_layout(Shape const& shape) {
  return {{shape.inner * shape.length, 1, shape.length}, 0};
}

// The dimensions in any order, with gaps between them. What is only read may be expanded.
inline Layout any_layout(Input& input, Shape const& shape, bool is_read) {
  std::array<size_t, 3> order = {0, 1, 2};  // outermost first
  for (int i = input.ConsumeIntegralInRange(0, 5); i > 0; --i) {
    std::next_permutation(order.begin(), order.end());
  }
  std::array<int64_t, 3> const sizes = {shape.outer, shape.length, shape.inner};
  Layout layout{{}, input.ConsumeIntegralInRange(0, 3)};
  int64_t stride = 1;
  for (size_t i = 3; i-- > 0;) {
    stride += std::max(0, input.ConsumeIntegralInRange(-13, 2));
    layout.strides[order[i]] = stride;
    stride *= sizes[order[i]];
  }
  if (is_read && input.ConsumeIntegralInRange(0, 7) == 0) {
    layout.strides[input.ConsumeIntegralInRange<size_t>(0, 2)] = 0;
  }
  return layout;
}

template <size_t Operands>
rowwise::RowGeometry<static_cast<int>(Operands)> geometry_of(
    Shape const& shape, std::array<Layout, Operands> const& layouts, int64_t full_length) {
  auto const strides = [&](size_t dimension) {
    std::array<int64_t, Operands> result;
    for (size_t i = 0; i < Operands; ++i) result[i] = layouts[i].strides[dimension];
    return result;
  };
  rowwise::RowGeometryBuilder<static_cast<int>(Operands)> builder;
  builder.set_row(shape.length, strides(1));
  builder.add_batch_dimension(shape.outer, strides(0));
  builder.add_batch_dimension(shape.inner, strides(2));
  auto geometry = builder.build();
  geometry.full_length = full_length;
  return geometry;
}

// Makes a geometry's rows the last ones of so many that results are written around the caches. The
// rows before them exist as numbers only. Returns how many these are, and sets where they begin.
template <int Operands>
int64_t prepend_rows(rowwise::RowGeometry<Operands>& geometry, int64_t bytes_of_entry,
                     int64_t (&offsets)[Operands]) {
  std::fill_n(offsets, Operands, 0);
  if (geometry.batch_dimensions == 0) return 0;
  int const outermost = geometry.batch_dimensions - 1;
  int64_t& size = geometry.batch_sizes[outermost];
  int64_t const rows = geometry.rows / size;
  int64_t const more =
      rowwise::cpu::tuning::kStreamedBytes / (rows * geometry.length * bytes_of_entry) + 1;
  size += more;
  geometry.rows += more * rows;
  for (int operand = 0; operand < Operands; ++operand) {
    offsets[operand] = -more * geometry.batch_strides[outermost][operand];
  }
  return more * rows;
}

}  // namespace zeta::fuzz
