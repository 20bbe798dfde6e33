#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "mappings/short_terms.h"
#include "rowwise/cpu/lanes/limits.h"
#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/vector.h"
#include "rowwise/float16.h"

// Lists of candidates in columns, one list to a lane, in order.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Makes -inf of the entries below `low`, and of those that equal it after so many ties.
inline void leave_out(Floats* columns, int count, Floats low, Keys ties) {
  for (int i = 0; i < count; ++i) {
    Keys const is_tie = columns[i] == low;
    Keys const is_out = (columns[i] < low) | (is_tie & (ties <= 0));
    ties += is_tie;
    columns[i] = is_out ? Floats{} - INFINITY : columns[i];
  }
}

// Whether a support, of which no entry lies below `lowest`, may reach a number that is no multiple
// of the unit of short terms.
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

// The bits of weights, each in a lane of 32 bits, given rounded to odd for half types.
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
