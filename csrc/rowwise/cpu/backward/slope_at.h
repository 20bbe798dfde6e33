#pragma once

#include "rowwise/cpu/vectors/vector.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// The slope of a mapping at a weight. A weight that no forward gives counts as the nearest of
// [0, 1], so that sums of slopes do not overflow. That of NaN is NaN.
template <class Slope>
inline double slope_at(Slope const& slope, double weight) {
  if constexpr (Slope::kIsConstant) {
    return slope(weight);
  } else {
    double const positive = weight < 0 ? 0 : weight;
    return slope(positive > 1 ? 1 : positive);
  }
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
