#pragma once

#include <cmath>
#include <cstdint>

#include "mappings/fixed_point.h"
#include "mappings/host_device.h"
#include "mappings/short_terms.h"
#include "mappings/wide_terms.h"

namespace zeta::mappings {

// The Euclidean projection of a row z on the probability simplex restricted to at most k non-zeros
// (Kyrillidis, Becker, Cevher, Koch, "Sparse projections onto the simplex", ICML 2013):
//
//   p_i = z_i - tau on the support, 0 elsewhere
//   tau = (sum of z over the support - 1) / |support|
//
// It is computed relative to the row's maximum, in units of 2^-F: with the terms
// D_i = rint((z_i - max) * 2^F) and their sum S over the support, an entry is in the support when
// D_i > (S - 2^F) / |support|.
//
// A mapping tells the engine how far below the maximum its support can reach, the term of a logit,
// an exact sum of terms, the threshold that a sum implies, which terms lie above a threshold, and
// the weight of those that do. From any set of entries that contains the support, the engine gets
// to the support by raising the threshold to that of the set's sum, keeping what is above it, and
// summing again. The order of the entries does not matter.
template <class Real>
class SparseSoftmax {
 public:
  using Fixed = FixedPoint<Real>;
  using Term = typename Fixed::Number;
  using Threshold = typename Fixed::Quotient;

  static constexpr bool kHasReach = true;  // only entries near the maximum have weights

  struct Sum {
    Term terms;
    int64_t count = 0;

    ZETA_HOST_DEVICE constexpr void add(Term term) {
      terms.add(term);
      ++count;
    }
    ZETA_HOST_DEVICE constexpr void add(Term term, int64_t times) {
      terms.add(term.times(times));
      count += times;
    }
    ZETA_HOST_DEVICE constexpr void add(Sum const& other) {
      terms.add(other.terms);
      count += other.count;
    }
  };

  // What all rows of one length have in common.
  ZETA_HOST_DEVICE static constexpr Fixed fixed(int64_t length, double) { return Fixed(length); }

  ZETA_HOST_DEVICE constexpr SparseSoftmax(Real maximum, int64_t length)
      : SparseSoftmax(maximum, Fixed(length)) {}

  // `fixed` can be made once for all rows of one length.
  ZETA_HOST_DEVICE constexpr SparseSoftmax(Real maximum, Fixed const& fixed)
      : fixed_(fixed), maximum_(maximum), lower_bound_(maximum - 1) {}

  ZETA_HOST_DEVICE constexpr Real maximum() const { return maximum_; }

  // No entry below this is in the support: rounding to the nearest cannot carry maximum - 1 past a
  // representable logit that lies above it.
  ZETA_HOST_DEVICE constexpr Real lower_bound() const { return lower_bound_; }

  // A safe bound for pruning: even if maximum() and the threshold came from a subset of the row, no
  // logit below the bound is in the row's support. Terms relative to a higher maximum round
  // differently, by a few units at most, which below() allows for, and rounding keeps order.
  ZETA_HOST_DEVICE constexpr Real lower_bound(Threshold const& threshold) const {
    return static_cast<Real>(maximum_ + below(threshold));
  }

  // Returns a number a few units below the threshold, relative to the maximum.
  ZETA_HOST_DEVICE constexpr double below(Threshold const& threshold) const {
    return fixed_.below(threshold);
  }

  // Returns the term of a logit at or above lower_bound().
  ZETA_HOST_DEVICE constexpr Term term(Real logit) const {
    return fixed_.difference(logit, maximum_);
  }

  // The lowest threshold that a row can have: that of its maximum alone.
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

  // The functions below do the same for several logits at once, in the lanes of vectors of double.
  // Terms carry the bias of FixedPoint<float>::displaced(). To sum them, add their bits as integers
  // and subtract those of term_of_maximum(), a term of 0, as many times as there are terms.
  ZETA_HOST_DEVICE static constexpr double term_of_maximum(Fixed const& fixed) {
    return fixed.displacement();
  }
  ZETA_HOST_DEVICE constexpr double term_of_maximum() const { return term_of_maximum(fixed_); }
  template <class Doubles>
  ZETA_HOST_DEVICE constexpr Doubles terms(Doubles const& logits) const {
    return fixed_.displaced(logits - static_cast<double>(maximum_));
  }
  template <class Doubles>
  ZETA_HOST_DEVICE constexpr auto is_above(Doubles const& terms, Threshold const& threshold) const {
    return terms > fixed_.displaced(threshold);
  }
  template <class Doubles>
  ZETA_HOST_DEVICE constexpr Doubles weights(Doubles const& terms,
                                             Threshold const& threshold) const {
    return (terms - fixed_.displaced(threshold)) - threshold.fraction * fixed_.unit();
  }

  // The overloads below take a row in each lane. All rows share `fixed`.
  template <class Doubles>
  using Thresholds = Quotients<Doubles>;

  template <class Doubles>
  ZETA_HOST_DEVICE static constexpr Doubles terms(Doubles const& logits, Doubles const& maxima,
                                                  Fixed const& fixed) {
    return fixed.displaced(logits - maxima);
  }
  template <class Doubles, class Integers>
  ZETA_HOST_DEVICE static constexpr Thresholds<Doubles> thresholds(Integers const& sums,
                                                                   Integers const& counts,
                                                                   Fixed const& fixed) {
    return fixed.template divide_lanes<Doubles>(sums - fixed.one(), counts);
  }
  template <class Doubles>
  ZETA_HOST_DEVICE static constexpr auto is_above(Doubles const& terms,
                                                  Thresholds<Doubles> const& thresholds) {
    return terms > thresholds.integer;
  }
  template <class Doubles>
  ZETA_HOST_DEVICE static constexpr Doubles weights(Doubles const& terms,
                                                    Thresholds<Doubles> const& thresholds) {
    return (terms - thresholds.integer) - thresholds.fraction;
  }

  // The functions below do the same in float, for logits of half types that are multiples of
  // ShortTerms::kUnit.
  //
  // Let z be the least of kappa logits, and rest = 1 - sum(z_i - z). Their threshold is
  // z - rest / kappa, so the weight of z_i is (z_i - z) + rest / kappa. If the rest is above 0, all
  // of them lie above the threshold. A set of logits that contains the support is then the support.
  template <class Floats>
  struct ShortLevels {
    Floats least;
    ShortQuotients<Floats> shares;
  };

  template <class Integers, class Floats>
  ZETA_HOST_DEVICE static constexpr Integers short_terms(Floats const& logits,
                                                         Floats const& maxima) {
    return ShortTerms::integers<Integers>(logits - maxima);
  }
  // Returns the rests in units, given the sums, counts and least ones of the terms. Sums may wrap
  // around.
  template <class Integers>
  ZETA_HOST_DEVICE static constexpr Integers short_rests(Integers const& sums,
                                                         Integers const& counts,
                                                         Integers const& least) {
    return counts * least - sums + ShortTerms::kOne;
  }
  template <class Floats>
  ZETA_HOST_DEVICE static constexpr ShortLevels<Floats> short_levels(Floats const& least,
                                                                     Floats const& rests,
                                                                     Floats const& counts) {
    return {least, ShortQuotients<Floats>::of(rests, counts)};
  }
  // Returns the bits of the weights, rounded to odd: 0 for logits below the least of the support.
  template <class Integers, class Floats>
  ZETA_HOST_DEVICE static constexpr Integers short_weights(Floats const& logits,
                                                           ShortLevels<Floats> const& levels) {
    Floats const exact = (logits - levels.least) + levels.shares.high;
    Integers const bits = sum_rounded_to_odd<Integers>(exact, levels.shares.low);
    return logits >= levels.least ? bits : Integers{};
  }

  // WideTerms does the same in 32-bit integers, for supports of any size.
  using WideTerms = mappings::WideTerms;

  // Finds the supports of rows, one in each lane, whose logits are given one by one in descending
  // order. Terms may be differences from any number, or the logits themselves, as long as they are
  // multiples of a unit and differences of up to 1 are exact.
  //
  // The first i logits are in the support if their rest, defined above ShortLevels, is above 0. The
  // i-th logit is the new least one. The i - 1 logits before it then lie further above the least,
  // so the rest falls by i - 1 times the step from the (i-1)-th logit to the i-th. While the rest
  // can stay above 0, the rest, that product and their difference are at most 1 and so are exact.
  // If it cannot, rounding leaves the rest at 0 or below. The rest never rises.
  template <class Numbers>
  class Descent {
   public:
    ZETA_HOST_DEVICE explicit Descent(Numbers const& largest_terms) : term_(largest_terms) {}

    ZETA_HOST_DEVICE void add(Numbers const& logits, Numbers const& terms) {
      rest_ += added_ * (terms - term_);
      added_ += 1;
      term_ = terms;
      least_ = is_in_support() ? logits : least_;
      rests_ = is_in_support() ? rest_ : rests_;
      counts_ = is_in_support() ? added_ : counts_;
    }

    // Whether the logits added last are in the support.
    ZETA_HOST_DEVICE auto is_in_support() const { return rest_ > Numbers{}; }

    ZETA_HOST_DEVICE Numbers const& least() const { return least_; }
    ZETA_HOST_DEVICE Numbers const& rests() const { return rests_; }
    ZETA_HOST_DEVICE Numbers const& counts() const { return counts_; }

   private:
    Numbers term_;        // of the logits added last
    Numbers added_ = {};  // how many were
    Numbers rest_ = Numbers{} + 1;
    // When the last logit of the support was added:
    Numbers counts_ = {};
    Numbers rests_ = {};
    Numbers least_ = {};
  };

  // Returns the same as thresholds(), given the least term, the rest and the count of each support.
  template <class Doubles>
  ZETA_HOST_DEVICE static constexpr Thresholds<Doubles> thresholds_below(Doubles const& least_terms,
                                                                         Doubles const& rests,
                                                                         Doubles const& counts,
                                                                         Fixed const& fixed) {
    Doubles const nearest = fixed.rounded(rests / counts);
    Doubles const share = nearest * counts < rests ? nearest + fixed.unit() : nearest;
    return {least_terms - share, (share * counts - rests) / counts};
  }

  // Estimates the threshold of some logits relative to the maximum, given the sum of their
  // differences from it.
  ZETA_HOST_DEVICE static constexpr float estimated_threshold(float sum, float count) {
    return estimated_quotient(sum - 1, count);
  }

  // Returns a threshold that is close to x in [-2, 1], and not above it.
  ZETA_HOST_DEVICE constexpr Threshold threshold_below(double x) const { return fixed_.floor(x); }

  // Computes the weights of the K <= 4 largest logits of a row, given in descending order. Vectors
  // hold a row in each lane. Sums of so few integers of 50 bits, and 4 times as much, are exact in
  // double.
  template <int K, class Doubles>
  ZETA_HOST_DEVICE static void weights_of_largest(Doubles const (&logits)[K], Fixed const& fixed,
                                                  Doubles (&weights)[K]) {
    static_assert(K <= 4);
    Doubles terms[K] = {};
    for (int i = 1; i < K; ++i) {
      Doubles const difference = logits[i] - logits[0];
      terms[i] = fixed.rounded(difference < -1.0 ? Doubles{} - 1.0 : difference);
    }
    auto const support = support_of_terms(terms);
    Doubles const nearest = fixed.rounded(support.quotient(support.dividend));
    Doubles const floor =
        support.dividend < nearest * support.kappa ? nearest - fixed.unit() : nearest;
    // Unless kappa is a power of two, it is 3 and the remainder is 0, 1 or 2 units. Either way the
    // quotient is the nearest number.
    Doubles const fraction = support.quotient(support.dividend - floor * support.kappa);
    for (int i = 0; i < K; ++i) {
      Doubles const weight = (terms[i] - floor) - fraction;
      weights[i] = terms[i] > floor ? weight : Doubles{};
    }
  }

  // Does the same in float, for logits of up to 12 digits. When the floats are rounded to so many
  // digits, they give what the exact weights give, see weights_of_terms(). Returns the lanes whose
  // rows this is true of: those where each logit within 1 of the maximum is a multiple of
  // kUnitOfFew.
  template <int K, class Floats>
  ZETA_HOST_DEVICE static auto weights_of_largest(Floats const (&logits)[K], Floats (&weights)[K]) {
    // A logit of so few digits that is no multiple of the unit is so small that the bias rounds it.
    constexpr float kShift = 0x1.8p23F * kUnitOfFew<K>;  // as kRoundingShift, for float
    auto const is_multiple = [](Floats x) { return (x + kShift) - kShift == x; };
    Floats terms[K] = {};
    auto is_exact = is_multiple(logits[0]);
    for (int i = 1; i < K; ++i) {
      Floats const difference = logits[i] - logits[0];
      auto const is_far = difference < -1.0F;
      terms[i] = is_far ? Floats{} - 1.0F : difference;
      is_exact = is_exact & (is_multiple(logits[i]) | is_far);
    }
    auto const support = support_of_terms(terms);
    weights[0] = support.quotient(-support.dividend);
    for (int i = 1; i < K; ++i) {
      Floats const weight = support.quotient(support.kappa * terms[i] - support.dividend);
      weights[i] = weight > 0.0F ? weight : Floats{};
    }
    return is_exact;
  }

  // Whether rows with the integers `fixed` may use that form: `fixed` must hold all multiples of
  // kUnitOfFew.
  template <int K>
  ZETA_HOST_DEVICE static bool has_weights_in_float(Fixed const& fixed) {
    return fixed.unit() <= kUnitOfFew<K>;
  }

  // Computes the weights of the K largest logits of a row, given in descending order, and returns
  // how many of them are in the support, at most k <= K. A weight is the nearest float, or a float
  // that gives what the exact weight gives when rounded to the Digits bits of the logits' type.
  // `logits` may hold more than K. `narrowed` converts a weight from double to float.
  //
  // The numerator of a weight, kappa * t - (sum - 1), is exact in double, as sums of so few
  // integers of 50 bits and 8 times as much are. It is exact in float if the logits have up to 12
  // digits and are multiples of 2^-22, or of 2^-20 for K > 4, where sums are larger.
  template <int Digits, int K, int N, class Narrowed>
  ZETA_HOST_DEVICE static int weights_of_few(float const (&logits)[N], int k, Fixed const& fixed,
                                             float (&weights)[K], Narrowed const& narrowed) {
    static_assert(K <= 8 && K <= N);
    if constexpr (Digits <= 12) {
      constexpr double kUnit = K <= 4 ? 0x1p-22 : 0x1p-20;
      constexpr auto kLeast = static_cast<float>(kUnit * (1 << (Digits - 1)));
      bool is_coarse = fixed.unit() <= kUnit;
      for (int i = 0; i < K; ++i) {
        float const magnitude = logits[i] < 0 ? -logits[i] : logits[i];
        is_coarse = is_coarse && (magnitude >= kLeast || magnitude == 0);
      }
      if (is_coarse) {
        float terms[K];
        for (int i = 0; i < K; ++i) terms[i] = logits[i] - logits[0];
        return weights_of_terms(terms, k, weights);
      }
    }
    double terms[K];
    double wide_weights[K];
    double const largest = logits[0];
    for (int i = 0; i < K; ++i) {
      terms[i] = fixed.rounded(static_cast<double>(logits[i]) - largest);
    }
    int const count = weights_of_terms(terms, k, wide_weights);
    for (int i = 0; i < K; ++i) weights[i] = narrowed(wide_weights[i]);
    return count;
  }

  // Returns about how far roundings of the terms can move a threshold.
  ZETA_HOST_DEVICE static constexpr double rounding(Fixed const& fixed) { return 2 * fixed.unit(); }

  // The next two classes add up the terms of a row's logits one by one, and tell from the sum which
  // logits are above the threshold and what they weigh. Both give the same weights. A sum is over
  // `count` logits at or above lower_bound().
  //
  // IntegerTerms computes in integers, for any logits.
  class IntegerTerms {
   public:
    using Fixed = SparseSoftmax::Fixed;
    using Sum = Term;

    struct Level {
      Thresholds<double> threshold;
    };

    ZETA_HOST_DEVICE IntegerTerms(float maximum, Fixed const& fixed)
        : fixed_(fixed), maximum_(maximum) {}

    template <int Digits>
    ZETA_HOST_DEVICE static constexpr bool is_exact(float, int, Fixed const&) {
      return true;
    }

    ZETA_HOST_DEVICE void add(Sum& sum, float logit) const {
      sum.add(fixed_.from_displaced(displaced(logit)));
    }
    ZETA_HOST_DEVICE Level level(Sum const& sum, int count) const {
      Threshold const threshold = fixed_.divide(fixed_.integer(sum) - fixed_.one(), count);
      return {{fixed_.displaced(threshold), threshold.fraction * fixed_.unit()}};
    }
    ZETA_HOST_DEVICE bool is_above(float logit, Level const& level) const {
      return SparseSoftmax::is_above(displaced(logit), level.threshold);
    }
    ZETA_HOST_DEVICE double weight(float logit, Level const& level) const {
      return weights(displaced(logit), level.threshold);
    }

   private:
    ZETA_HOST_DEVICE double displaced(float logit) const {
      return terms(static_cast<double>(logit), maximum_, fixed_);
    }

    Fixed const& fixed_;
    double maximum_;
  };

  // CoarseTerms computes in float, for logits of up to 12 digits that are multiples of a unit of at
  // least 2^-24 * (count + 1). Float holds multiples of that unit exactly up to count + 1 in
  // magnitude, and terms, their sums and the numerator of a weight, kappa * t - (sum - 1), are such
  // multiples. The quotient is the nearest float, see weights_of_terms().
  class CoarseTerms {
   public:
    using Fixed = SparseSoftmax::Fixed;

    struct Sum {
      float value = 0;

      ZETA_HOST_DEVICE void add(Sum other) { value += other.value; }
    };

    struct Level {
      float dividend;
      float kappa;
      float reciprocal;
    };

    ZETA_HOST_DEVICE CoarseTerms(float maximum, Fixed const&) : maximum_(maximum) {}

    // Whether `count` logits of so many digits are such multiples if none of them is smaller in
    // magnitude than least_magnitude. A logit of 0 always is one, but counts as too small here: to
    // tell it apart would take another instruction for each logit.
    template <int Digits>
    ZETA_HOST_DEVICE static bool is_exact(float least_magnitude, int count, Fixed const& fixed) {
      static_assert(Digits <= 12);
      // The unit has to be a power of two, so it is this or up to twice as much.
      float const unit = static_cast<float>(count + 1) * 0x1p-24F;
      return fixed.unit() <= unit && least_magnitude >= unit * (2 << (Digits - 1));
    }

    ZETA_HOST_DEVICE void add(Sum& sum, float logit) const { sum.value += logit - maximum_; }

    ZETA_HOST_DEVICE Level level(Sum const& sum, int count) const {
      auto const kappa = static_cast<float>(count);
      return {sum.value - 1, kappa, 1 / kappa};
    }
    ZETA_HOST_DEVICE bool is_above(float logit, Level const& level) const {
      return level.kappa * (logit - maximum_) > level.dividend;
    }
    ZETA_HOST_DEVICE float weight(float logit, Level const& level) const {
      float const numerator = level.kappa * (logit - maximum_) - level.dividend;
      return divided(numerator, level.kappa, level.reciprocal);
    }

   private:
    float maximum_;
  };

  // The gradient is slope * (g - sum(slope * g) / sum(slope)).
  struct Slope {
    static constexpr bool kIsConstant = true;  // 1 on the support

    ZETA_HOST_DEVICE explicit constexpr Slope(double) {}
    ZETA_HOST_DEVICE constexpr double operator()(double weight) const {
      return weight == 0 ? 0 : weight != weight ? weight : 1;
    }
  };

 private:
  // Float holds multiples of it exactly up to 4 in magnitude for K <= 4, and up to 16 for larger K.
  template <int K>
  static constexpr float kUnitOfFew = K <= 4 ? 0x1p-22F : 0x1p-20F;

  // Holds the threshold of K terms as the quotient of `dividend`, the sum of the terms in the
  // support minus 1, by `kappa`, their number.
  template <int K, class Numbers>
  struct FewTerms {
    Numbers dividend;
    Numbers kappa;
    Numbers reciprocal;  // of kappa

    // Divides by kappa. For kappa up to 4 a product serves as the quotient, see weights_of_terms().
    ZETA_HOST_DEVICE Numbers quotient(Numbers x) const {
      if constexpr (K <= 4) {
        return x * reciprocal;
      } else {
        return x / kappa;
      }
    }
  };

  // Finds the support of K terms in [-1, 0], given in descending order. The terms and their sums
  // must be exact. After a term that is not in the support, no other one is.
  template <int K, class Numbers>
  ZETA_HOST_DEVICE static FewTerms<K, Numbers> support_of_terms(Numbers const (&terms)[K]) {
    Numbers const one = Numbers{} + 1;
    FewTerms<K, Numbers> support = {-one, one, one};
    Numbers sum = -one;
    Numbers count = one;
    for (int i = 1; i < K; ++i) {
      auto const in_support = count * terms[i] > sum;
      sum = sum + terms[i];
      count = count + 1;
      support.dividend = in_support ? sum : support.dividend;
      support.kappa = in_support ? count : support.kappa;
      support.reciprocal = in_support ? one / count : support.reciprocal;
    }
    return support;
  }

  // Returns a quotient that is right to about 22 bits.
  ZETA_HOST_DEVICE static constexpr float estimated_quotient(float dividend, float divisor) {
#ifdef __CUDA_ARCH__
    return __fdividef(dividend, divisor);
#else
    return dividend / divisor;
#endif
  }

  // Returns the number nearest to a quotient, given the number nearest to 1 / divisor.
  template <class Number>
  ZETA_HOST_DEVICE static Number divided(Number dividend, Number divisor, Number reciprocal) {
    Number const quotient = dividend * reciprocal;
    return std::fma(std::fma(-divisor, quotient, dividend), reciprocal, quotient);
  }

  // Computes the weights of terms that are exact in Number, as sums of K of them are, and returns
  // how many are in the support.
  //
  // The caller may round a weight again, to half the digits of Number. Where such numbers are so
  // far apart that the midpoints between them are multiples of the unit, an exact quotient N /
  // kappa is either one of these midpoints or at least 1 / kappa units away from any. Smaller
  // numbers have midpoints closer together, and a quotient is one of them or at least 1 / kappa of
  // their distance away, which is more than 2^8 times the error of a quotient in Number. For K up
  // to 4 the product with the rounded reciprocal is off by less than either, so it is rounded to
  // the same number. For larger K, a step of division makes the quotient the number nearest to the
  // exact one.
  template <int K, class Number>
  ZETA_HOST_DEVICE static int weights_of_terms(Number const (&terms)[K], int k,
                                               Number (&weights)[K]) {
    Number dividend = -1;
    Number kappa = 1;
    Number reciprocal = 1;
    int count = 1;
    bool in_support = true;
    for (int i = 1; i < K; ++i) {
      bool const is_above = static_cast<Number>(i) * terms[i] > dividend;
      in_support = in_support && i < k && is_above;
      dividend = in_support ? dividend + terms[i] : dividend;
      kappa = in_support ? static_cast<Number>(i + 1) : kappa;
      reciprocal = in_support ? static_cast<Number>(1.0 / (i + 1)) : reciprocal;
      count = in_support ? i + 1 : count;
    }
    for (int i = 0; i < K; ++i) {
      Number const numerator = kappa * terms[i] - dividend;
      Number quotient = numerator * reciprocal;
      if constexpr (K > 4) quotient = divided(numerator, kappa, reciprocal);
      weights[i] = i < count && quotient > 0 ? quotient : 0;
    }
    return count;
  }

  Fixed fixed_;
  Real maximum_;
  Real lower_bound_;
};

}  // namespace zeta::mappings
