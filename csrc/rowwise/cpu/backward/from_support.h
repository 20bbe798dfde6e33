#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "rowwise/cpu/backward/row_writer.h"
#include "rowwise/cpu/backward/slope_at.h"
#include "rowwise/cpu/backward/support_gradient.h"
#include "rowwise/float16.h"
#include "rowwise/row_geometry.h"
#include "rowwise/saved_support.h"

// The backward from a known support, which reads no other entries of the gradient.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Calls visit(column) for the indices of a row's support, whose entries are `support_step` apart.
// Skips what is no index of the row, or not above the one before.
template <class Visit>
inline void for_each_column(int32_t const* support, int64_t support_step, int64_t capacity,
                            int64_t length, Visit const& visit) {
  int64_t const listed = std::min<int64_t>(support[0], capacity);
  int64_t previous = -1;
  for (int64_t i = 1; i <= listed; ++i) {
    int64_t const column = support[i * support_step];
    if (column <= previous || column >= length) continue;
    visit(column);
    previous = column;
  }
}

// Prefetches entries of an operand that a later row needs.
template <class Scalar>
inline void prefetch_entries(int32_t const* support, int64_t support_step, int64_t capacity,
                             Scalar const* row, int64_t row_step) {
  constexpr int64_t kMostPrefetched = 16;
  int64_t const listed = std::min<int64_t>(support[0], std::min(capacity, kMostPrefetched));
  // Addresses are integers here, since what a support holds need not be an index of the row.
  auto const first = reinterpret_cast<uintptr_t>(row);
  auto const step = static_cast<uintptr_t>(row_step) * sizeof(Scalar);
  for (int64_t i = 1; i <= listed; ++i) {
    auto const column = static_cast<uintptr_t>(support[i * support_step]);
    __builtin_prefetch(reinterpret_cast<void const*>(first + column * step));
  }
}

template <template <class> class MappingOf, class Scalar>
class SupportBackward {
 public:
  using Slope = typename MappingOf<widened_t<Scalar>>::Slope;
  static constexpr bool kReadsWeights = !Slope::kIsConstant;

  // Of one row.
  struct Operands {
    Scalar* grad_logits;
    Scalar const* grad_weights;
    Scalar const* weights;
    int32_t const* support;
  };

  // The strides are those of the operands, from one entry of a row to the next.
  SupportBackward(double alpha, RowGeometry<4> const& geometry, int64_t capacity)
      : slope_(alpha),
        length_(geometry.length),
        capacity_(std::min(capacity, length_)),
        result_step_(geometry.stride[0]),
        grad_step_(geometry.stride[1]),
        weight_step_(geometry.stride[2]),
        support_step_(geometry.stride[3]),
        gradient_(Integers<Scalar>(geometry.full_length), capacity_),
        result_(length_, capacity_) {}

  // Prefetches what a later row needs.
  void prefetch(Operands const& row) const {
    prefetch_entries(row.support, support_step_, capacity_, row.grad_weights, grad_step_);
    if constexpr (kReadsWeights) {
      prefetch_entries(row.support, support_step_, capacity_, row.weights, weight_step_);
    }
  }

  void operator()(Operands const& row) {
    if (row.support[0] < 0) return fill_with_nan(row.grad_logits);
    load(row);
    if (result_step_ == 1) {
      result_.begin_row(row.grad_logits);
      gradient_.for_each([&](int64_t column, Scalar grad) { result_.add(column, grad); });
    } else {
      gradient_.for_each(
          [&](int64_t column, Scalar grad) { row.grad_logits[column * result_step_] = grad; });
    }
  }

  // To be called after the last row.
  void finish() { result_.write(); }

 private:
  void load(Operands const& row) {
    gradient_.clear();
    // These are copies, which no store to the gradient can change.
    Scalar const* const grad_weights = row.grad_weights;
    int64_t const grad_step = grad_step_;
    for_each_column(row.support, support_step_, capacity_, length_, [&](int64_t column) {
      double slope = 1;
      if constexpr (kReadsWeights) {
        slope = slope_at(slope_, widen(row.weights[column * weight_step_]));
      }
      gradient_.add(column, grad_weights[column * grad_step], slope);
    });
  }

  void fill_with_nan(Scalar* row) {
    result_.write();
    auto const not_a_number = narrow<Scalar>(std::numeric_limits<double>::quiet_NaN());
    for (int64_t i = 0; i < length_; ++i) row[i * result_step_] = not_a_number;
  }

  Slope slope_;
  int64_t length_;
  int64_t capacity_;
  int64_t result_step_;
  int64_t grad_step_;
  int64_t weight_step_;
  int64_t support_step_;
  SupportGradient<MappingOf, Scalar> gradient_;
  RowWriter<Scalar> result_;
};

template <template <class> class MappingOf, class Scalar>
void support_backward(double alpha, RowGeometry<4> const& geometry, Scalar* grad_logits,
                      Scalar const* grad_weights, Scalar const* weights, int32_t const* support,
                      int64_t capacity, int64_t first_row, int64_t last_row) {
  constexpr int64_t kRowsAhead = 8;
  using Backward = SupportBackward<MappingOf, Scalar>;
  Backward backward(alpha, geometry, capacity);
  auto const operands_of = [&](int64_t row) -> typename Backward::Operands {
    int64_t offsets[4];
    geometry.offsets(row, offsets);
    Scalar const* const weights_of_row = Backward::kReadsWeights ? weights + offsets[2] : nullptr;
    return {grad_logits + offsets[0], grad_weights + offsets[1], weights_of_row,
            support + offsets[3]};
  };
  for (int64_t row = first_row; row < last_row; ++row) {
    if (row + kRowsAhead < last_row) backward.prefetch(operands_of(row + kRowsAhead));
    backward(operands_of(row));
  }
  backward.finish();
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
