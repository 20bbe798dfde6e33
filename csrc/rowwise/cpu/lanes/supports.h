#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "rowwise/cpu/lanes/limits.h"
#include "rowwise/cpu/rows/support.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/vector.h"

// Finds the supports of rows that lie one to a lane of a vector, so that no pass over their entries
// ends with a sum over lanes. The passes are those of rows/support.h.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Raises thresholds by passes of Michelot's iteration in float over the rows' entries or over some
// of them. They stay at or below the thresholds that the rows have without a limit k. Thresholds
// are relative to the maxima.
inline Floats raise_thresholds(Floats const* columns, int64_t count, Floats maxima,
                               Floats thresholds, int passes) {
  Floats counts = {};
  for (int pass = 0; pass < passes; ++pass) {
    Floats const bounds = maxima + thresholds;
    Floats const previous = counts;
    Floats sums = {};
    counts = Floats{};
    for (int64_t column = 0; column < count; ++column) {
      Floats const z = columns[column];
      auto const is_above = z >= bounds;
      sums += is_above ? z - maxima : Floats{};
      counts += is_above ? Floats{} + 1.0F : Floats{};
    }
    if (!any_lane(counts != previous)) break;
    thresholds = (sums - 1.0F) / counts;
  }
  return thresholds - estimate_error(count * kLanes<float>);
}

template <class Mapping>
class LaneSupports {
 public:
  using Fixed = typename Mapping::Fixed;

  LaneSupports(Fixed const& fixed, int64_t k) : fixed_(fixed), k_(static_cast<int32_t>(k)) {}

  // `columns` holds the entries of each row that may be in its support, in order, and then -inf.
  // `lowest` are thresholds at or below the rows', relative to their maxima. A maximum of NaN
  // stands for a row without a support.
  void find(Floats const* columns, int64_t count, Floats maxima, Floats lowest) {
    auto const thresholds =
        raise_thresholds(columns, count, maxima, lowest, tuning::kMostEstimates);
    int half = 0;
    for_each_half(maxima, [&](Doubles x) { maxima_[half++] = x; });
    half = 0;
    for_each_half(thresholds, [&](Doubles x) {
      thresholds_[half++] = {fixed_.displaced(x) - fixed_.unit(), Doubles{}};
    });
    while (!sum_up(columns, count, AboveThreshold{})) {
    }
    Keys const support = join(shortened(counts_[0]), shortened(counts_[1]));
    has_capped_ = any_lane(support > k_);
    if (!has_capped_) return;
    largest_ = find_largest(columns, count, support > k_, maxima, maxima + thresholds);
    sum_up(columns, count, largest_);
  }

  // Whether some row has more than k entries above its threshold.
  bool has_capped() const { return has_capped_; }

  // Replaces entries by the bits of their weights.
  template <class Scalar>
  void weigh(Floats* columns, int64_t count) const {
    if (has_capped_) {
      weigh<Scalar>(columns, count, largest_);
    } else {
      weigh<Scalar>(columns, count, AboveThreshold{});
    }
  }

 private:
  // A selection that takes all entries above the thresholds.
  struct AboveThreshold {
    static void keep(Floats, Vector<int64_t> (&)[2]) {}
  };

  // A selection that takes those of them that are above `smallest`, and the first `ties` that equal
  // it.
  struct Largest {
    Floats smallest;
    Keys ties;

    void keep(Floats z, Vector<int64_t> (&is_included)[2]) {
      Keys const is_tie = z == smallest;
      ties += is_tie;
      Keys const is_kept = (z > smallest) | (is_tie & (ties >= 0));
      is_included[0] &= lengthened(half_of<false, int32_t>(is_kept));
      is_included[1] &= lengthened(half_of<true, int32_t>(is_kept));
    }
  };

  // Calls visit(terms, is_included) with both halves of a column.
  template <class Selection, class Visit>
  void visit_column(Floats z, Selection& selection, Visit const& visit) const {
    Doubles terms[2];
    Vector<int64_t> is_included[2];
    int half = 0;
    for_each_half(z, [&](Doubles logits) {
      terms[half] = Mapping::terms(logits, maxima_[half], fixed_);
      is_included[half] = Mapping::is_above(terms[half], thresholds_[half]);
      ++half;
    });
    selection.keep(z, is_included);
    visit(terms, is_included);
  }

  // Replaces the thresholds by those that the selected entries imply. Returns whether all of these
  // entries are above them.
  template <class Selection>
  bool sum_up(Floats const* columns, int64_t count, Selection selection) {
    Vector<uint64_t> sums[2] = {};
    Vector<int64_t> counts[2] = {};
    Doubles const none = Doubles{} + INFINITY;
    Doubles smallest[2] = {none, none};
    for (int64_t column = 0; column < count; ++column) {
      visit_column(columns[column], selection, [&](auto const& terms, auto const& is_included) {
        for (int half = 0; half < 2; ++half) {
          sums[half] += is_included[half] ? bits_of(terms[half]) : Vector<uint64_t>{};
          counts[half] -= is_included[half];
          smallest[half] = smaller(smallest[half], is_included[half] ? terms[half] : none);
        }
      });
    }
    auto const of_maximum = bits_of(Doubles{} + Mapping::term_of_maximum(fixed_));
    Keys is_below[2];
    for (int half = 0; half < 2; ++half) {
      sums[half] -= reinterpret_cast<Vector<uint64_t>>(counts[half]) * of_maximum;
      auto const divisors = counts[half] == 0 ? Vector<int64_t>{} + 1 : counts[half];
      counts_[half] = counts[half];
      thresholds_[half] = Mapping::template thresholds<Doubles>(
          reinterpret_cast<Vector<int64_t>>(sums[half]), divisors, fixed_);
      is_below[half] = reinterpret_cast<Keys>(smallest[half] <= thresholds_[half].integer);
    }
    return !any_lane(is_below[0] | is_below[1]);
  }

  // Selects the k largest entries of the capped rows, in which k entries or more reach the bounds,
  // and all entries of the other rows.
  Largest find_largest(Floats const* columns, int64_t count, Keys is_capped, Floats maxima,
                       Floats bounds) const {
    LaneLimits limits(columns, count, k_, is_capped, bounds, maxima);
    limits.halve(tuning::kHalvingsOfLanes);
    limits.descend();
    return {is_capped ? limits.low() : Floats{} - INFINITY, limits.ties()};
  }

  template <class Scalar, class Selection>
  void weigh(Floats* columns, int64_t count, Selection selection) const {
    for (int64_t column = 0; column < count; ++column) {
      visit_column(columns[column], selection, [&](auto const& terms, auto const& is_included) {
        HalfIntegers bits[2];
        for (int half = 0; half < 2; ++half) {
          auto const weights = Mapping::weights(terms[half], thresholds_[half]);
          bits[half] = narrowed_bits<Scalar>(is_included[half] ? weights : Doubles{});
        }
        columns[column] = reinterpret_cast<Floats>(join(bits[0], bits[1]));
      });
    }
  }

  Fixed fixed_;
  int32_t k_;
  bool has_capped_ = false;
  Largest largest_;
  Doubles maxima_[2];
  typename Mapping::template Thresholds<Doubles> thresholds_[2];
  Vector<int64_t> counts_[2];
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
