#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

#include "mappings/fixed_point.h"
#include "mappings/root_search.h"
#include "rowwise/cpu/rows/entries.h"
#include "rowwise/cpu/rows/largest_entries.h"
#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/vector.h"

// Finds the support of some entries of a row, for mappings whose threshold is searched for, by a
// sum at one point after the other.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Calls visit(vector of double) for all entries.
template <class Scalar, class Visit>
void for_each_doubles(Entries<Scalar> const& entries, Visit const& visit) {
  entries.for_each_vector([&](auto logits) {
    if constexpr (std::is_same_v<widened_t<Scalar>, double>) {
      visit(logits);
    } else {
      for_each_half(logits, visit);
    }
  });
}

// Sums numbers, rounded to the unit, in the lanes of vectors.
class LaneSums {
 public:
  explicit LaneSums(mappings::FixedPoint<float> const& fixed) : fixed_(fixed) {}

  void add(Doubles numbers, Vector<int64_t> is_included) {
    auto const bits =
        bits_of(fixed_.displaced(numbers)) - bits_of(Doubles{} + fixed_.displacement());
    sums_ += is_included ? bits : Vector<uint64_t>{};
  }

  int64_t sum() const { return sum_of_lanes<int64_t>(lanes()); }
  Vector<int64_t> lanes() const { return reinterpret_cast<Vector<int64_t>>(sums_); }

 private:
  mappings::FixedPoint<float> const& fixed_;
  Vector<uint64_t> sums_ = {};
};

// Sums levels in the lanes of vectors.
class LaneLevels {
 public:
  explicit LaneLevels(mappings::FixedPoint<float> const& fixed)
      : fixed_(fixed), weights_(fixed), slopes_(fixed), rests_(fixed) {}

  [[gnu::always_inline]] void add(mappings::RootLevel<Doubles> const& level,
                                  Vector<int64_t> is_included) {
    weights_.add(level.weights, is_included);
    slopes_.add(level.slopes, is_included);
    rests_.add(mappings::rests_of(fixed_, level.weights), is_included);
    curvatures_ += is_included ? level.curvatures : Doubles{};
  }

  mappings::RootSums<Vector<int64_t>> lanes() const {
    return {weights_.lanes(), slopes_.lanes(), rests_.lanes()};
  }
  mappings::RootSum sum() const { return {weights_.sum(), slopes_.sum(), rests_.sum()}; }
  Doubles curvatures() const { return curvatures_; }

 private:
  mappings::FixedPoint<float> const& fixed_;
  LaneSums weights_;
  LaneSums slopes_;
  LaneSums rests_;
  Doubles curvatures_ = {};
};

struct SumAtPoint {
  mappings::RootSum sum;
  double curvatures;

  void add(SumAtPoint const& other, int64_t times) {
    sum.add(other.sum, times);
    curvatures += other.curvatures * static_cast<double>(times);
  }
};

// The sum at `point` over the entries at or above `bound`. It is not inlined, since what it keeps
// of many vectors would be kept beside what its callers keep, and stacks may be small.
template <class Mapping, class Scalar>
[[gnu::noinline]] SumAtPoint sum_at(Mapping const& mapping, Entries<Scalar> const& entries,
                                    double bound, double point) {
  LaneLevels levels(mapping.fixed());
  for_each_doubles(entries, [&](Doubles logits) {
    auto const level = mapping.level(mapping.terms(logits), point);
    levels.add(level, level.is_above & (logits >= bound));
  });
  return {levels.sum(), sum_of_lanes<double>(levels.curvatures())};
}

// The threshold of the largest entries.
template <class Mapping, class Scalar>
typename Mapping::Threshold search_threshold(Mapping const& mapping, Entries<Scalar> const& entries,
                                             LargestEntries<widened_t<Scalar>> const& largest,
                                             typename Mapping::Threshold const& start) {
  auto search = mapping.search(start);
  SumAtPoint at_point;
  do {
    at_point = sum_at(mapping, entries, largest.bound, search.point());
    if (largest.ties > 0) {
      auto const level = mapping.level(mapping.term(largest.smallest), search.point());
      double const curvature = level.is_above ? level.curvatures : 0;
      at_point.add({mapping.sum_of(level), curvature}, largest.ties);
    }
  } while (!search.advance(at_point.sum, at_point.curvatures));
  return mapping.threshold(search);
}

template <class Real>
struct CountAndSmallest {
  int64_t count;
  Real smallest;
};

// Of the entries above the threshold.
template <class Mapping, class Scalar>
CountAndSmallest<widened_t<Scalar>> count_above(Mapping const& mapping,
                                                Entries<Scalar> const& entries,
                                                typename Mapping::Threshold const& threshold) {
  Doubles const none = Doubles{} + std::numeric_limits<double>::infinity();
  Vector<int64_t> counts = {};
  Doubles smallest = none;
  for_each_doubles(entries, [&](Doubles logits) {
    auto const is_above = mapping.is_above(mapping.terms(logits), threshold);
    counts -= is_above;
    smallest = smaller(smallest, is_above ? logits : none);
  });
  return {sum_of_lanes<int64_t>(counts),
          static_cast<widened_t<Scalar>>(smallest_of_lanes<double>(smallest))};
}

// The entries that a bound and k leave, and whether k leaves out some that reach the bound.
template <class Real>
struct Limited {
  LargestEntries<Real> largest;
  bool is_limited;
};

// The bound is that of the lowest threshold.
template <class Mapping, class Scalar>
Limited<widened_t<Scalar>> largest_above(Mapping const& mapping, Entries<Scalar> const& entries,
                                         int64_t k, typename Mapping::Threshold const& lowest) {
  using Real = widened_t<Scalar>;
  Real const bound = std::max(mapping.lower_bound(lowest), std::numeric_limits<Real>::lowest());
  Vector<key_t<Real>> counts = {};
  auto smallest = broadcast(std::numeric_limits<Real>::infinity());
  entries.for_each_vector([&](Vector<Real> z) {
    auto const is_above = z >= bound;
    counts -= is_above;
    smallest = smaller(smallest, is_above ? z : broadcast(std::numeric_limits<Real>::infinity()));
  });
  int64_t const count = count_of_lanes<key_t<Real>>(counts);
  if (count <= k) return {{bound, bound, 0}, false};
  return {find_largest(entries, k, mapping.maximum(), smallest_of_lanes<Real>(smallest), count),
          true};
}

// `lowest` is not above the threshold that the entries have without the limit k. The nearer it is,
// the fewer sums are taken.
template <class Mapping, class Scalar>
[[gnu::noinline]] Support<Mapping, widened_t<Scalar>> support_by_search(
    Mapping const& mapping, Entries<Scalar> const& entries, int64_t k,
    typename Mapping::Threshold const& lowest) {
  auto const [largest, is_limited] = largest_above(mapping, entries, k, lowest);
  auto const threshold = search_threshold(mapping, entries, largest, lowest);
  auto const above = count_above(mapping, entries, threshold);
  if (above.count <= k) return {threshold, above.smallest, above.count, above.count, false};
  return {threshold, largest.smallest, largest.kept_ties(k), k, true};
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
