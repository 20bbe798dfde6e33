#pragma once

#include <cmath>
#include <cstdint>

#include "mappings/short_terms.h"
#include "rowwise/cpu/lanes/limits.h"
#include "rowwise/cpu/lanes/lists.h"
#include "rowwise/cpu/lanes/supports.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/vector.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Finds the supports of lists of candidates of a half type, one list to a lane, by passes over them
// in integers. These lists are too long to be sorted.
template <class Mapping, class Scalar>
class ShortPasses {
 public:
  // A sum of more terms would not fit into 32 bits.
  static constexpr int kLongest = mappings::ShortTerms::kMost;

  explicit ShortPasses(int64_t k) : k_(static_cast<int32_t>(k)) {}

  // Does what LaneSupports::find() does, and replaces entries that k leaves out by -inf. Returns
  // false if ShortTerms are not exact.
  bool find(Floats* columns, int count, Floats maxima, Floats lowest) {
    maxima_ = maxima;
    Floats const thresholds =
        raise_thresholds(columns, count, maxima, lowest, tuning::kMostEstimates);
    // All terms of [-1, 0] are above the lowest floor, and no lower one is: sums of kLongest lower
    // ones would not fit into 32 bits. Rows without a list, or that will be NaN, have no others.
    floors_ = larger(terms(maxima + thresholds), Keys{} - mappings::ShortTerms::kOne) - 1;
    sum_up(columns, count);
    Keys const is_capped = counts_ > k_;
    has_capped_ = any_lane(is_capped);
    if (has_capped_) {
      keep_largest(columns, count, is_capped);
      sum_up(columns, count);
    }
    levels_ = Mapping::short_levels(
        least_, __builtin_convertvector(rests_, Floats) * mappings::ShortTerms::kUnit,
        __builtin_convertvector(counts_, Floats));
    return !has_fine<Scalar>(columns, count, levels_.least - levels_.shares.high);
  }

  bool has_capped() const { return has_capped_; }

  // Replaces entries by the bits of their weights.
  void weigh(Floats* columns, int count) const {
    for (int i = 0; i < count; ++i) {
      Keys const bits = Mapping::template short_weights<Keys>(columns[i], levels_);
      columns[i] = narrowed_lanes<Scalar>(reinterpret_cast<Floats>(bits));
    }
  }

 private:
  Keys terms(Floats logits) const { return Mapping::template short_terms<Keys>(logits, maxima_); }

  // Sums the terms above the floors. Raises the floors until the least of these terms is above the
  // threshold that they imply.
  void sum_up(Floats const* columns, int count) {
    while (true) {
      Keys sums = {};
      counts_ = Keys{};
      least_ = maxima_;
      for (int i = 0; i < count; ++i) {
        Keys const term = terms(columns[i]);
        Keys const is_above = term > floors_;
        sums += is_above ? term : Keys{};
        counts_ -= is_above;
        least_ = is_above ? smaller(least_, columns[i]) : least_;
      }
      Keys const least = terms(least_);
      rests_ = Mapping::short_rests(sums, counts_, least);
      Keys const is_below = (rests_ <= 0) & (counts_ > 0);
      if (!any_lane(is_below)) return;
      floors_ = is_below ? least : floors_;
    }
  }

  // Replaces all but the k largest entries of the capped rows by -inf.
  [[gnu::noinline]] void keep_largest(Floats* columns, int count, Keys is_capped) const {
    LaneLimits limits(columns, count, k_, is_capped, least_, maxima_);
    limits.halve(tuning::kHalvingsOfLanes);
    limits.descend();
    leave_out(columns, count, is_capped ? limits.low() : Floats{} - INFINITY, limits.ties());
  }

  int32_t k_;
  bool has_capped_ = false;
  Floats maxima_;
  Keys floors_;
  Keys counts_;
  Keys rests_;
  Floats least_;
  typename Mapping::template ShortLevels<Floats> levels_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
