#pragma once

#include <cstdint>
#include <type_traits>

#include "rowwise/cpu/rows/entries.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/ordered_key.h"

// Finds the k largest entries of a row, by counting those that reach one number after the other.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Where to look next for the k-th largest entry, if `too_many` more than k entries reach `low`, and
// `too_few` fewer than k reach `high`: by turns halfway, and where it would be if they were spread
// evenly.
template <class Numbers>
inline Numbers middle_of(int step, Numbers low, Numbers high, Numbers too_many, Numbers too_few) {
  if (step % 2 == 0) return low / 2 + high / 2;
  return low + (high - low) * (too_many / (too_many + too_few));
}

// The k largest of some entries: those at or above `bound`, and the first `ties` of those equal to
// `smallest`, where these are below the bound.
template <class Real>
struct LargestEntries {
  Real smallest;
  Real bound;
  int64_t ties;

  // How many of the entries that equal `smallest` may be among the k.
  int64_t kept_ties(int64_t k) const { return ties > 0 ? ties : k; }
};

// Finds the k largest of at least k entries. `count` entries reach `smallest`.
template <class Scalar>
LargestEntries<widened_t<Scalar>> find_largest(Entries<Scalar> const& entries, int64_t k,
                                               widened_t<Scalar> maximum,
                                               widened_t<Scalar> smallest, int64_t count) {
  using Real = widened_t<Scalar>;
  using Key = key_t<Real>;
  Key low = key_of(smallest);     // k entries or more reach it
  Key high = key_after(maximum);  // fewer than k do
  int64_t count_at_low = count;
  int64_t count_at_high = 0;
  // The distance of keys may be more than a Key can hold.
  auto const distance = [&] {
    using Distance = std::make_unsigned_t<Key>;
    return static_cast<Distance>(static_cast<Distance>(high) - static_cast<Distance>(low));
  };
  for (int step = 0; count_at_low > k && distance() > 1; ++step) {
    // Steps by values are few for most rows, and steps that halve the keys are few for any row.
    auto middle = key_of(middle_of(step, scalar_of<Real>(low), scalar_of<Real>(high),
                                   static_cast<Real>(count_at_low - k),
                                   static_cast<Real>(k - count_at_high)));
    // The first step asks for the maximum: if k entries equal it, the search is over.
    if (step == 0) middle = high - 1;
    if (step >= tuning::kStepsByValue || middle <= low || middle >= high) {
      middle = low + static_cast<Key>(distance() / 2);
    }
    int64_t const count_at_middle = count_at_least(entries, scalar_of<Real>(middle));
    (count_at_middle >= k ? low : high) = middle;
    (count_at_middle >= k ? count_at_low : count_at_high) = count_at_middle;
  }
  bool const has_ties = count_at_low > k;
  return {scalar_of<Real>(low), scalar_of<Real>(has_ties ? high : low),
          has_ties ? k - count_at_high : 0};
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
