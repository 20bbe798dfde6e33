#pragma once

#include <cstdint>

#include "mappings/fixed_point.h"
#include "mappings/host_device.h"
#include "mappings/short_terms.h"

// Terms of rows of float16 or bfloat16 as integers of 32 bits, for supports of any size. Vectors
// hold entries of one row, or a number of each of several rows.
namespace zeta::mappings {

// An exact quotient: its floor, and the rest, of [0, 1), which is rounded.
template <class Doubles>
struct WideQuotients {
  Doubles floor;
  Doubles fraction;

  // Of integers by integers, of which no quotient is above 2^50.
  ZETA_HOST_DEVICE static constexpr WideQuotients of(Doubles const& dividends,
                                                     Doubles const& divisors) {
    Doubles const nearest = round_to_integer(dividends / divisors);
    Doubles const floor = nearest * divisors > dividends ? nearest - 1.0 : nearest;
    return {floor, (dividends - floor * divisors) / divisors};
  }
};

// The unit is 2^-24, or less if all thresholds of some rows are so near to the maxima that terms
// above them have no more than 24 bits: the smaller it is, the fewer bfloat16 are no multiples of
// it.
class WideTerms {
 public:
  static constexpr float kSmallestUnit = 0x1p-30F;

  // No threshold lies further than `reach` <= 1 + 2^-12 below the maximum of its row.
  ZETA_HOST_DEVICE explicit constexpr WideTerms(float reach) {
    for (float half = 0.5F; unit() > kSmallestUnit && reach < half; half /= 2) scale_ *= 2;
  }

  ZETA_HOST_DEVICE constexpr float unit() const { return 1 / scale_; }

  // A bfloat16 that is not 0 is a multiple of the unit if it is no smaller in magnitude.
  ZETA_HOST_DEVICE constexpr float least_bfloat16() const { return 128 / scale_; }

  // Terms of logits far below every threshold become kLowest, and kHighest is above all.
  static constexpr int32_t kLowest = -(1 << 30);
  static constexpr int32_t kHighest = 1 << 30;
  template <class Integers, class Floats>
  ZETA_HOST_DEVICE constexpr Integers terms(Floats const& logits, float maximum) const {
    return in_units<Integers>(logits - maximum);
  }

  // The same of a number relative to the maximum. What is not whole is rounded towards 0.
  template <class Integers, class Floats>
  ZETA_HOST_DEVICE constexpr Integers in_units(Floats const& differences) const {
    Floats const units = differences * scale_;
    Floats const lowest = Floats{} + static_cast<float>(kLowest);
    return __builtin_convertvector(units > lowest ? units : lowest, Integers);
  }

  // The thresholds of so many terms, given their sums. Terms above the floor are in the support.
  template <class Doubles>
  ZETA_HOST_DEVICE constexpr WideQuotients<Doubles> thresholds(Doubles const& sums,
                                                               Doubles const& counts) const {
    return WideQuotients<Doubles>::of(sums - static_cast<double>(scale_), counts);
  }

  // The weights of terms of a row, given the threshold: rounded to odd, as sum_rounded_to_odd()
  // says, for supports of up to ShortTerms::kMost terms. In larger ones those of bfloat16 that are
  // kFew units or less may be off.
  template <class Integers, class Floats>
  ZETA_HOST_DEVICE constexpr Floats weights(Integers const& terms, int32_t floor,
                                            float fraction) const {
    Floats const exact = __builtin_convertvector(terms - floor, Floats);
    Integers const bits = sum_rounded_to_odd<Integers>(exact, Floats{} - fraction);
    return reinterpret_cast<Floats>(terms > floor ? bits : Integers{}) * unit();
  }

  // So many units are 2^e with e >= 8: from there on no kappa below 2^24 brings a weight nearer to
  // a midpoint than its fraction in float is off.
  static constexpr int32_t kFew = 256;

  // The weight of a term, which is so many units above the floor.
  ZETA_HOST_DEVICE constexpr double weight(int32_t above, double fraction) const {
    return (above - fraction) * static_cast<double>(unit());
  }

 private:
  float scale_ = 0x1p24F;
};

}  // namespace zeta::mappings
