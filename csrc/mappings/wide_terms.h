#pragma once

#include <cstdint>

#include "mappings/fixed_point.h"
#include "mappings/host_device.h"
#include "mappings/short_terms.h"

// Computes terms of float16 or bfloat16 rows as 32-bit integers, for supports of any size. The
// lanes of a vector hold entries of one row, or one number for each of several rows.
namespace zeta::mappings {

// Holds a quotient as its floor, which is exact, and the rest in [0, 1), which is rounded.
template <class Doubles>
struct WideQuotients {
  Doubles floor;
  Doubles fraction;

  // Divides integers by integers. No quotient may exceed 2^50 in magnitude.
  ZETA_HOST_DEVICE static constexpr WideQuotients of(Doubles const& dividends,
                                                     Doubles const& divisors) {
    Doubles const nearest = round_to_integer(dividends / divisors);
    Doubles const floor = nearest * divisors > dividends ? nearest - 1.0 : nearest;
    return {floor, (dividends - floor * divisors) / divisors};
  }
};

// The unit is 2^-24, or smaller for a group of rows whose thresholds all lie so near to the maxima
// that the terms above them still have no more than 24 bits. The smaller the unit is, the fewer
// bfloat16 numbers fail to be multiples of it.
class WideTerms {
 public:
  static constexpr float kSmallestUnit = 0x1p-30F;

  // No threshold lies further than `reach` <= 1 + 2^-12 below the maximum of its row.
  ZETA_HOST_DEVICE explicit constexpr WideTerms(float reach) {
    for (float half = 0.5F; unit() > kSmallestUnit && reach < half; half /= 2) scale_ *= 2;
  }

  ZETA_HOST_DEVICE constexpr float unit() const { return 1 / scale_; }

  // A bfloat16 is a multiple of the unit if its magnitude is at least this.
  ZETA_HOST_DEVICE constexpr float least_bfloat16() const { return 128 / scale_; }

  // Terms of logits far below every threshold become kLowest. kHighest is above all terms.
  static constexpr int32_t kLowest = -(1 << 30);
  static constexpr int32_t kHighest = 1 << 30;
  template <class Integers, class Floats>
  ZETA_HOST_DEVICE constexpr Integers terms(Floats const& logits, float maximum) const {
    return in_units<Integers>(logits - maximum);
  }

  // Converts differences from the maximum to integers in units, rounded towards 0.
  template <class Integers, class Floats>
  ZETA_HOST_DEVICE constexpr Integers in_units(Floats const& differences) const {
    Floats const units = differences * scale_;
    Floats const lowest = Floats{} + static_cast<float>(kLowest);
    return __builtin_convertvector(units > lowest ? units : lowest, Integers);
  }

  // Returns the thresholds of sets of terms, given their sums and counts. A term is above the
  // threshold if it is above its floor.
  template <class Doubles>
  ZETA_HOST_DEVICE constexpr WideQuotients<Doubles> thresholds(Doubles const& sums,
                                                               Doubles const& counts) const {
    return WideQuotients<Doubles>::of(sums - static_cast<double>(scale_), counts);
  }

  // Returns the weights of a row's terms, given its threshold. They are rounded to odd, see
  // sum_rounded_to_odd(). In supports of more than ShortTerms::kMost terms, bfloat16 weights of
  // kFew units or less may be off.
  template <class Integers, class Floats>
  ZETA_HOST_DEVICE constexpr Floats weights(Integers const& terms, int32_t floor,
                                            float fraction) const {
    Floats const exact = __builtin_convertvector(terms - floor, Floats);
    Integers const bits = sum_rounded_to_odd<Integers>(exact, Floats{} - fraction);
    return reinterpret_cast<Floats>(terms > floor ? bits : Integers{}) * unit();
  }

  // For bfloat16 weights of at least 2^8 units, the midpoints m that sum_rounded_to_odd() speaks of
  // are integers. A weight that is not m then differs from it by at least 1 / kappa, which for
  // kappa below 2^24 is more than what rounding the fraction to float changes.
  static constexpr int32_t kFew = 256;

  // Returns the weight of a term that is `above` units above the floor.
  ZETA_HOST_DEVICE constexpr double weight(int32_t above, double fraction) const {
    return (above - fraction) * static_cast<double>(unit());
  }

 private:
  float scale_ = 0x1p24F;
};

}  // namespace zeta::mappings
