#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/vector.h"
#include "rowwise/ordered_key.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

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

// Lanes of 32 bits may hold counts whose sum they could not.
template <class Integer>
inline int64_t count_of_lanes(Vector<Integer> const& counts) {
  int64_t count = 0;
  for (int lane = 0; lane < kLanes<Integer>; ++lane) count += counts[lane];
  return count;
}

template <class Scalar>
inline int64_t count_at_least(Entries<Scalar> const& entries, widened_t<Scalar> bound) {
  using Real = widened_t<Scalar>;
  Vector<key_t<Real>> counts = {};
  entries.for_each_vector([&](Vector<Real> z) { counts -= z >= bound; });
  return count_of_lanes<key_t<Real>>(counts);
}

// The entries above `smallest`, and the first `ties` of those equal to it.
template <class Mapping, class Real>
struct Support {
  typename Mapping::Threshold threshold;
  Real smallest;
  int64_t ties;
  int64_t count;
  bool is_capped;  // more than k entries were above their threshold
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
