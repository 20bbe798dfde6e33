#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <iterator>

#include "rowwise/cpu/lanes/sorted_weights.h"
#include "rowwise/cpu/lanes/weights.h"
#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/vector.h"

// The weights of the k largest entries of several rows, by the mapping, for small k.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

namespace detail {

// Computes the weights in float. Returns false if they are not exact in some row.
template <class Mapping, class Scalar, class Numbers, int K>
[[gnu::noinline]] bool weigh_in_float(LaneWeights<Numbers, K>& rows) {
  Floats logits[2][K];
  Floats weights[2][K];
  for (int i = 0; i < K; ++i) {
    auto const bits = load<uint16_t>(rows.logits(i));
    logits[0][i] = part_of<Scalar, 0>(bits);
    logits[1][i] = part_of<Scalar, 1>(bits);
  }
  auto const is_exact = Mapping::weights_of_largest(logits[0], weights[0]) &
                        Mapping::weights_of_largest(logits[1], weights[1]);
  for (int i = 0; i < K; ++i) {
    store(rows.weights(i), narrowed_parts<Scalar>(weights[0][i], weights[1][i]));
  }
  return lanes_at_least<int32_t>(is_exact, Vector<int32_t>{}) == 0;
}

// Computes the weights of any logits of half types.
template <class Mapping, class Scalar, class Numbers, int K>
[[gnu::noinline]] void weigh_short(LaneWeights<Numbers, K>& rows,
                                   typename Mapping::Fixed const& fixed) {
  using Weights = SortedWeights<Mapping, Scalar>;
  using Bits = typename Weights::Bits;
  Bits logits[K];
  Bits sorted[(K + 3) / 4 * 4];
  std::fill(std::begin(sorted), std::end(sorted), broadcast(Weights::Numbers::kLowest));
  for (int i = 0; i < K; ++i) {
    logits[i] = load_as<Bits>(rows.logits(i));
    sorted[i] = Weights::Numbers::of_bits(logits[i]);
  }
  Weights(fixed, K, K).weigh(sorted, logits);
  for (int i = 0; i < K; ++i) store(rows.weights(i), logits[i]);
}

template <class Mapping, class Numbers, int K>
[[gnu::noinline]] void weigh_in_double(LaneWeights<Numbers, K>& rows,
                                       typename Mapping::Fixed const& fixed) {
  Floats floats[K];
  for (int i = 0; i < K; ++i) floats[i] = load<float>(rows.logits(i));
  auto const weigh_half = [&]<bool Second>() {
    Doubles logits[K];
    Doubles weights[K];
    for (int i = 0; i < K; ++i) logits[i] = lengthened(half_of<Second, float>(floats[i]));
    Mapping::weights_of_largest(logits, fixed, weights);
    for (int i = 0; i < K; ++i) {
      store(rows.weights(i) + (Second ? kLanes<double> : 0), shortened(weights[i]));
    }
  };
  weigh_half.template operator()<false>();
  weigh_half.template operator()<true>();
}

// Computes the weights of one row by sums of more bits than a double has.
template <class Mapping, class Numbers, int K>
void weigh_one(LaneWeights<Numbers, K>& rows, int row, typename Mapping::Fixed const& fixed) {
  Mapping const mapping(rows.logits(0)[row], fixed);
  typename Mapping::Term terms[K];
  typename Mapping::Sum sum;
  auto threshold = mapping.lowest_threshold();
  // A row with an infinite maximum has no terms, and its weights become NaN later.
  int const most = std::isfinite(mapping.maximum()) ? K : 0;
  int count = 0;
  for (; count < most && rows.logits(count)[row] >= mapping.lower_bound(); ++count) {
    terms[count] = mapping.term(rows.logits(count)[row]);
    auto longer_sum = sum;
    longer_sum.add(terms[count]);
    auto const longer_threshold = mapping.threshold(longer_sum);
    if (!mapping.is_above(terms[count], longer_threshold)) break;
    sum = longer_sum;
    threshold = longer_threshold;
  }
  for (int i = 0; i < K; ++i) {
    rows.weights(i)[row] =
        std::bit_cast<int64_t>(i < count ? mapping.weight(terms[i], threshold) : 0.0);
  }
}

}  // namespace detail

template <class Mapping, class Scalar, class Numbers, int K>
inline void weigh_lanes(LaneWeights<Numbers, K>& rows, typename Mapping::Fixed const& fixed) {
  if constexpr (sizeof(Scalar) == sizeof(double)) {
    for (int row = 0; row < rows.kRows; ++row) detail::weigh_one<Mapping>(rows, row, fixed);
  } else if constexpr (sizeof(Scalar) == sizeof(float)) {
    detail::weigh_in_double<Mapping>(rows, fixed);
  } else {
    bool const may_be_exact = Mapping::template has_weights_in_float<K>(fixed);
    if (may_be_exact && detail::weigh_in_float<Mapping, Scalar>(rows)) return;
    detail::weigh_short<Mapping, Scalar>(rows, fixed);
  }
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
