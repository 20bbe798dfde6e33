#pragma once

#include <algorithm>
#include <cstdint>

#include "rowwise/cpu/forward/any_strides.h"
#include "rowwise/cpu/forward/collect_support.h"
#include "rowwise/cpu/forward/contiguous.h"
#include "rowwise/cpu/rows/dense_rows.h"
#include "rowwise/cpu/rows/taken_rows.h"
#include "rowwise/row_geometry.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Gives out rows, and collects their supports as soon as their weights are written, while these are
// in a near cache. Operands of the geometry: weights, logits, support, ...
template <class Rows, int Operands, class Scalar>
class RowsWithSupport {
 public:
  RowsWithSupport(Rows& rows, RowGeometry<Operands> const& geometry, Scalar const* weights,
                  int32_t* support, int64_t k)
      : rows_(rows),
        geometry_(geometry),
        weights_(weights),
        support_(support),
        capacity_(std::min(k, geometry.length)) {}

  int64_t left() const { return rows_.left(); }

  TakenRows<Scalar> take(int64_t rows) {
    auto const taken = rows_.take(rows);
    first_ = taken.first;
    last_ = taken.first + rows;
    return taken;
  }

  template <class TakeBack>
  void finish(TakeBack const& take_back) {
    rows_.finish(take_back);
    collect_support(geometry_, weights_, support_, capacity_, first_, last_);
  }

 private:
  Rows& rows_;
  RowGeometry<Operands> const& geometry_;
  Scalar const* weights_;
  int32_t* support_;
  int64_t capacity_;
  int64_t first_ = 0;
  int64_t last_ = 0;
};

// Weights of this size are still in the nearest cache when their support is collected.
inline constexpr int64_t kCollectedBytes = 32768;

// Maps rows, masked or not, by forward_rows(first, last), a few at a time, and collects their
// supports.
template <int Operands, class Scalar, class Forward>
void forward_and_collect(RowGeometry<Operands> const& geometry, Scalar const* weights,
                         int32_t* support, int64_t k, int64_t first_row, int64_t last_row,
                         Forward const& forward_rows) {
  int64_t const bytes_of_row = geometry.length * static_cast<int64_t>(sizeof(Scalar));
  int64_t const step = std::max<int64_t>(1, kCollectedBytes / bytes_of_row);
  for (int64_t row = first_row; row < last_row; row += step) {
    int64_t const next_row = std::min(row + step, last_row);
    forward_rows(row, next_row);
    collect_support(geometry, weights, support, std::min(k, geometry.length), row, next_row);
  }
}

template <template <class> class MappingOf, class Scalar>
void forward_with_support(double alpha, RowGeometry<3> const& geometry, Scalar* weights,
                          Scalar const* logits, int32_t* support, int64_t k, int64_t first_row,
                          int64_t last_row) {
  if (!geometry.is_dense(0) || !geometry.is_dense(1)) {
    auto const rows = with_operands<2>(geometry);
    return forward_and_collect(
        geometry, weights, support, k, first_row, last_row, [&](int64_t first, int64_t last) {
          forward_from_copies<MappingOf>(alpha, rows, weights, logits, /*mask=*/nullptr, k, first,
                                         last, /*streams=*/false);
        });
  }
  DenseRows<Scalar> rows(logits, geometry.length, first_row, last_row, geometry.rows);
  RowsWithSupport with_support(rows, geometry, weights, support, k);
  ContiguousForward<MappingOf, Scalar> forward_contiguous(
      fixed_of<MappingOf, Scalar>(alpha, geometry), geometry.length, k, /*streams=*/false);
  forward_contiguous(with_support, weights);
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
