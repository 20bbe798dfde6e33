#pragma once

#include <cstdint>

#include "rowwise/cpu/forward/compact_rows.h"
#include "rowwise/cpu/forward/group_largest.h"
#include "rowwise/cpu/lanes/lists_by_search.h"
#include "rowwise/cpu/lanes/lists_by_sorting.h"
#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/cpu/rows/support.h"
#include "rowwise/cpu/rows/taken_rows.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/cpu/vectors/conversion.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Maps a group of rows, as many as a vector of floats has lanes, to their weights that are not 0,
// for small k: the k largest entries of a row have the weights that they have in the row.
template <template <class> class MappingOf, class Scalar>
class CompactGroup {
 public:
  using Mapping = MappingOf<float>;
  using Fixed = typename Mapping::Fixed;
  static constexpr int kRows = GroupLargest<Scalar>::kRows;

  static bool takes(int64_t length, int64_t k) {
    return k <= GroupLargest<Scalar>::kMostLargest &&
           length * static_cast<int64_t>(sizeof(Scalar)) <= tuning::kLargestCompactRow;
  }

  CompactGroup(Fixed const& fixed, int64_t length, int64_t k, CompactRows<Scalar>& results)
      : fixed_(fixed), length_(length), results_(results), largest_(length, k) {
    weights_.reserve(kRows * GroupLargest<Scalar>::kMostLargest);
  }

  // The first of the results has the number `row`. Returns the rows that it did not write, as a bit
  // mask.
  uint64_t operator()(TakenRows<Scalar> const& taken, int64_t row) {
    largest_.scan(taken);
    uint64_t const left_out = largest_.find(taken, lower_bounds());
    weigh();
    for (int i = 0; i < kRows; ++i) {
      if ((left_out >> i & 1U) == 0) write(i, row + i);
    }
    for_each_lane(largest_.nan_rows(),
                  [&](int i) { results_.write_nan(row + i, taken.logits + i * length_); });
    return left_out & ~largest_.nan_rows();
  }

 private:
  Floats lower_bounds() const {
    Floats bounds = largest_.maxima();
    for (int i = 0; i < kRows; ++i) bounds[i] = Mapping(bounds[i], fixed_).lower_bound();
    return bounds;
  }

  void weigh() {
    int const count = largest_.count();
    if constexpr (kHasSearch<Mapping>) {
      // The first entries are the maxima, but for rows that are left out.
      weigh_by_search<Mapping>(fixed_, largest_.entries(), count, largest_.entries()[0],
                               lowest_thresholds(Mapping(0, fixed_)), weights_.data());
    } else {
      Floats weights[GroupLargest<Scalar>::kMostLargest];
      std::copy_n(largest_.entries(), count, weights);
      weigh_by_sorted<Mapping, Scalar>(fixed_, largest_.entries(), count, weights, count);
      for (int i = 0; i < count; ++i) {
        auto const bits = reinterpret_cast<Vector<uint32_t>>(weights[i]);
        if constexpr (sizeof(Scalar) == 2) {
          store(weights_.data() + i * kRows, shortened(bits));
        } else {
          store(weights_.data() + i * kRows, bits);
        }
      }
    }
  }

  void write(int i, int64_t row) {
    results_.write(
        row, largest_.count(), [&](int64_t place) { return weights_.data()[place * kRows + i]; },
        [&](int64_t place) { return largest_.column(i, static_cast<int>(place)); });
  }

  Fixed fixed_;
  int64_t length_;
  CompactRows<Scalar>& results_;
  GroupLargest<Scalar> largest_;
  Scratch<Scalar> weights_;  // of the largest entries, those of one entry of each row side by side
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
