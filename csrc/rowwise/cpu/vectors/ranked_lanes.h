#pragma once

#include <cstdint>

#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/vector.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// An entry of each of several lists and its place in the list. Of equal entries the earlier one
// counts as larger, so that sort_lanes() keeps their order.
struct RankedLanes {
  Floats entries;
  Vector<int32_t> places;
};

[[gnu::always_inline]] inline void put_larger_first(RankedLanes& a, RankedLanes& b) {
  auto const [entry, place] = a;
  auto const is_in_order = (entry > b.entries) | ((entry == b.entries) & (place < b.places));
  a.entries = is_in_order ? entry : b.entries;
  a.places = is_in_order ? place : b.places;
  b.entries = is_in_order ? b.entries : entry;
  b.places = is_in_order ? b.places : place;
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
