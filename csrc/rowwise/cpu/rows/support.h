#pragma once

#include <cstdint>

#include "mappings/root_search.h"
#include "rowwise/cpu/rows/entries.h"
#include "rowwise/cpu/rows/support_by_search.h"
#include "rowwise/cpu/rows/support_by_sums.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

using mappings::kHasSearch;

// Finds the support of entries that are not above the mapping's maximum. `threshold` must not be
// above theirs; the nearer it is, the fewer passes there may be.
template <class Mapping, class Scalar>
Support<Mapping, widened_t<Scalar>> find_support(Mapping const& mapping,
                                                 Entries<Scalar> const& entries, int64_t k,
                                                 typename Mapping::Threshold threshold) {
  if constexpr (kHasSearch<Mapping>) {
    return support_by_search(mapping, entries, k);
  } else {
    return support_by_sums(mapping, entries, k, threshold);
  }
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
