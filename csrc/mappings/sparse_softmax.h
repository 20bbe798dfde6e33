#pragma once

#include <cstdint>

#include "mappings/fixed_point.h"
#include "mappings/host_device.h"

namespace zeta::mappings {

// The Euclidean projection of a row z on the probability simplex restricted to at most k non-zeros
// (Kyrillidis, Becker, Cevher, Koch, "Sparse projections onto the simplex", ICML 2013):
//
//   p_i = z_i - tau on the support, 0 elsewhere,    tau = (sum of z over the support - 1) /
//   |support|
//
// in units of 2^-F below the row's maximum, so that with D_i = rint((z_i - max) * 2^F) an entry is
// in the support when D_i > (S - 2^F) / |support|, S being the sum of D over the support.
//
// A mapping gives the engine: how far below the maximum its support can reach, the term of a logit,
// an exact sum of terms, the threshold that a sum implies, which terms lie above a threshold, and
// the weight of those that do. Raising the threshold and summing again what stays above it ends at
// the support, from any set that contains it and in any order.
template <class Real>
class SparseSoftmax {
 public:
  using Fixed = FixedPoint<Real>;
  using Term = typename Fixed::Number;
  using Threshold = typename Fixed::Quotient;

  struct Sum {
    Term terms;
    int64_t count = 0;

    ZETA_HOST_DEVICE constexpr void add(Term term) {
      terms.add(term);
      ++count;
    }
    ZETA_HOST_DEVICE constexpr void add(Sum const& other) {
      terms.add(other.terms);
      count += other.count;
    }
  };

  ZETA_HOST_DEVICE constexpr SparseSoftmax(Real maximum, int64_t length)
      : SparseSoftmax(maximum, Fixed(length)) {}

  // The integers of rows of one length are made once for all of them.
  ZETA_HOST_DEVICE constexpr SparseSoftmax(Real maximum, Fixed const& fixed)
      : fixed_(fixed), maximum_(maximum), lower_bound_(maximum - 1) {}

  // No entry below this is in the support: rounding to the nearest cannot carry maximum - 1 past a
  // representable logit that lies above it.
  ZETA_HOST_DEVICE constexpr Real lower_bound() const { return lower_bound_; }

  // No logit below this has a term above the threshold: such a term exceeds the threshold by half a
  // unit or more, and the roundings here keep order.
  ZETA_HOST_DEVICE constexpr Real lower_bound(Threshold const& threshold) const {
    return static_cast<Real>(maximum_ + fixed_.not_above(threshold));
  }

  // The term of a logit at or above lower_bound().
  ZETA_HOST_DEVICE constexpr Term term(Real logit) const {
    return fixed_.difference(logit, maximum_);
  }

  // The threshold below which no support lies.
  ZETA_HOST_DEVICE constexpr Threshold lowest_threshold() const {
    return fixed_.divide(-fixed_.one(), 1);
  }

  ZETA_HOST_DEVICE constexpr Threshold threshold(Sum const& sum) const {
    return fixed_.divide(fixed_.integer(sum.terms) - fixed_.one(), sum.count);
  }

  ZETA_HOST_DEVICE constexpr bool is_above(Term term, Threshold const& threshold) const {
    return fixed_.is_above(term, threshold);
  }

  ZETA_HOST_DEVICE constexpr double weight(Term term, Threshold const& threshold) const {
    return fixed_.minus(term, threshold);
  }

  // The gradient is slope * (g - sum(slope * g) / sum(slope)).
  ZETA_HOST_DEVICE static constexpr double slope(double weight) {
    return weight == 0 ? 0 : weight != weight ? weight : 1;
  }

 private:
  Fixed fixed_;
  Real maximum_;
  Real lower_bound_;
};

}  // namespace zeta::mappings
