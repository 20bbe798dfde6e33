#pragma once

#include <cstdint>

#include "mappings/fixed_point.h"
#include "mappings/host_device.h"

// The threshold of entmax, 1 < alpha < 2 (Peters, Niculae, Martins, "Sparse sequence-to-sequence
// models", ACL 2019). With b = alpha - 1 and the differences d_i = max - z_i, the weights are
//
//   p_i = (c - b d_i)^(1/b) where that is above 0, else 0,
//
// with the c in (0, 1] at which they sum to 1. Their sum is convex in c and rises.
//
// Here c is defined as an integer, in units of 2^-50: the least at which the weights, each rounded
// to a multiple of the unit of FixedPoint<float>, sum to 1 or more. That names no way to find it,
// and entries of weight 0 do not count, so every way gives the same c from any set of entries that
// holds the support. The sum rises by more from one unit to the next than rounding errors change
// it.
namespace zeta::mappings {

inline constexpr double kRootUnit = 0x1p-50;

// The sum over some entries at one c, as integers in the unit of FixedPoint<float>. The slope of a
// weight is p^(2 - alpha); its derivative by c is the slope divided by b.
struct RootSum {
  int64_t weights = 0;
  int64_t slopes = 0;
  int64_t rests = 0;  // of the weights, in the square of the unit; only for double

  ZETA_HOST_DEVICE constexpr void add(RootSum const& other, int64_t times = 1) {
    weights += other.weights * times;
    slopes += other.slopes * times;
    rests += other.rests * times;
  }
};

// What holds for terms at c. Weights and slopes count only where a term is above the threshold.
template <class Doubles>
struct RootLevel {
  Doubles weights;
  Doubles slopes;
  decltype(Doubles{} > Doubles{}) is_above;
};

// What is left of numbers when they are rounded to the unit, as numbers of units.
template <class Doubles>
ZETA_HOST_DEVICE constexpr Doubles rests_of(FixedPoint<float> const& fixed, Doubles const& x) {
  return (x - fixed.rounded(x)) * fixed.scale();
}

// What mappings have in common whose threshold is searched for. A term is a logit less the row's
// maximum, in double for each type of logit.
template <class Real, class FixedType>
class SearchedMapping {
 public:
  using Fixed = FixedType;
  using Logit = Real;
  using Term = double;
  using Sum = RootSum;

  ZETA_HOST_DEVICE constexpr SearchedMapping(Real maximum, Fixed const& fixed)
      : fixed_(fixed), maximum_(maximum) {}

  ZETA_HOST_DEVICE constexpr Real maximum() const { return maximum_; }
  ZETA_HOST_DEVICE constexpr Fixed const& fixed() const { return fixed_; }

  template <class Doubles>
  ZETA_HOST_DEVICE constexpr Doubles terms(Doubles const& logits) const {
    return logits - static_cast<double>(maximum_);
  }
  ZETA_HOST_DEVICE constexpr Term term(Real logit) const {
    return terms(static_cast<double>(logit));
  }

  // What one term adds to a sum, given its level.
  ZETA_HOST_DEVICE constexpr Sum sum_of(RootLevel<double> const& level) const {
    if (!level.is_above) return {};
    Sum sum = {fixed_.from_double(level.weights).value, fixed_.from_double(level.slopes).value, 0};
    if constexpr (sizeof(Real) == sizeof(double)) {
      sum.rests = fixed_.from_double(rests_of(fixed_, level.weights)).value;
    }
    return sum;
  }

 private:
  Fixed fixed_;
  Real maximum_;
};

// A bound for pruning: no entry below it can be in the support, if the c of some entries with this
// maximum is reach * b. The c and maximum of all entries give no lower threshold; the margin is for
// the rounding of c.
template <class Real>
ZETA_HOST_DEVICE constexpr Real bound_below(Real maximum, double reach) {
  constexpr double kMargin = 0x1p-44;
  return static_cast<Real>(static_cast<double>(maximum) - (reach + reach * kMargin));
}

// Finds c, given the sum at one c after the other.
class RootSearch {
 public:
  ZETA_HOST_DEVICE constexpr RootSearch(FixedPoint<float> const& fixed, double b)
      : one_(fixed.one()), unit_(fixed.unit()), b_(b) {}

  // Where the sum is to be taken next.
  ZETA_HOST_DEVICE constexpr double point() const { return static_cast<double>(next_) * kRootUnit; }

  // Takes the sum at point(). Returns whether the search is over.
  //
  // Newton's method comes from above and stays above, but for rounding. At the end, a sum is taken
  // one unit below, to see that it is too small.
  ZETA_HOST_DEVICE constexpr bool advance(RootSum const& sum) {
    bool const is_enough = sum.weights >= one_;
    if (is_enough) {
      high_ = next_;
      at_high_ = sum;
      auto const step = static_cast<int64_t>(excess() / kRootUnit);
      next_ = high_ - (step < 1 ? 1 : step);
    } else {
      low_ = next_;
      next_ = low_ + stride_;
      stride_ *= 2;
    }
    if (next_ <= low_) next_ = low_ + 1;
    if (next_ >= high_) next_ = high_ - 1;
    return high_ - low_ <= 1;
  }

  // After the search: c, and what the last step of Newton's method would take off.
  ZETA_HOST_DEVICE constexpr double root() const { return static_cast<double>(high_) * kRootUnit; }
  ZETA_HOST_DEVICE constexpr double excess() const {
    double const weights =
        static_cast<double>(at_high_.weights - one_) + static_cast<double>(at_high_.rests) * unit_;
    return weights * b_ / static_cast<double>(at_high_.slopes);
  }

 private:
  int64_t one_;
  double unit_;
  double b_;
  int64_t low_ = 0;                    // here the sum is below 1
  int64_t high_ = (int64_t{1} << 50);  // here it is not: the maximum alone has weight 1
  int64_t next_ = high_;
  int64_t stride_ = 1;
  RootSum at_high_;
};

}  // namespace zeta::mappings
