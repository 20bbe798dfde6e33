#pragma once

#include <cstdint>

#include "mappings/estimates.h"
#include "rowwise/cpu/lanes/limits.h"
#include "rowwise/cpu/rows/estimate_by_search.h"
#include "rowwise/cpu/vectors/vector.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Thresholds that no rows' are below, relative to their maxima.
template <class Mapping>
Floats lowest_thresholds(Mapping const& mapping) {
  return Floats{} + static_cast<float>(mapping.below(mapping.lowest_threshold()));
}

// Estimates the thresholds of rows that lie one to a lane, relative to their maxima, as
// estimate_root() does, over their entries or over some of them, in so many passes at most.
template <class Mapping>
[[gnu::noinline]] Floats estimate_roots(Mapping const& mapping, Floats const* columns, int count,
                                        Floats maxima, Floats starts, int passes) {
  auto const b = static_cast<float>(mapping.b());
  Floats c = smaller(starts * -b, Floats{} + 1.0F);
  for (int pass = 0; pass < passes; ++pass) {
    Floats weights = {};
    Floats slopes = {};
    for (int column = 0; column < count; ++column) {
      auto const level = mapping.estimated_level(columns[column] - maxima, c);
      weights += level.weights;
      slopes += level.slopes;
    }
    Floats const last = c;
    c = any_lane(mappings::is_far_above_root(weights))
            ? mappings::next_estimate(c, weights, slopes, b)
            : mappings::next_estimate_by_sum(c, weights, slopes, b);
    Floats const step = larger(c - last, last - c);
    if (!any_lane(step > c * mappings::kLastStep)) break;
  }
  return c / -b;
}

// Returns thresholds that are not above those of rows that hold these entries.
template <class Mapping>
Floats thresholds_below(Mapping const& mapping, Floats const* columns, int count, Floats maxima,
                        int passes) {
  Floats const lowest = lowest_thresholds(mapping);
  if constexpr (!Mapping::kHasReach) {
    return lowest;
  } else {
    float const error = root_estimate_error(int64_t{count} * kLanes<float>);
    return estimate_roots(mapping, columns, count, maxima, lowest, passes) -
           error / static_cast<float>(mapping.b());
  }
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
