#pragma once

#include <cstdint>

#include "mappings/fixed_point.h"
#include "mappings/host_device.h"
#include "mappings/short_terms.h"

// Terms of rows of float16 or bfloat16 as integers of 32 bits, for supports of any size.
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
// have no more than 24 bits: the smaller it is, the fewer bfloat16 are no multiples of it.
class WideTerms {
 public:
  static constexpr float kSmallestUnit = 0x1p-30F;

  // No threshold lies further than `reach` <= 1 + 2^-12 below the maximum of its row.
  ZETA_HOST_DEVICE explicit constexpr WideTerms(float reach) {
    for (float half = 0.5F; unit() > kSmallestUnit && reach < half; half /= 2) scale_ *= 2;
  }

  ZETA_HOST_DEVICE constexpr float scale() const { return scale_; }
  ZETA_HOST_DEVICE constexpr float unit() const { return 1 / scale_; }

  // A bfloat16 that is not 0 is a multiple of the unit if it is no smaller in magnitude.
  ZETA_HOST_DEVICE constexpr float least_bfloat16() const { return 128 / scale_; }

  // Those of logits far below every threshold become kLowest.
  static constexpr int32_t kLowest = -(1 << 30);
  template <class Integers, class Floats>
  ZETA_HOST_DEVICE constexpr Integers terms(Floats const& logits, float maximum) const {
    Floats const units = (logits - maximum) * scale_;
    Floats const lowest = Floats{} + static_cast<float>(kLowest);
    return __builtin_convertvector(units > lowest ? units : lowest, Integers);
  }

 private:
  float scale_ = 0x1p24F;
};

}  // namespace zeta::mappings
