#pragma once

#include <cstdint>
#include <type_traits>

#include "mappings/root_search.h"
#include "rowwise/cpu/rows/entries.h"
#include "rowwise/cpu/rows/estimate_by_search.h"
#include "rowwise/cpu/rows/support_by_search.h"
#include "rowwise/cpu/rows/support_by_sums.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

using mappings::kHasSearch;

// Whether the threshold of entries can be estimated in float.
template <class Mapping, class Real>
inline constexpr bool kHasEstimate = std::is_same_v<Real, float> && Mapping::kHasReach;

// Estimates the threshold of the entries, relative to the maximum. The estimate is near the
// threshold and never above it, whether `start` is or not.
template <class Mapping, class Scalar>
Estimate estimate_support(Mapping const& mapping, Entries<Scalar> const& entries, float start) {
  if constexpr (kHasSearch<Mapping>) {
    return estimate_root(mapping, entries, start);
  } else {
    return estimate_threshold(mapping, entries, start);
  }
}

// Returns the estimate as a threshold that is not above that of the entries.
template <class Mapping>
typename Mapping::Threshold threshold_below(Mapping const& mapping, Estimate const& estimate) {
  if constexpr (kHasSearch<Mapping>) {
    return mapping.template threshold_below<double>(estimate.threshold, estimate.nearest);
  } else {
    return mapping.threshold_below(estimate.threshold);
  }
}

// Finds the support of entries that are not above the mapping's maximum. `threshold` must not be
// above theirs; the nearer it is, the fewer passes there may be.
template <class Mapping, class Scalar>
Support<Mapping, widened_t<Scalar>> find_support(Mapping const& mapping,
                                                 Entries<Scalar> const& entries, int64_t k,
                                                 typename Mapping::Threshold threshold) {
  if constexpr (kHasSearch<Mapping>) {
    return support_by_search(mapping, entries, k, threshold);
  } else {
    return support_by_sums(mapping, entries, k, threshold);
  }
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
