#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>

#include "rowwise/cpu/backward/gradient_groups.h"
#include "rowwise/cpu/backward/slope_at.h"
#include "rowwise/cpu/backward/support_gradient.h"
#include "rowwise/cpu/rows/buffer.h"
#include "rowwise/cpu/rows/nonzero_scan.h"
#include "rowwise/cpu/rows/write_sparse.h"
#include "rowwise/float16.h"
#include "rowwise/row_geometry.h"

// Maps the gradients of rows of weights to those of their logits.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

template <class Scalar>
inline Scalar not_a_number() {
  return narrow<Scalar>(std::numeric_limits<double>::quiet_NaN());
}

// Maps the gradients of contiguous rows, one by one.
template <template <class> class MappingOf, class Scalar>
class RowBackward {
 public:
  using Slope = typename MappingOf<widened_t<Scalar>>::Slope;

  RowBackward(Slope const& slope, Integers<Scalar> const& integers, int64_t length)
      : slope_(slope),
        length_(length),
        few_(std::max(kFew, length / kFewOf)),
        gradient_(integers, few_ + kPart),
        groups_(slope, integers, (length + kStep - 1) / kStep) {}

  void operator()(Scalar* grad_logits, Scalar const* grad_weights, Scalar const* weights) {
    if (!begins_crowded(weights) && find_few(grad_weights, weights)) {
      write_few(grad_logits);
    } else {
      find_groups(grad_weights, weights);
      write_groups(grad_logits);
    }
  }

 private:
  using Groups = GradientGroups<MappingOf, Scalar>;
  static constexpr int64_t kStep = Groups::kCount;
  // Supports of more entries than the larger of kFew and length / kFewOf cost less group by group.
  static constexpr int64_t kFew = 32;
  static constexpr int64_t kFewOf = 16;
  static constexpr int64_t kPart = 128;

  // Whether the row begins with so many entries of the support that to try it as one of few would
  // be in vain, or hardly pay.
  bool begins_crowded(Scalar const* weights) const {
    int64_t const part = std::min(kPart, length_ / kStep * kStep);
    int64_t count = 0;
    for (int64_t column = 0; column < part; column += kLanes<key_t<Scalar>>) {
      count += std::popcount(nonzero_lanes(weights + column));
    }
    return count > std::min(few_, part / 2);
  }

  // Collects the gradient on the support. Returns whether the support has few entries, and no NaN.
  bool find_few(Scalar const* grad_weights, Scalar const* weights) {
    int64_t count = 0;
    bool has_nan = false;
    gradient_.clear();
    for (int64_t first = 0; first < length_ && count <= few_; first += kPart) {
      int64_t const part = std::min(kPart, length_ - first);
      for_each_nonzero(weights + first, part, [&](int64_t i) {
        auto const weight = widen(weights[first + i]);
        has_nan = has_nan || weight != weight;
        gradient_.add(first + i, grad_weights[first + i], slope_at(slope_, weight));
        ++count;
      });
    }
    return count <= few_ && !has_nan;
  }

  void write_few(Scalar* grad_logits) {
    write_zeros(grad_logits, length_);
    gradient_.for_each([&](int64_t column, Scalar result) { grad_logits[column] = result; });
  }

  void find_groups(Scalar const* grad_weights, Scalar const* weights) {
    groups_.clear();
    for (int64_t column = 0; column < length_; column += kStep) {
      groups_.add(column, weights + column, grad_weights + column,
                  std::min(kStep, length_ - column));
    }
    groups_.subtract_one_mean();
  }

  void write_groups(Scalar* grad_logits) {
    if (groups_.is_nan(0)) {
      std::fill_n(grad_logits, length_, not_a_number<Scalar>());
      return;
    }
    if (groups_.size() * kStep < length_) write_zeros(grad_logits, length_);
    groups_.for_each([&](int64_t column, Scalar const* results) {
      if (column + kStep <= length_) {
        std::copy_n(results, kStep, grad_logits + column);  // of constant size, by vectors
      } else {
        std::copy_n(results, length_ - column, grad_logits + column);
      }
    });
  }

  Slope slope_;
  int64_t length_;
  int64_t few_;
  SupportGradient<MappingOf, Scalar> gradient_;
  Groups groups_;
};

// Maps the gradients of a few rows that are neighbours in memory at each index. `steps` are the
// distances from one index to the next in grad_logits, grad_weights and weights.
template <class Groups, class Scalar>
void backward_neighbours(Groups& groups, int64_t length, int64_t rows, int64_t const (&steps)[3],
                         Scalar* grad_logits, Scalar const* grad_weights, Scalar const* weights) {
  groups.clear();
  for (int64_t column = 0; column < length; ++column) {
    groups.add(column, weights + column * steps[2], grad_weights + column * steps[1], rows);
    write_zeros(grad_logits + column * steps[0], rows);
  }
  groups.subtract_means();
  groups.for_each([&](int64_t column, Scalar const* results) {
    std::copy_n(results, rows, grad_logits + column * steps[0]);
  });
  for (int64_t row = 0; row < rows; ++row) {
    if (!groups.is_nan(row)) continue;
    for (int64_t column = 0; column < length; ++column) {
      grad_logits[column * steps[0] + row] = not_a_number<Scalar>();
    }
  }
}

// Groups of longer rows would take much memory, and are in no cache when they are read again.
inline constexpr int64_t kLongestRowOfNeighbours = 65536;

// Whether rows that follow each other are neighbours in memory in every operand.
inline bool has_neighbours(RowGeometry<3> const& geometry) {
  return std::all_of(geometry.batch_strides[0], geometry.batch_strides[0] + 3,
                     [](int64_t stride) { return stride == 1; });
}

template <template <class> class MappingOf, class Scalar>
void backward_by_neighbours(double alpha, RowGeometry<3> const& geometry, Scalar* grad_logits,
                            Scalar const* grad_weights, Scalar const* weights, int64_t first_row,
                            int64_t last_row) {
  using Groups = GradientGroups<MappingOf, Scalar>;
  Groups groups(typename Groups::Slope(alpha), Integers<Scalar>(geometry.full_length),
                geometry.length);
  int64_t rows;
  for (int64_t row = first_row; row < last_row; row += rows) {
    int64_t offsets[3];
    geometry.offsets(row, offsets);
    int64_t const last_neighbour = row + geometry.evenly_spaced_rows(row);
    rows = std::min<int64_t>(Groups::kCount, std::min(last_neighbour, last_row) - row);
    backward_neighbours(groups, geometry.length, rows, geometry.stride, grad_logits + offsets[0],
                        grad_weights + offsets[1], weights + offsets[2]);
  }
}

template <template <class> class MappingOf, class Scalar>
void backward(double alpha, RowGeometry<3> const& geometry, Scalar* grad_logits,
              Scalar const* grad_weights, Scalar const* weights, int64_t first_row,
              int64_t last_row) {
  if (geometry.stride[0] != 1 && geometry.length <= kLongestRowOfNeighbours &&
      has_neighbours(geometry)) {
    backward_by_neighbours<MappingOf>(alpha, geometry, grad_logits, grad_weights, weights,
                                      first_row, last_row);
    return;
  }
  using Row = RowBackward<MappingOf, Scalar>;
  Row backward_row(typename Row::Slope(alpha), Integers<Scalar>(geometry.full_length),
                   geometry.length);
  RowBuffer<Scalar> result_row(geometry.length, geometry.stride[0]);
  RowBuffer<Scalar> grad_row(geometry.length, geometry.stride[1]);
  RowBuffer<Scalar> weight_row(geometry.length, geometry.stride[2]);
  for (int64_t row = first_row; row < last_row; ++row) {
    int64_t offsets[3];
    geometry.offsets(row, offsets);
    Scalar* const destination = grad_logits + offsets[0];
    backward_row(result_row.writable(destination), grad_row.load(grad_weights + offsets[1]),
                 weight_row.load(weights + offsets[2]));
    result_row.store(destination);
  }
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
