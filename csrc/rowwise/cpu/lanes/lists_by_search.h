#pragma once

#include <cstdint>
#include <utility>

#include "mappings/root_search.h"
#include "rowwise/cpu/rows/support_by_search.h"
#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/vector.h"

// The weights of lists of entries that hold their rows' supports, one list to a lane, for mappings
// whose threshold is searched for.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Searches for the thresholds of all lanes at once, until the last is found. terms(i) returns the
// i-th term of each list.
template <class Mapping, class Terms, int... Lane>
typename Mapping::template Thresholds<Doubles> search_thresholds(
    Mapping const& mapping, int count, Terms const& terms, std::integer_sequence<int, Lane...>) {
  decltype(mapping.search()) searches[] = {(static_cast<void>(Lane), mapping.search())...};
  typename Mapping::template Thresholds<Doubles> thresholds;
  uint64_t open = (uint64_t{1} << sizeof...(Lane)) - 1;
  while (open != 0) {
    Doubles const points = {searches[Lane].point()...};
    LaneSums weights(mapping.fixed());
    LaneSums slopes(mapping.fixed());
    LaneSums rests(mapping.fixed());
    for (int i = 0; i < count; ++i) {
      auto const level = mapping.level(terms(i), points);
      weights.add(level.weights, level.is_above);
      slopes.add(level.slopes, level.is_above);
      rests.add(mappings::rests_of(mapping.fixed(), level.weights), level.is_above);
    }
    for_each_lane(open, [&](int lane) {
      auto& search = searches[lane];
      if (!search.advance({weights.lanes()[lane], slopes.lanes()[lane], rests.lanes()[lane]})) {
        return;
      }
      thresholds.set_lane(lane, mapping.threshold(search));
      open &= ~(uint64_t{1} << lane);
    });
  }
  return thresholds;
}

// Computes the weights of `count` entries of each row, the largest first, half of the rows at a
// time. The weights of entry i begin at weights[i * kLanes<float>].
template <class Mapping, class Scalar>
[[gnu::noinline]] void weigh_by_search(typename Mapping::Fixed const& fixed, Floats const* entries,
                                       int count, Scalar* weights) {
  Mapping const mapping(0, fixed);
  auto const weigh_half = [&]<bool Second>() {
    Doubles const maxima = lengthened(half_of<Second, float>(entries[0]));
    auto const terms = [&](int i) {
      return lengthened(half_of<Second, float>(entries[i])) - maxima;
    };
    auto const thresholds =
        search_thresholds(mapping, count, terms, std::make_integer_sequence<int, kLanes<double>>());
    Scalar* const to = weights + (Second ? kLanes<double> : 0);
    for (int i = 0; i < count; ++i) {
      narrow_weights_of_any_size(mapping.weights(terms(i), thresholds), to + i * kLanes<float>);
    }
  };
  weigh_half.template operator()<false>();
  weigh_half.template operator()<true>();
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
