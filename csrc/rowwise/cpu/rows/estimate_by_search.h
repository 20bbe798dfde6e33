#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "mappings/estimates.h"
#include "mappings/root_search.h"
#include "rowwise/cpu/rows/entries.h"
#include "rowwise/cpu/rows/support_by_sums.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/vector.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// How far below the root the estimates of c from sums of `count` floats may be.
inline float root_estimate_error(int64_t count) {
  return mappings::kEstimateError + estimate_error(count);
}

// Estimates the threshold of the entries, relative to the maximum, by Newton's method in float. The
// estimate is near the threshold and never above it, whether `start` is or not.
template <class Mapping, class Scalar>
[[gnu::noinline]] Estimate estimate_root(Mapping const& mapping, Entries<Scalar> const& entries,
                                         float start) {
  auto const b = static_cast<float>(mapping.b());
  float const maximum = mapping.maximum();
  float c = std::min(-start * b, 1.0F);
  int64_t count = 0;
  for (int pass = 0; pass < tuning::kMostEstimates; ++pass) {
    Floats weights = {};
    Floats slopes = {};
    Vector<int32_t> counts = {};
    entries.for_each_vector([&](Floats z) {
      auto const level = mapping.estimated_level(z - maximum, c);
      weights += level.weights;
      slopes += level.slopes;
      counts -= level.is_above;
    });
    count = count_of_lanes<int32_t>(counts);
    float const last = c;
    c = mappings::next_estimate(Floats{} + c, Floats{} + sum_of_lanes<float>(weights),
                                Floats{} + sum_of_lanes<float>(slopes), b)[0];
    if (std::abs(c - last) <= c * mappings::kLastStep) break;
  }
  return {-(c + root_estimate_error(entries.count)) / b, count, -c / b};
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
