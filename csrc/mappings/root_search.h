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
// to a multiple of the square of the unit of FixedPoint<float>, sum to 1 or more. Each step from c
// to a weight rounds monotonically, so the sum never falls as c rises, and there is one such c.
// Entries whose rounded weight is 0 add nothing. So every way to search, and every set of entries
// that holds the support, gives the same c.
namespace zeta::mappings {

inline constexpr double kRootUnit = 0x1p-50;

// Whether the threshold of a mapping is searched for, rather than following from one sum of terms.
template <class Mapping>
inline constexpr bool kHasSearch = requires(Mapping const& mapping) { mapping.search(); };

// The sum over some entries at one c, as integers in the unit of FixedPoint<float>. The slope of a
// weight is p^(2 - alpha); its derivative by c is the slope divided by b.
struct RootSum {
  int64_t weights = 0;
  int64_t slopes = 0;
  int64_t rests = 0;  // what rounding took off the weights, in the square of the unit

  ZETA_HOST_DEVICE constexpr void add(RootSum const& other, int64_t times = 1) {
    weights += other.weights * times;
    slopes += other.slopes * times;
    rests += other.rests * times;
  }
};

// Weights and slopes of terms at one c. Where a term is not above the threshold, the two mean
// nothing.
template <class Doubles>
struct RootLevel {
  Doubles weights;
  Doubles slopes;
  decltype(Doubles{} > Doubles{}) is_above;
};

// Returns x minus its nearest multiple of the unit, divided by the unit.
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
  ZETA_HOST_DEVICE Sum sum_of(RootLevel<double> const& level) const {
    if (!level.is_above) return {};
    return {integer_of(level.weights), integer_of(level.slopes),
            integer_of(rests_of(fixed_, level.weights))};
  }

 private:
  // The same as fixed_.from_double(), without a conversion.
  ZETA_HOST_DEVICE int64_t integer_of(double x) const {
    return fixed_.from_displaced(fixed_.displaced(x)).value;
  }

  Fixed fixed_;
  Real maximum_;
};

// Returns the c of a threshold that is relative to the maximum, and at most 1.
ZETA_HOST_DEVICE constexpr double c_of(double threshold, double b) {
  double const c = -threshold * b;
  return c < 1 ? c : 1;
}

// Returns a safe bound for pruning: no entry below it is in the row's support, even if the maximum
// and c were found from some of the row's entries. More entries never lower the threshold, which is
// max - c / b. The margin covers the rounding of c.
template <class Real>
ZETA_HOST_DEVICE constexpr Real bound_below(Real maximum, double c, double b) {
  double const reach = c / b;
  double const margin = reach * 0x1p-44 + 2 * kRootUnit / b;
  return static_cast<Real>(static_cast<double>(maximum) - (reach + margin));
}

// Finds c, given the sum at one c after the other. The first is `start`; the nearer to c it is, the
// fewer follow.
class RootSearch {
 public:
  ZETA_HOST_DEVICE constexpr RootSearch(FixedPoint<float> const& fixed, double b, double start = 1)
      : one_(fixed.one()),
        unit_(fixed.unit()),
        b_(b),
        next_(0 < start && start < 1 ? static_cast<int64_t>(start / kRootUnit) : high_) {}

  // Where the sum is to be taken next.
  ZETA_HOST_DEVICE constexpr double point() const { return static_cast<double>(next_) * kRootUnit; }

  // Takes the sum at point(). Returns whether the search is over.
  //
  // Newton's method approaches c from above, and after one step also from below. Rounding can carry
  // it below, or keep the sum the same over many units; then the search takes steps that grow, and
  // halves what is left if they lead out of it. It is over when the sum at c is known, and that one
  // unit below is known to be too small.
  ZETA_HOST_DEVICE constexpr bool advance(RootSum const& sum) {
    double const newton = distance_to_root(sum) / kRootUnit;
    if (missing(sum) <= 0) {
      high_ = next_;
      at_high_ = sum;
      has_high_ = true;
      auto step = static_cast<int64_t>(-newton);
      if (step < least_step_down_) {
        step = least_step_down_;
        if (step < high_) least_step_down_ *= 2;
      }
      next_ = high_ - step;
    } else {
      low_ = next_;
      auto step = static_cast<int64_t>(newton < kMostUnits ? newton : kMostUnits);
      if (step < least_step_up_) {
        step = least_step_up_;
        if (step < high_) least_step_up_ *= 2;
      }
      next_ = low_ + step;
    }
    if (next_ <= low_ || next_ >= high_) next_ = low_ + (high_ - low_) / 2;
    if (high_ - low_ > 1) return false;
    bool const is_over = has_high_ || low_ == high_;
    if (!is_over) next_ = high_;
    return is_over;
  }

  // After the search: c, and what the last step of Newton's method would take off. If the sum at 1
  // is too small, as it is for entries without the maximum, c is 1.
  ZETA_HOST_DEVICE constexpr double root() const { return static_cast<double>(high_) * kRootUnit; }
  ZETA_HOST_DEVICE constexpr double excess() const { return -distance_to_root(at_high_); }

 private:
  static constexpr double kMostUnits = 1 / kRootUnit;

  // How far Newton's method goes from where the sum was taken.
  ZETA_HOST_DEVICE constexpr double distance_to_root(RootSum const& sum) const {
    if (sum.slopes == 0) return 0;
    return missing(sum) * b_ / static_cast<double>(sum.slopes);
  }

  // What a sum of weights lacks of 1, in units.
  ZETA_HOST_DEVICE constexpr double missing(RootSum const& sum) const {
    return static_cast<double>(one_ - sum.weights) - static_cast<double>(sum.rests) * unit_;
  }

  int64_t one_;
  double unit_;
  double b_;
  int64_t low_ = 0;                                  // here the sum is too small
  int64_t high_ = static_cast<int64_t>(kMostUnits);  // here it is not: the maximum has weight 1
  int64_t next_;
  int64_t least_step_down_ = 1;
  int64_t least_step_up_ = 1;
  bool has_high_ = false;  // whether the sum at high_ was taken
  RootSum at_high_;
};

}  // namespace zeta::mappings
