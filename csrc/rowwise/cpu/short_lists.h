#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "mappings/short_terms.h"
#include "rowwise/cpu/conversion.h"
#include "rowwise/cpu/lane_limits.h"
#include "rowwise/cpu/sort_lanes.h"
#include "rowwise/cpu/sorted_supports.h"
#include "rowwise/cpu/vector.h"
#include "rowwise/float16.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Whether a support may reach a number that is no multiple of the unit of short terms.
template <class Scalar>
inline bool has_fine(Floats const* columns, int count, Floats lowest) {
  if constexpr (std::is_same_v<Scalar, BFloat16>) {
    constexpr float kLeast = mappings::ShortTerms::kLeastBFloat16;
    if (!any_lane(lowest < 2 * kLeast)) return false;
    Keys is_fine = {};
    for (int i = 0; i < count; ++i) {
      Floats const magnitude = larger(columns[i], -columns[i]);
      is_fine |= (magnitude < kLeast) & (magnitude > 0.0F);
    }
    return any_lane(is_fine & (lowest < 2 * kLeast));
  }
  return false;
}

// The bits of weights, given rounded to odd for half types.
template <class Scalar>
inline Floats narrowed_bits_of(Floats weights) {
  if constexpr (std::is_same_v<Scalar, BFloat16>) {
    auto const bits = reinterpret_cast<Vector<uint32_t>>(weights);
    return reinterpret_cast<Floats>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  } else if constexpr (std::is_same_v<Scalar, Float16>) {
    return reinterpret_cast<Floats>(lengthened(narrowed_to_float16(weights)));
  } else {
    return weights;
  }
}

// The weights of lists of a few candidates, one list to a lane, of which a copy is sorted.
template <class Mapping, class Scalar>
class ShortLists {
 public:
  using Fixed = typename Mapping::Fixed;
  // A network for twice as many leaves the registers, and passes over the lists are faster.
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
    auto const of = [&](int i) { return sorted[i]; };
    if constexpr (sizeof(Scalar) == 2) {
      if (fixed_.unit() <= mappings::ShortTerms::kUnit) {
        ShortSupports<Mapping> supports;
        supports.find(of, k);
        if (!has_fine<Scalar>(sorted, k, supports.lowest())) {
          for (int i = 0; i < count; ++i)
            columns[i] = narrowed_bits_of<Scalar>(supports.weights(columns[i]));
          return is_limited;
        }
      }
    }
    ExactSupports<Mapping> supports(fixed_);
    supports.find(of, k);
    for (int i = 0; i < count; ++i) {
      columns[i] = narrowed_bits_of<Scalar>(supports.template weights<Scalar>(columns[i]));
    }
    return is_limited;
  }

 private:
  // Leaves the k largest entries of each row. Of those that equal the last of them, which may be
  // more than there is room for, the first ones stay.
  [[gnu::noinline]] void keep_largest(Floats* sorted, Floats* columns, int count) const {
    Floats const last = sorted[k_ - 1];
    Keys room = {};
    for (int i = 0; i < k_; ++i) room -= sorted[i] == last;
    for (int i = 0; i < count; ++i) {
      Keys const is_tie = columns[i] == last;
      room += is_tie;
      Keys const is_out = (columns[i] < last) | (is_tie & (room < 0));
      columns[i] = is_out ? Floats{} - INFINITY : columns[i];
    }
    std::fill(sorted + k_, sorted + count, Floats{} - INFINITY);
  }

  Fixed fixed_;
  int k_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
