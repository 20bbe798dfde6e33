#pragma once

#include <cstdint>

#include "mappings/estimates.h"
#include "mappings/exponential.h"
#include "mappings/fixed_point.h"
#include "mappings/host_device.h"
#include "mappings/logarithm.h"
#include "mappings/root_search.h"

namespace zeta::mappings {

// What all rows of one length have in common for one alpha, with b = alpha - 1.
struct EntmaxFixed : FixedPoint<float> {
  ZETA_HOST_DEVICE constexpr EntmaxFixed(int64_t length, double alpha)
      : FixedPoint<float>(length), b(alpha - 1) {}

  double b;
};

// Entmax for any alpha between 1 and 2, restricted to at most k non-zeros, see root_search.h.
template <class Real>
class Entmax : public SearchedMapping<Real, EntmaxFixed> {
 public:
  using Base = SearchedMapping<Real, EntmaxFixed>;
  using Base::Base;
  using typename Base::Fixed;

  static constexpr bool kHasReach = true;  // only entries near the maximum have weights

  // Of one row, or of several in the lanes of vectors.
  template <class Numbers>
  struct Thresholds {
    Numbers root;  // of the search: weights above 0 there are those of the support
    Numbers c;     // closer to the root, for the weights
    Numbers log_of_c;
  };
  using Threshold = Thresholds<double>;

  ZETA_HOST_DEVICE static constexpr Fixed fixed(int64_t length, double alpha) {
    return Fixed(length, alpha);
  }
  using Base::fixed;

  // No entry below this is in the support.
  ZETA_HOST_DEVICE constexpr Real lower_bound() const { return lower_bound(lowest_threshold()); }
  ZETA_HOST_DEVICE constexpr Real lower_bound(Threshold const& threshold) const {
    return bound_below(this->maximum(), threshold.root, b());
  }
  ZETA_HOST_DEVICE constexpr Threshold lowest_threshold() const { return {1, 1, 0}; }
  ZETA_HOST_DEVICE constexpr double b() const { return this->fixed().b; }

  template <class Doubles, class Points>
  ZETA_HOST_DEVICE RootLevel<Doubles> level(Doubles const& terms, Points const& c) const {
    return level(terms, c, logarithm(c));
  }

  ZETA_HOST_DEVICE constexpr RootSearch search() const { return search(lowest_threshold()); }
  template <class Numbers>
  ZETA_HOST_DEVICE constexpr RootSearches<Numbers> search(Thresholds<Numbers> const& start) const {
    return {this->fixed(), b(), start.c};
  }
  template <class Numbers>
  ZETA_HOST_DEVICE Thresholds<Numbers> threshold(RootSearches<Numbers> const& search) const {
    Numbers const root = search.root();
    Numbers const excess = search.excess();
    return {root, root - excess, logarithm(root) - excess / root};
  }

  template <class Doubles>
  ZETA_HOST_DEVICE constexpr auto is_above(Doubles const& terms, Threshold const& threshold) const {
    return fractions(terms, threshold.root) < 1;
  }
  template <class Doubles, class Numbers>
  ZETA_HOST_DEVICE Doubles weights(Doubles const& terms,
                                   Thresholds<Numbers> const& threshold) const {
    auto const level_of_terms = level(terms, threshold.c, threshold.log_of_c);
    return level_of_terms.is_above ? level_of_terms.weights : Doubles{};
  }

  // See estimates.h.
  template <class Floats, class Points>
  ZETA_HOST_DEVICE RootLevel<Floats> estimated_level(Floats const& terms, Points const& c) const {
    auto const b = static_cast<float>(this->b());
    Floats const power = b * terms + c;  // of which a weight is the b-th root
    auto const is_above = power > 0x1p-126F;
    Floats const base = is_above ? power : Floats{} + 1.0F;
    Floats const weights = is_above ? estimated_power(base, 1 / b) : Floats{};
    return {weights, weights / base, Floats{}, is_above};
  }
  // A search begins at the nearest one.
  template <class Numbers>
  ZETA_HOST_DEVICE Thresholds<Numbers> threshold_below(Numbers const& x,
                                                       Numbers const& nearest) const {
    Numbers const c = c_of(nearest, b());
    return {c_of(x, b()), c, logarithm(c)};
  }
  ZETA_HOST_DEVICE constexpr double below(Threshold const& threshold) const {
    return -threshold.root / b();
  }

  // See weighted_mean.h.
  class Slope {
   public:
    static constexpr bool kIsConstant = false;

    ZETA_HOST_DEVICE explicit constexpr Slope(double alpha) : exponent_(2 - alpha) {}
    ZETA_HOST_DEVICE double operator()(double weight) const {
      double const slope = exponential(exponent_ * logarithm(weight));
      return weight > 0 ? slope : weight;  // 0 or NaN
    }

   private:
    double exponent_;
  };

 private:
  // b d / c, below 1 in the support.
  template <class Doubles, class Points>
  ZETA_HOST_DEVICE constexpr Doubles fractions(Doubles const& terms, Points const& c) const {
    return (b() / c) * -terms;
  }

  // The weights are taken as (c (1 - b d / c))^(1/b). For b near 0, c - b d would be near 1 and
  // have lost digits; a logarithm of the difference from 1 has not.
  template <class Doubles, class Points>
  ZETA_HOST_DEVICE RootLevel<Doubles> level(Doubles const& terms, Points const& c,
                                            Points const& log_of_c) const {
    Doubles const fraction = fractions(terms, c);
    Doubles const weights = exponential((log_of_c + logarithm_of_one_minus(fraction)) / b());
    Doubles const power = c * (1.0 - fraction);
    Doubles const slopes = weights / power;
    return {weights, slopes, slopes / power, fraction < 1};
  }
};

}  // namespace zeta::mappings
