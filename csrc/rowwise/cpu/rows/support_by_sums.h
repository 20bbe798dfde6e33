#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "rowwise/cpu/rows/entries.h"
#include "rowwise/cpu/rows/largest_entries.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/vector.h"

// Finds the support of some entries of a row, for mappings whose threshold follows from a sum of
// terms.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

template <class Mapping, class Real>
struct SumAndSmallest {
  typename Mapping::Sum sum;
  Real smallest = std::numeric_limits<Real>::infinity();
};

// The exact sum of the terms for which includes(logit, term) holds, and the smallest of their
// logits.
template <class Mapping, class Scalar, class Includes>
inline auto sum_if(Mapping const& mapping, Entries<Scalar> const& entries,
                   Includes const& includes) {
  using Real = widened_t<Scalar>;
  SumAndSmallest<Mapping, Real> result;
  if constexpr (std::is_same_v<Real, double>) {
    for (int64_t i = 0; i < entries.count; ++i) {
      double const logit = entries.data[i];
      if (logit < mapping.lower_bound()) continue;
      auto const term = mapping.term(logit);
      if (!includes(logit, term)) continue;
      result.sum.add(term);
      result.smallest = std::min(result.smallest, logit);
    }
  } else {
    // There are two accumulators of each kind, so that neither waits for the other.
    Doubles const none = Doubles{} + std::numeric_limits<double>::infinity();
    Vector<uint64_t> sums[2] = {};
    Vector<int64_t> counts[2] = {};
    Doubles smallest[2] = {none, none};
    entries.for_each_vector([&](Floats z) {
      int half = 0;
      for_each_half(z, [&](Doubles logits) {
        auto const terms = mapping.terms(logits);
        auto const is_included = includes(logits, terms);
        sums[half] += is_included ? bits_of(terms) : Vector<uint64_t>{};
        counts[half] -= is_included;
        smallest[half] = smaller(smallest[half], is_included ? logits : none);
        ++half;
      });
    });
    auto const count = counts[0] + counts[1];
    auto const of_maximum = bits_of(Doubles{} + mapping.term_of_maximum());
    auto const sum = sums[0] + sums[1] - reinterpret_cast<Vector<uint64_t>>(count) * of_maximum;
    result.sum = {{sum_of_lanes<int64_t>(reinterpret_cast<Vector<int64_t>>(sum))},
                  sum_of_lanes<int64_t>(count)};
    result.smallest =
        static_cast<Real>(smallest_of_lanes<double>(smaller(smallest[0], smallest[1])));
  }
  return result;
}

// How far the sums of floats below, divided by their counts, can be off: half a unit in the last
// place for each partial sum.
inline float estimate_error(int64_t count) {
  int64_t const additions = count / kLanes<float> + int64_t{2} * kLanes<float>;
  return static_cast<float>(additions) * std::numeric_limits<float>::epsilon();
}

struct Estimate {
  float threshold;  // relative to the maximum
  int64_t count;    // about how many entries are above it
  float nearest;    // threshold, which may be above that of the entries
};

// Estimates the threshold of the entries, relative to the maximum, by Michelot's iteration in
// float. The estimate is near the threshold and never above it. `start` may be above it: what the
// entries above `start` imply is not, since the threshold of some entries is at most that of all.
template <class Mapping, class Scalar>
inline Estimate estimate_threshold(Mapping const& mapping, Entries<Scalar> const& entries,
                                   float start) {
  float const maximum = mapping.maximum();
  float threshold = start;
  int64_t count = 0;
  for (int pass = 0; pass < tuning::kMostEstimates; ++pass) {
    float const bound = maximum + threshold;
    Floats sums = {};
    Vector<int32_t> counts = {};
    entries.for_each_vector([&](Floats z) {
      auto const is_above = z >= bound;
      sums += is_above ? z - maximum : Floats{};
      counts -= is_above;
    });
    int64_t const previous = count;
    count = count_of_lanes<int32_t>(counts);
    if (pass > 0 && count == previous) break;
    // The maximum alone has the threshold -1.
    threshold = count == 0 ? -1
                           : Mapping::estimated_threshold(sum_of_lanes<float>(sums),
                                                          static_cast<float>(count));
  }
  return {threshold - estimate_error(entries.count), count, threshold};
}

// Leaves the k largest entries in a support that has more, and finds their threshold.
template <class Mapping, class Scalar>
void keep_largest(Mapping const& mapping, Entries<Scalar> const& entries, int64_t k,
                  Support<Mapping, widened_t<Scalar>>& support) {
  auto const largest = find_largest(entries, k, mapping.maximum(), support.smallest, support.count);
  double const bound = largest.bound;
  auto sum = sum_if(mapping, entries, [&](auto logit, auto) { return logit >= bound; }).sum;
  if (largest.ties > 0) sum.add(mapping.term(largest.smallest), largest.ties);
  support.threshold = mapping.threshold(sum);
  support.smallest = largest.smallest;
  support.ties = largest.kept_ties(k);
  support.count = k;
}

// Finds the support of entries that are not above the mapping's maximum. `threshold` must not be
// above theirs; the nearer it is, the fewer passes there are.
template <class Mapping, class Scalar>
Support<Mapping, widened_t<Scalar>> support_by_sums(Mapping const& mapping,
                                                    Entries<Scalar> const& entries, int64_t k,
                                                    typename Mapping::Threshold threshold) {
  using Real = widened_t<Scalar>;
  // Michelot's iteration (1986): each pass drops the entries that are not above the threshold of
  // those that the pass before left.
  while (true) {
    auto const [sum, smallest] = sum_if(
        mapping, entries, [&](auto, auto term) { return mapping.is_above(term, threshold); });
    if (sum.count == 0) return {threshold, smallest, 0, 0, false};
    threshold = mapping.threshold(sum);
    if (!mapping.is_above(mapping.term(smallest), threshold)) continue;
    Support<Mapping, Real> support{threshold, smallest, sum.count, sum.count, sum.count > k};
    if (support.is_capped) keep_largest(mapping, entries, k, support);
    return support;
  }
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
