#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "rowwise/cpu/tuning.h"
#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/vector.h"
#include "rowwise/ordered_key.h"

// Finds the support of some entries of a row by passes over them.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// The entries above `smallest`, and the first `ties` of those equal to it.
template <class Mapping, class Real>
struct Support {
  typename Mapping::Threshold threshold;
  Real smallest;
  int64_t ties;
  int64_t count;
  bool is_capped;  // more than k entries were above their threshold
};

// The entries of a row, or candidates among them, in order.
template <class Scalar>
struct Entries {
  Scalar const* data;
  int64_t count;

  // Calls visit(vector of Real) for all entries. The last vector is filled up with -inf.
  template <class Visit>
  void for_each_vector(Visit const& visit) const {
    using Real = widened_t<Scalar>;
    constexpr int64_t kStep = kLanes<Real>;
    int64_t i = 0;
    for (; i + kStep <= count; i += kStep) visit(widen_lanes(data + i));
    if (i == count) return;
    alignas(kVectorBytes) Scalar rest[kStep];
    std::fill_n(rest, kStep, narrow<Scalar>(-static_cast<double>(INFINITY)));
    std::copy_n(data + i, count - i, rest);
    visit(widen_lanes(rest));
  }
};

// The key after those of all numbers equal to x; -0.0 has a smaller key than +0.0.
template <class Real>
inline key_t<Real> key_after(Real x) {
  return key_of(x + Real{0}) + 1;
}

template <class Scalar>
inline int64_t count_at_least(Entries<Scalar> const& entries, widened_t<Scalar> bound) {
  using Real = widened_t<Scalar>;
  Vector<key_t<Real>> counts = {};
  entries.for_each_vector([&](Vector<Real> z) { counts -= z >= bound; });
  return sum_of_lanes<key_t<Real>>(counts);
}

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
    count = sum_of_lanes<int32_t>(counts);
    if (pass > 0 && count == previous) break;
    // The maximum alone has the threshold -1.
    threshold = count == 0 ? -1
                           : Mapping::estimated_threshold(sum_of_lanes<float>(sums),
                                                          static_cast<float>(count));
  }
  return {threshold - estimate_error(entries.count), count};
}

// Where to look next for the k-th largest entry, if `too_many` more than k entries reach `low`, and
// `too_few` fewer than k reach `high`: by turns halfway, and where it would be if they were spread
// evenly.
template <class Numbers>
inline Numbers middle_of(int step, Numbers low, Numbers high, Numbers too_many, Numbers too_few) {
  if (step % 2 == 0) return low / 2 + high / 2;
  return low + (high - low) * (too_many / (too_many + too_few));
}

// Leaves the k largest entries in a support that has more, and finds their threshold.
template <class Mapping, class Scalar>
void keep_largest(Mapping const& mapping, Entries<Scalar> const& entries, int64_t k,
                  Support<Mapping, widened_t<Scalar>>& support) {
  using Real = widened_t<Scalar>;
  auto low = key_of(support.smallest);       // k entries or more reach it
  auto high = key_after(mapping.maximum());  // fewer than k do
  int64_t count_at_low = support.count;
  int64_t count_at_high = 0;
  for (int step = 0; count_at_low > k && high - low > 1; ++step) {
    // Steps by values are few for most rows, and steps that halve the keys are few for any row.
    auto middle = key_of(middle_of(step, scalar_of<Real>(low), scalar_of<Real>(high),
                                   static_cast<Real>(count_at_low - k),
                                   static_cast<Real>(k - count_at_high)));
    // The first step asks for the maximum: if k entries equal it, the search is over.
    if (step == 0) middle = high - 1;
    if (step >= tuning::kStepsByValue || middle <= low || middle >= high) {
      middle = low + (high - low) / 2;
    }
    int64_t const count = count_at_least(entries, scalar_of<Real>(middle));
    (count >= k ? low : high) = middle;
    (count >= k ? count_at_low : count_at_high) = count;
  }
  bool const has_ties = count_at_low > k;
  Real const smallest = scalar_of<Real>(low);
  double const bound = scalar_of<Real>(has_ties ? high : low);
  auto sum = sum_if(mapping, entries, [&](auto logit, auto) { return logit >= bound; }).sum;
  support.ties = has_ties ? k - count_at_high : k;
  if (has_ties) sum.add(mapping.term(smallest), support.ties);
  support.threshold = mapping.threshold(sum);
  support.smallest = smallest;
  support.count = k;
}

// Finds the support of entries that are not above the mapping's maximum. `threshold` must not be
// above theirs; the nearer it is, the fewer passes there are.
template <class Mapping, class Scalar>
Support<Mapping, widened_t<Scalar>> find_support(Mapping const& mapping,
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
