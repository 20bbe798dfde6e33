#pragma once

#include <algorithm>
#include <cstdint>

#include "mappings/wide_terms.h"
#include "rowwise/cpu/lanes/limits.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/vector.h"

// Finds the k largest terms of a row of which more than k are above a threshold. Terms are
// integers: two vectors of them belong to a vector of entries, as the parts of part_of() do.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// `count` terms are above `floor`.
struct TermsAbove {
  int32_t floor;
  int32_t count;
};

namespace detail {

struct PartedTerms {
  int32_t above;       // how many terms are above the middle
  int32_t next_above;  // the smallest of them
  int32_t next_below;  // the largest of the others
};

inline PartedTerms part_terms(Keys const* terms, Keys const* end, int32_t middle) {
  Keys const middles = Keys{} + middle;
  Keys above = {};
  Keys next_above = {};
  Keys next_below = Keys{} + mappings::WideTerms::kLowest;
  for (; terms < end; ++terms) {
    Keys const term = *terms;
    auto const is_above = term > middles;
    above -= is_above;
    next_above = is_above ? smaller(next_above, term) : next_above;
    next_below = is_above ? next_below : larger(next_below, term);
  }
  return {sum_of_lanes<int32_t>(above), smallest_of_lanes<int32_t>(next_above),
          largest_of_lanes<int32_t>(next_below)};
}

// Looks where the k-th largest term would be if the terms lay evenly, and in the middle if that
// takes long.
inline int32_t kth_largest_term(Keys const* terms, Keys const* end, int32_t k, TermsAbove all) {
  int32_t low = all.floor + 1;  // `reaching` terms reach it, k or more
  int32_t reaching = all.count;
  int32_t high = 0;  // `above` terms are above it, fewer than k
  int32_t above = 0;
  for (int step = 0; low < high; ++step) {
    double const even = static_cast<double>(reaching - k) / (reaching - above);
    double const part = step < tuning::kStepsByCount ? even : 0.5;
    int32_t const middle = std::min(low + static_cast<int32_t>(part * (high - low)), high - 1);
    auto const parted = part_terms(terms, end, middle);
    if (parted.above == k) return parted.next_above;
    if (parted.above > k) {
      low = parted.next_above;
      reaching = parted.above;
    } else {
      high = parted.next_below;
      above = parted.above;
    }
  }
  return low;
}

// Replaces the terms that equal `tie` by kLowest, except for the first `kept`.
template <class Scalar>
inline void keep_first_ties(Keys* terms, Keys const* end, int32_t tie, int32_t kept) {
  Keys const ties = Keys{} + tie;
  Keys const lowest = Keys{} + mappings::WideTerms::kLowest;
  for (; terms < end && kept > 0; terms += 2) {
    int32_t const count = -sum_of_lanes<int32_t>((terms[0] == ties) + (terms[1] == ties));
    for (int i = 0; count > kept && i < 2 * kLanes<int32_t>; ++i) {
      auto const [part, lane] = place_in_parts<Scalar>(i);
      if (terms[part][lane] == tie && --kept < 0) terms[part][lane] = mappings::WideTerms::kLowest;
    }
    kept -= std::min(count, kept);
  }
  for (; terms < end; ++terms) *terms = *terms == ties ? lowest : *terms;
}

}  // namespace detail

// Replaces all but the k largest terms by kLowest; the first ones of equal terms stay. No term is
// above 0.
template <class Scalar>
[[gnu::noinline]] void keep_largest_terms(Keys* terms, Keys* end, int32_t k, TermsAbove all) {
  int32_t const last = detail::kth_largest_term(terms, end, k, all);
  Keys const least = Keys{} + last;
  Keys above = {};
  for (Keys* i = terms; i < end; ++i) {
    above -= *i > least;
    *i = *i >= least ? *i : Keys{} + mappings::WideTerms::kLowest;
  }
  detail::keep_first_ties<Scalar>(terms, end, last, k - sum_of_lanes<int32_t>(above));
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
