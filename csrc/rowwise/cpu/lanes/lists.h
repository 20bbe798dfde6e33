#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "mappings/short_terms.h"
#include "rowwise/cpu/lanes/limits.h"
#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/vector.h"
#include "rowwise/float16.h"

// What all lists of candidates in columns need. There is one list to a lane, in the order of the
// row.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Replaces the entries below `low`, and all but the first `ties` of those that equal it, by -inf.
inline void leave_out(Floats* columns, int count, Floats low, Keys ties) {
  for (int i = 0; i < count; ++i) {
    Keys const is_tie = columns[i] == low;
    Keys const is_out = (columns[i] < low) | (is_tie & (ties <= 0));
    ties += is_tie;
    columns[i] = is_out ? Floats{} - INFINITY : columns[i];
  }
}

// Whether a support may hold a number that is no multiple of the unit of ShortTerms. No entry of
// the support lies below `lowest`.
template <class Scalar>
inline bool has_fine(Floats const* columns, int count, Floats lowest) {
  if constexpr (std::is_same_v<Scalar, BFloat16>) {
    Keys const reaches_fine = lowest < mappings::ShortTerms::kReachOfFine;
    if (!any_lane(reaches_fine)) return false;
    Keys is_fine = {};
    for (int i = 0; i < count; ++i) {
      Floats const magnitude = larger(columns[i], -columns[i]);
      is_fine |= (magnitude < mappings::ShortTerms::kLeastBFloat16) & (magnitude > 0.0F);
    }
    return any_lane(is_fine & reaches_fine);
  }
  return false;
}

// Rounds weights, which are given rounded to odd for half types. Returns their bits, each in a
// 32-bit lane.
template <class Scalar>
inline Floats narrowed_lanes(Floats weights) {
  if constexpr (std::is_same_v<Scalar, BFloat16>) {
    return reinterpret_cast<Floats>(rounded_to_upper_half(weights) >> 16);
  } else if constexpr (std::is_same_v<Scalar, Float16>) {
    return reinterpret_cast<Floats>(lengthened(narrowed_to_float16(weights)));
  } else {
    return weights;
  }
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
