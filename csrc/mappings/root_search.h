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

// The sum over some entries at one c, as integers in the unit of FixedPoint<float>, for one row or
// for several in the lanes of vectors. The slope of a weight is p^(2 - alpha); its derivative by c
// is the slope divided by b.
template <class Integers>
struct RootSums {
  Integers weights = {};
  Integers slopes = {};
  Integers rests = {};  // what rounding took off the weights, in the square of the unit

  ZETA_HOST_DEVICE constexpr void add(RootSums const& other, int64_t times = 1) {
    weights += other.weights * times;
    slopes += other.slopes * times;
    rests += other.rests * times;
  }
};
using RootSum = RootSums<int64_t>;

// Weights, slopes and curvatures of terms at one c. The curvature is p^(3 - 2 alpha); the second
// derivative of p by c is the curvature times (1 - b) / b^2. Where a term is not above the
// threshold, they mean nothing; where a search takes no curvatures, these are 0.
template <class Doubles>
struct RootLevel {
  Doubles weights;
  Doubles slopes;
  Doubles curvatures;
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

// Returns the c of thresholds that are relative to the maximum, and at most 1.
template <class Numbers>
ZETA_HOST_DEVICE constexpr Numbers c_of(Numbers const& thresholds, double b) {
  Numbers const c = -thresholds * b;
  return c < 1 ? c : Numbers{} + 1.0;
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

// Finds c, given the sum at one c after the other, for one row or for several in the lanes of
// vectors. The first is `start`; the nearer to c it is, the fewer follow.
//
// Points and steps are integers in units of kRootUnit, which doubles hold exactly.
template <class Numbers>
class RootSearches {
 public:
  using Integers = IntegersOf<Numbers>;
  using Mask = decltype(Numbers{} > Numbers{});

  ZETA_HOST_DEVICE constexpr RootSearches(FixedPoint<float> const& fixed, double b,
                                          Numbers const& start)
      : one_(fixed.one()), unit_(fixed.unit()), b_(b) {
    auto const is_between = (start > 0) & (start < 1);
    next_ = is_between ? round_to_integer<Numbers>(start / kRootUnit) : high_;
  }

  // Where the sum is to be taken next.
  ZETA_HOST_DEVICE constexpr Numbers point() const { return next_ * kRootUnit; }

  // Takes the sum at point(), and that of the curvatures, or 0. Returns whether the search is over;
  // from then on, point() is c, where another sum changes nothing.
  //
  // Halley's method goes where the first two derivatives lead, and Newton's, with curvatures of 0,
  // where the first does. Rounding can carry them to the wrong side of c, or keep the sum the same
  // over many units; then the search takes steps that grow, and halves what is left if they lead
  // out of it. It is over when the sum at c is known, and that one unit below is known to be too
  // small.
  ZETA_HOST_DEVICE constexpr Mask advance(RootSums<Integers> const& sum,
                                          Numbers const& curvatures = {}) {
    Numbers const lack = missing(sum);
    Numbers const distance = distance_to_root(sum, lack);
    auto const is_high = lack <= 0;
    high_ = is_high ? next_ : high_;
    excess_ = is_high ? -distance : excess_;
    low_ = is_high ? low_ : next_;

    Numbers const least = is_high ? least_step_down_ : least_step_up_;
    Numbers const units =
        (is_high ? -distance : distance) / divisor_of_step(sum, distance, curvatures) / kRootUnit;
    auto const is_near = units < kMostUnits;
    Numbers const wanted = round_to_integer<Numbers>(is_near ? units : Numbers{} + kMostUnits);
    Numbers const step = wanted < least ? least : wanted;
    auto const grows = (wanted < least) & (least < high_);
    Numbers const grown = grows ? 2 * least : least;
    least_step_down_ = is_high ? grown : least_step_down_;
    least_step_up_ = is_high ? least_step_up_ : grown;

    next_ = is_high ? high_ - step : low_ + step;
    auto const is_beyond = (excess_ < 0) & (next_ >= high_);
    auto const is_outside = (next_ <= low_) | (next_ >= high_);
    next_ = is_outside ? low_ + round_to_integer<Numbers>((high_ - low_) * 0.5) : next_;
    auto const is_closed = high_ - low_ <= 1;
    auto const is_at_high = is_closed | is_beyond;
    next_ = is_at_high ? high_ : next_;
    return is_closed & ((excess_ >= 0) | (low_ == high_));
  }

  // After the search: c, and what the last step of Newton's method would take off. If the sum at 1
  // is too small, as it is for entries without the maximum, c is 1.
  ZETA_HOST_DEVICE constexpr Numbers root() const { return high_ * kRootUnit; }
  ZETA_HOST_DEVICE constexpr Numbers excess() const { return excess_ < 0 ? Numbers{} : excess_; }

 private:
  static constexpr double kMostUnits = 1 / kRootUnit;

  // How far Newton's method goes from where the sum was taken, given what it lacks.
  ZETA_HOST_DEVICE constexpr Numbers distance_to_root(RootSums<Integers> const& sum,
                                                      Numbers const& lack) const {
    return sum.slopes == 0 ? Numbers{} : lack * b_ / numbers_of<Numbers>(sum.slopes);
  }

  // By how much Halley's method divides a step of Newton's. Far from the root the derivatives say
  // little of it, and a large divisor would make for many steps; then this is 1.
  ZETA_HOST_DEVICE constexpr Numbers divisor_of_step(RootSums<Integers> const& sum,
                                                     Numbers const& distance,
                                                     Numbers const& curvatures) const {
    Numbers const slopes = numbers_of<Numbers>(sum.slopes) * (unit_ * b_ * 2);
    Numbers const result = 1.0 + distance * (curvatures * (1 - b_) / slopes);
    auto const is_near = (result > 0.75) & (result < 1.25);
    return is_near ? result : Numbers{} + 1.0;
  }

  // What a sum of weights lacks of 1, in units.
  ZETA_HOST_DEVICE constexpr Numbers missing(RootSums<Integers> const& sum) const {
    return numbers_of<Numbers>(one_ - sum.weights) - numbers_of<Numbers>(sum.rests) * unit_;
  }

  int64_t one_;
  double unit_;
  double b_;
  Numbers low_ = {};                       // here the sum is too small
  Numbers high_ = Numbers{} + kMostUnits;  // here it is not: the maximum has weight 1
  Numbers next_;
  Numbers least_step_down_ = Numbers{} + 1.0;
  Numbers least_step_up_ = Numbers{} + 1.0;
  Numbers excess_ = Numbers{} - 1.0;  // at high_; -1 as long as no sum was taken there
};
using RootSearch = RootSearches<double>;

}  // namespace zeta::mappings
