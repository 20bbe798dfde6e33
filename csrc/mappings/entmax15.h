#pragma once

#include <cmath>
#include <cstdint>

#include "mappings/fixed_point.h"
#include "mappings/host_device.h"
#include "mappings/root_search.h"

namespace zeta::mappings {

// Entmax with alpha = 1.5, restricted to at most k non-zeros. A weight is the square of c - d / 2,
// see root_search.h.
template <class Real>
class Entmax15 : public SearchedMapping<Real, FixedPoint<float>> {
 public:
  using Base = SearchedMapping<Real, FixedPoint<float>>;
  using Base::Base;
  using typename Base::Fixed;

  static constexpr bool kHasReach = true;  // only entries near the maximum have weights

  // Of one row, or of several in the lanes of vectors.
  template <class Numbers>
  struct Thresholds {
    Numbers root;  // of the search: terms above 0 there are in the support
    Numbers c;     // closer to the root, for the weights
  };
  using Threshold = Thresholds<double>;

  ZETA_HOST_DEVICE static constexpr Fixed fixed(int64_t length, double) { return Fixed(length); }
  using Base::fixed;

  // No entry below this is in the support.
  ZETA_HOST_DEVICE constexpr Real lower_bound() const { return lower_bound(lowest_threshold()); }
  ZETA_HOST_DEVICE constexpr Real lower_bound(Threshold const& threshold) const {
    return bound_below(this->maximum(), threshold.root, b());
  }
  ZETA_HOST_DEVICE constexpr Threshold lowest_threshold() const { return {1, 1}; }
  ZETA_HOST_DEVICE static constexpr double b() { return 0.5; }

  template <class Doubles, class Points>
  ZETA_HOST_DEVICE constexpr RootLevel<Doubles> level(Doubles const& terms, Points const& c) const {
    Doubles const root = 0.5 * terms + c;
    return {root * root, root, Doubles{} + 1.0, root > 0};
  }

  ZETA_HOST_DEVICE constexpr RootSearch search() const { return search(lowest_threshold()); }
  template <class Numbers>
  ZETA_HOST_DEVICE constexpr RootSearches<Numbers> search(Thresholds<Numbers> const& start) const {
    return {this->fixed(), b(), start.c};
  }
  template <class Numbers>
  ZETA_HOST_DEVICE constexpr Thresholds<Numbers> threshold(
      RootSearches<Numbers> const& search) const {
    return {search.root(), search.root() - search.excess()};
  }

  template <class Doubles>
  ZETA_HOST_DEVICE constexpr auto is_above(Doubles const& terms, Threshold const& threshold) const {
    return level(terms, threshold.root).is_above;
  }
  template <class Doubles, class Numbers>
  ZETA_HOST_DEVICE constexpr Doubles weights(Doubles const& terms,
                                             Thresholds<Numbers> const& threshold) const {
    auto const level_of_terms = level(terms, threshold.c);
    return level_of_terms.is_above ? level_of_terms.weights : Doubles{};
  }

  // See estimates.h.
  template <class Floats, class Points>
  ZETA_HOST_DEVICE RootLevel<Floats> estimated_level(Floats const& terms, Points const& c) const {
    Floats const root = 0.5F * terms + c;
    auto const is_above = root > 0.0F;
    Floats const slopes = is_above ? root : Floats{};
    return {slopes * slopes, slopes, Floats{}, is_above};
  }
  // A search begins at the nearest one.
  template <class Numbers>
  ZETA_HOST_DEVICE constexpr Thresholds<Numbers> threshold_below(Numbers const& x,
                                                                 Numbers const& nearest) const {
    return {c_of(x, b()), c_of(nearest, b())};
  }
  ZETA_HOST_DEVICE constexpr double below(Threshold const& threshold) const {
    return -threshold.root / b();
  }

  // See weighted_mean.h.
  struct Slope {
    static constexpr bool kIsConstant = false;

    ZETA_HOST_DEVICE explicit constexpr Slope(double) {}
    ZETA_HOST_DEVICE double operator()(double weight) const { return std::sqrt(weight); }
  };
};

}  // namespace zeta::mappings
