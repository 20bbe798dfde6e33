#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "mappings/short_terms.h"
#include "rowwise/cpu/lanes/limits.h"
#include "rowwise/cpu/lanes/lists.h"
#include "rowwise/cpu/lanes/sorted_supports.h"
#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/sort_lanes.h"
#include "rowwise/cpu/vectors/vector.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Replaces the entries of rows, of which there is one in each lane, by the bits of their weights,
// given the k largest in order, or the support and -inf. Up to three entries after these are read.
template <class Mapping, class Scalar>
[[gnu::always_inline]] inline void weigh_by_sorted(typename Mapping::Fixed const& fixed,
                                                   Floats const* sorted, int k, Floats* columns,
                                                   int count) {
  auto const of = [&](int i) { return sorted[i]; };
  if constexpr (sizeof(Scalar) == 2) {
    if (fixed.unit() <= mappings::ShortTerms::kUnit) {
      ShortSupports<Mapping> supports;
      supports.find(of, k);
      if (!has_fine<Scalar>(sorted, k, supports.lowest())) {
        for (int i = 0; i < count; ++i) {
          columns[i] = narrowed_lanes<Scalar>(supports.weights(columns[i]));
        }
        return;
      }
    }
  }
  ExactSupports<Mapping> supports(fixed);
  supports.find(of, k);
  for (int i = 0; i < count; ++i) {
    columns[i] = narrowed_lanes<Scalar>(supports.template weights<Scalar>(columns[i]));
  }
}

// Computes the weights of short lists of candidates, one list to a lane, from a sorted copy.
template <class Mapping, class Scalar>
class ShortLists {
 public:
  using Fixed = typename Mapping::Fixed;
  // A network for twice as many does not fit into registers, and passes over the lists are faster.
  static constexpr int kLongest = 16;

  ShortLists(Fixed const& fixed, int64_t k) : fixed_(fixed), k_(static_cast<int>(k)) {}

  // `columns` holds the candidates of each row, in order, and then -inf. Replaces them by the bits
  // of their weights. Returns whether k limits a row.
  bool weigh(Floats* columns, int count) const {
    Floats sorted[kLongest];
    std::fill_n(sorted, kLongest, Floats{} - INFINITY);
    std::copy_n(columns, count, sorted);
    sort_lanes(sorted);
    int const k = std::min(k_, count);
    bool const is_limited = k < count && any_lane(sorted[k] > -INFINITY);
    if (is_limited) keep_largest(sorted, columns, count);
    weigh_by_sorted<Mapping, Scalar>(fixed_, sorted, k, columns, count);
    return is_limited;
  }

 private:
  // Replaces all but the k largest entries of each row by -inf.
  [[gnu::noinline]] void keep_largest(Floats* sorted, Floats* columns, int count) const {
    Keys ties = {};
    for (int i = 0; i < k_; ++i) ties -= sorted[i] == sorted[k_ - 1];
    leave_out(columns, count, sorted[k_ - 1], ties);
    std::fill(sorted + k_, sorted + count, Floats{} - INFINITY);
  }

  Fixed fixed_;
  int k_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
