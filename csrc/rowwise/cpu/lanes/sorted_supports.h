#pragma once

#include <cstdint>
#include <type_traits>

#include "mappings/short_terms.h"
#include "rowwise/cpu/lanes/supports.h"
#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/vector.h"

// Finds the supports of as many rows as a vector has floats, one row to a lane, from the rows'
// sorted entries: sorted(i) returns the i-th largest entry of each row, in floats.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Calls add(i) for i = 0, 1, ..., which adds the i-th largest entry of each row and returns in
// which rows it is in the support. Stops when there is no such row, or after `count` entries and up
// to three more.
template <class Add>
[[gnu::always_inline]] inline void descend(int count, Add const& add) {
  constexpr int kSteps = 4;  // entries from one check to the next
  for (int first = 0; first < count; first += kSteps) {
    for (int i = 0; i + 1 < kSteps; ++i) add(first + i);
    if (!any_lane(add(first + kSteps - 1))) break;
  }
}

// Supports of half-type rows for which mappings::ShortTerms are exact.
template <class Mapping>
class ShortSupports {
 public:
  template <class Sorted>
  [[gnu::always_inline]] void find(Sorted const& sorted, int count) {
    typename Mapping::template Descent<Floats> descent(sorted(0));
    descend(count, [&](int i) {
      Floats const logits = sorted(i);
      descent.add(logits, logits);
      return descent.is_in_support();
    });
    levels_ = Mapping::short_levels(descent.least(), descent.rests(), descent.counts());
  }

  // Returns the weights, rounded to odd.
  Floats weights(Floats logits) const {
    return reinterpret_cast<Floats>(Mapping::template short_weights<Keys>(logits, levels_));
  }

  // About the least logit that can be in the support: the threshold, rounded to a multiple of the
  // unit of ShortTerms.
  Floats lowest() const { return levels_.least - levels_.shares.high; }

 private:
  typename Mapping::template ShortLevels<Floats> levels_;
};

// Supports of any rows.
template <class Mapping>
class ExactSupports {
 public:
  using Fixed = typename Mapping::Fixed;

  explicit ExactSupports(Fixed const& fixed) : fixed_(fixed) {}

  template <class Sorted>
  [[gnu::always_inline]] void find(Sorted const& sorted, int count) {
    using Descent = typename Mapping::template Descent<Doubles>;
    int half = 0;
    for_each_half(sorted(0), [&](Doubles logits) { maxima_[half++] = logits; });
    Descent descents[2] = {Descent(terms(maxima_[0], 0)), Descent(terms(maxima_[1], 1))};
    descend(count, [&](int i) {
      half = 0;
      for_each_half(sorted(i), [&](Doubles logits) {
        descents[half].add(logits, terms(logits, half));
        ++half;
      });
      return descents[0].is_in_support() | descents[1].is_in_support();
    });
    for (int i = 0; i < 2; ++i) {
      thresholds_[i] = Mapping::thresholds_below(terms(descents[i].least(), i), descents[i].rests(),
                                                 descents[i].counts(), fixed_);
    }
    least_ = join(shortened(descents[0].least()), shortened(descents[1].least()));
  }

  // Returns the weights, rounded to odd for half types.
  template <class Scalar>
  Floats weights(Floats logits) const {
    HalfIntegers bits[2];
    int half = 0;
    for_each_half(logits, [&](Doubles z) {
      auto const weights = Mapping::weights(terms(z, half), thresholds_[half]);
      if constexpr (sizeof(Scalar) == 2) {
        bits[half] = round_to_odd(weights);
      } else {
        bits[half] = narrowed_bits<Scalar>(weights);
      }
      ++half;
    });
    Keys const all = join(bits[0], bits[1]);
    return reinterpret_cast<Floats>(logits >= least_ ? all : Keys{});
  }

 private:
  Doubles terms(Doubles logits, int half) const {
    return Mapping::terms(logits, maxima_[half], fixed_);
  }

  Fixed fixed_;
  Doubles maxima_[2];
  Floats least_;
  typename Mapping::template Thresholds<Doubles> thresholds_[2];
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
