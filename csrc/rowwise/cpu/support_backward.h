#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "mappings/weighted_mean.h"
#include "rowwise/cpu/scratch.h"
#include "rowwise/cpu/sparse_rows.h"
#include "rowwise/float16.h"
#include "rowwise/row_geometry.h"
#include "rowwise/saved_support.h"

// The backward that knows the support and reads no more of the gradient than that.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// The gradient of one row on its support, of mappings whose slope there is 1.
template <template <class> class MappingOf, class Scalar>
class SupportGradient {
 public:
  using Real = widened_t<Scalar>;
  using WeightedMean = mappings::WeightedMean<Real>;
  static_assert(MappingOf<Real>::slope(0.25) == 1 && MappingOf<Real>::slope(1) == 1);

  SupportGradient(int64_t length, int64_t capacity)
      : length_(length), integers_(length), capacity_(capacity) {
    columns_.reserve(capacity_);
    grads_.reserve(capacity_);
  }

  // Reads the gradient at the columns of a support, whose entries are `support_step` apart.
  void load(int32_t const* support, int64_t support_step, Scalar const* grad_weights,
            int64_t grad_step) {
    int64_t const listed = std::min<int64_t>(support[0], capacity_);
    int32_t* const columns = columns_.data();
    double* const grads = grads_.data();
    int32_t previous = -1;
    count_ = 0;
    for (int64_t i = 1; i <= listed; ++i) {
      int32_t const column = support[i * support_step];
      if (column <= previous || column >= length_) continue;
      columns[count_] = previous = column;
      grads[count_++] = static_cast<double>(widen(grad_weights[column * grad_step]));
    }
  }

  // Calls visit(column, gradient) for each column, in order.
  template <class Visit>
  void for_each(Visit const& visit) const {
    double const* const grads = grads_.data();
    mappings::ProductScale scale;
    for (int64_t i = 0; i < count_; ++i) scale.add(1, grads[i]);
    WeightedMean const weighted_mean(scale, integers_);
    typename WeightedMean::Sum sum;
    for (int64_t i = 0; i < count_; ++i) sum.add(weighted_mean.term(1, grads[i]));
    auto const mean = weighted_mean.mean(sum);
    int32_t const* const columns = columns_.data();
    for (int64_t i = 0; i < count_; ++i) {
      visit(columns[i], narrow<Scalar>(mean.subtracted_from(grads[i])));
    }
  }

 private:
  int64_t length_;
  typename WeightedMean::Integers integers_;
  int64_t capacity_;
  int64_t count_ = 0;
  Scratch<int32_t> columns_;
  Scratch<double> grads_;
};

// Asks for the entries of the gradient that a later row needs.
template <class Scalar>
inline void prefetch_gradient(int32_t const* support, int64_t support_step,
                              Scalar const* grad_weights, int64_t grad_step) {
  constexpr int32_t kMostPrefetched = 16;
  int32_t const count = std::min(support[0], kMostPrefetched);
  for (int32_t i = 1; i <= count; ++i) {
    __builtin_prefetch(grad_weights + support[i * support_step] * grad_step);
  }
}

template <template <class> class MappingOf, class Scalar>
void support_backward(RowGeometry<3> const& geometry, Scalar* grad_logits,
                      Scalar const* grad_weights, int32_t const* support, int64_t capacity,
                      int64_t first_row, int64_t last_row) {
  constexpr int64_t kRowsAhead = 8;
  int64_t const length = geometry.length;
  int64_t const result_step = geometry.stride[0];
  int64_t const grad_step = geometry.stride[1];
  int64_t const support_step = geometry.stride[2];
  capacity = std::min(capacity, length);
  SupportGradient<MappingOf, Scalar> gradient(length, capacity);
  SparseRows<Scalar> result(length, capacity);
  for (int64_t row = first_row; row < last_row; ++row) {
    int64_t offsets[3];
    if (row + kRowsAhead < last_row) {
      geometry.offsets(row + kRowsAhead, offsets);
      prefetch_gradient(support + offsets[2], support_step, grad_weights + offsets[1], grad_step);
    }
    geometry.offsets(row, offsets);
    Scalar* const destination = grad_logits + offsets[0];
    int32_t const* const columns = support + offsets[2];
    if (columns[0] < 0) {
      auto const not_a_number = narrow<Scalar>(std::numeric_limits<double>::quiet_NaN());
      result.write();
      for (int64_t i = 0; i < length; ++i) destination[i * result_step] = not_a_number;
      continue;
    }
    gradient.load(columns, support_step, grad_weights + offsets[1], grad_step);
    if (result_step == 1) {
      result.begin_row(destination);
      gradient.for_each([&](int32_t column, Scalar grad) { result.add(column, grad); });
    } else {
      gradient.for_each(
          [&](int32_t column, Scalar grad) { destination[column * result_step] = grad; });
    }
  }
  result.write();
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
