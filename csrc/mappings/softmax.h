#pragma once

#include <cmath>
#include <cstdint>

#include "mappings/exponential.h"
#include "mappings/fixed_point.h"
#include "mappings/host_device.h"
#include "mappings/root_search.h"

namespace zeta::mappings {

// Softmax restricted to the k largest entries: exp(z_i - max) divided by their sum over these,
// which is one of integers, see fixed_point.h.
template <class Real>
class Softmax : public SearchedMapping<Real, FixedPoint<float>> {
 public:
  using Base = SearchedMapping<Real, FixedPoint<float>>;
  using Base::Base;
  using typename Base::Fixed;

  static constexpr bool kHasReach = false;  // every entry has a weight

  // Of one row, or of several in the lanes of vectors.
  template <class Numbers>
  struct Thresholds {
    Numbers sum;
  };
  using Threshold = Thresholds<double>;

  ZETA_HOST_DEVICE static constexpr Fixed fixed(int64_t length, double) { return Fixed(length); }
  using Base::fixed;

  ZETA_HOST_DEVICE constexpr Real lower_bound() const { return -static_cast<Real>(INFINITY); }
  ZETA_HOST_DEVICE constexpr Real lower_bound(Threshold const&) const { return lower_bound(); }
  ZETA_HOST_DEVICE constexpr Threshold lowest_threshold() const { return {1}; }
  template <class Numbers>
  ZETA_HOST_DEVICE constexpr Thresholds<Numbers> threshold_below(Numbers const&,
                                                                 Numbers const&) const {
    return {Numbers{} + 1.0};
  }
  ZETA_HOST_DEVICE constexpr double below(Threshold const&) const { return -INFINITY; }

  template <class Doubles, class Points>
  ZETA_HOST_DEVICE RootLevel<Doubles> level(Doubles const& terms, Points const&) const {
    Doubles const powers = exponential(terms);
    return {powers, powers, Doubles{}, terms > -INFINITY};
  }

  // There is nothing to search for: one sum is enough.
  template <class Numbers>
  class Searches {
   public:
    using Sums = RootSums<IntegersOf<Numbers>>;

    ZETA_HOST_DEVICE constexpr Numbers point() const { return Numbers{} + 1.0; }
    ZETA_HOST_DEVICE constexpr auto advance(Sums const& sum, Numbers const& = {}) {
      sum_ = sum;
      return Numbers{} == Numbers{};
    }
    ZETA_HOST_DEVICE constexpr Sums const& sum() const { return sum_; }

   private:
    Sums sum_;
  };
  ZETA_HOST_DEVICE constexpr Searches<double> search() const { return {}; }
  template <class Numbers>
  ZETA_HOST_DEVICE constexpr Searches<Numbers> search(Thresholds<Numbers> const&) const {
    return {};
  }
  template <class Numbers>
  ZETA_HOST_DEVICE constexpr Thresholds<Numbers> threshold(Searches<Numbers> const& search) const {
    double const unit = this->fixed().unit();
    Numbers const rests = numbers_of<Numbers>(search.sum().rests) * unit;
    return {(numbers_of<Numbers>(search.sum().weights) + rests) * unit};
  }

  template <class Doubles>
  ZETA_HOST_DEVICE constexpr auto is_above(Doubles const& terms, Threshold const&) const {
    return terms > -INFINITY;
  }
  template <class Doubles, class Numbers>
  ZETA_HOST_DEVICE Doubles weights(Doubles const& terms,
                                   Thresholds<Numbers> const& threshold) const {
    return exponential(terms) / threshold.sum;
  }

  // See weighted_mean.h.
  struct Slope {
    static constexpr bool kIsConstant = false;

    ZETA_HOST_DEVICE explicit constexpr Slope(double) {}
    ZETA_HOST_DEVICE constexpr double operator()(double weight) const { return weight; }
  };
};

}  // namespace zeta::mappings
