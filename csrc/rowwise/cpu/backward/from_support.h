#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "rowwise/cpu/backward/row_writer.h"
#include "rowwise/cpu/backward/support_gradient.h"
#include "rowwise/float16.h"
#include "rowwise/row_geometry.h"
#include "rowwise/saved_support.h"

// The backward from a known support, which reads no other entries of the gradient.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Reads the gradient of a row at the indices of its support, whose entries are `support_step`
// apart. Skips what is no index of the row, or not above the one before.
template <class Gradient, class Scalar>
inline void load_gradient(Gradient& gradient, int32_t const* support, int64_t support_step,
                          int64_t capacity, Scalar const* grad_weights, int64_t grad_step,
                          int64_t length) {
  gradient.clear();
  int64_t const listed = std::min<int64_t>(support[0], capacity);
  int64_t previous = -1;
  for (int64_t i = 1; i <= listed; ++i) {
    int64_t const column = support[i * support_step];
    if (column <= previous || column >= length) continue;
    gradient.add(column, grad_weights[column * grad_step]);
    previous = column;
  }
}

// Prefetches entries of the gradient that a later row needs.
template <class Scalar>
inline void prefetch_gradient(int32_t const* support, int64_t support_step, int64_t capacity,
                              Scalar const* grad_weights, int64_t grad_step) {
  constexpr int64_t kMostPrefetched = 16;
  int64_t const listed = std::min<int64_t>(support[0], std::min(capacity, kMostPrefetched));
  // Addresses are integers here, since what a support holds need not be an index of the row.
  auto const first = reinterpret_cast<uintptr_t>(grad_weights);
  auto const step = static_cast<uintptr_t>(grad_step) * sizeof(Scalar);
  for (int64_t i = 1; i <= listed; ++i) {
    auto const column = static_cast<uintptr_t>(support[i * support_step]);
    __builtin_prefetch(reinterpret_cast<void const*>(first + column * step));
  }
}

template <template <class> class MappingOf, class Scalar>
void support_backward(double, RowGeometry<3> const& geometry, Scalar* grad_logits,
                      Scalar const* grad_weights, int32_t const* support, int64_t capacity,
                      int64_t first_row, int64_t last_row) {
  constexpr int64_t kRowsAhead = 8;
  int64_t const length = geometry.length;
  int64_t const result_step = geometry.stride[0];
  int64_t const grad_step = geometry.stride[1];
  int64_t const support_step = geometry.stride[2];
  capacity = std::min(capacity, length);
  // A mapping whose slope varies over the support would need the weights here, too.
  static_assert(typename MappingOf<widened_t<Scalar>>::Slope(/*alpha=*/2)(0.25) == 1);
  auto const slope = [](int64_t) { return 1.0; };
  SupportGradient<Scalar> gradient(Integers<Scalar>(geometry.full_length), capacity);
  RowWriter<Scalar> result(length, capacity);
  for (int64_t row = first_row; row < last_row; ++row) {
    int64_t offsets[3];
    if (row + kRowsAhead < last_row) {
      geometry.offsets(row + kRowsAhead, offsets);
      prefetch_gradient(support + offsets[2], support_step, capacity, grad_weights + offsets[1],
                        grad_step);
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
    load_gradient(gradient, columns, support_step, capacity, grad_weights + offsets[1], grad_step,
                  length);
    if (result_step == 1) {
      result.begin_row(destination);
      gradient.for_each(slope, [&](int64_t column, Scalar grad) { result.add(column, grad); });
    } else {
      gradient.for_each(
          slope, [&](int64_t column, Scalar grad) { destination[column * result_step] = grad; });
    }
  }
  result.write();
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
