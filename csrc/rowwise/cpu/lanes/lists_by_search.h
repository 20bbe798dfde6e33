#pragma once

#include <cmath>
#include <cstdint>

#include "mappings/root_search.h"
#include "rowwise/cpu/lanes/limits.h"
#include "rowwise/cpu/lanes/lists.h"
#include "rowwise/cpu/lanes/roots.h"
#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/cpu/rows/support_by_search.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/vector.h"

// The weights of lists of entries that hold their rows' supports, one list to a lane, for mappings
// whose threshold is searched for.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Searches for the thresholds of all lanes at once, until the last is found, from thresholds
// relative to the maxima on. terms(i) returns the i-th term of each list.
template <class Mapping, class Terms>
typename Mapping::template Thresholds<Doubles> search_thresholds(Mapping const& mapping, int count,
                                                                 Terms const& terms,
                                                                 Doubles const& starts) {
  auto search = mapping.search(mapping.threshold_below(starts, starts));
  for (bool is_over = false; !is_over;) {
    Doubles const points = search.point();
    LaneLevels levels(mapping.fixed());
    for (int i = 0; i < count; ++i) {
      auto const level = mapping.level(terms(i), points);
      levels.add(level, level.is_above);
    }
    is_over = !any_lane(search.advance(levels.lanes(), levels.curvatures()) == 0);
  }
  return mapping.threshold(search);
}

// Computes the weights of `count` entries of each row, half of the rows at a time. The weights of
// entry i begin at weights[i * kLanes<float>]. The nearer `starts` are to the rows' thresholds,
// relative to their maxima, the faster it is.
template <class Mapping, class Scalar>
[[gnu::noinline]] void weigh_by_search(typename Mapping::Fixed const& fixed, Floats const* entries,
                                       int count, Floats maxima, Floats starts, Scalar* weights) {
  Mapping const mapping(0, fixed);
  if constexpr (Mapping::kHasReach) {
    starts = estimate_roots(mapping, entries, count, maxima, starts, tuning::kMostEstimates);
  }
  auto const weigh_half = [&]<bool Second>() {
    Doubles const maxima_of_half = lengthened(half_of<Second, float>(maxima));
    auto const terms = [&](int i) {
      return lengthened(half_of<Second, float>(entries[i])) - maxima_of_half;
    };
    auto const thresholds =
        search_thresholds(mapping, count, terms, lengthened(half_of<Second, float>(starts)));
    Scalar* const to = weights + (Second ? kLanes<double> : 0);
    for (int i = 0; i < count; ++i) {
      narrow_weights_of_any_size(mapping.weights(terms(i), thresholds), to + i * kLanes<float>);
    }
  };
  weigh_half.template operator()<false>();
  weigh_half.template operator()<true>();
}

// Computes the weights of lists of candidates in columns.
template <class Mapping, class Scalar>
class SearchedLists {
 public:
  SearchedLists(typename Mapping::Fixed const& fixed, int64_t k)
      : fixed_(fixed), k_(static_cast<int32_t>(k)) {
    weights_.reserve(tuning::kLongestListOfGroup * kLanes<float>);
  }

  // `columns` holds the candidates of each row, in order, and then -inf. Replaces them by the bits
  // of their weights. `starts` are near the rows' thresholds, relative to their maxima. A
  // maximum of NaN stands for a row without candidates. Returns whether k limits a row.
  [[gnu::noinline]] bool weigh(Floats* columns, int count, Floats maxima, Floats starts) {
    bool const is_limited = k_ < count && keep_largest(columns, count, maxima);
    maxima = maxima == maxima ? maxima : Floats{};
    weigh_by_search<Mapping>(fixed_, columns, count, maxima, starts, weights_.data());
    for (int i = 0; i < count; ++i) {
      Scalar const* const weights = weights_.data() + i * kLanes<float>;
      if constexpr (sizeof(Scalar) == 2) {
        columns[i] = reinterpret_cast<Floats>(lengthened(load_as<HalfShorts>(weights)));
      } else {
        columns[i] = load<float>(weights);
      }
    }
    return is_limited;
  }

 private:
  // Replaces all but the k largest entries of each row by -inf. Returns whether a row has more.
  [[gnu::noinline]] bool keep_largest(Floats* columns, int count, Floats maxima) const {
    Keys counts = {};
    Floats smallest = maxima;
    for (int i = 0; i < count; ++i) {
      Keys const is_entry = columns[i] > -INFINITY;
      counts -= is_entry;
      smallest = is_entry ? smaller(smallest, columns[i]) : smallest;
    }
    Keys const has_more = counts > k_;
    if (!any_lane(has_more)) return false;
    LaneLimits limits(columns, count, k_, has_more, smallest, maxima);
    limits.halve(tuning::kHalvingsOfLanes);
    limits.descend();
    leave_out(columns, count, has_more ? limits.low() : Floats{} - INFINITY, limits.ties());
    return true;
  }

  typename Mapping::Fixed fixed_;
  int32_t k_;
  Scratch<Scalar> weights_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
