#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "rowwise/cpu/conversion.h"
#include "rowwise/cpu/support.h"
#include "rowwise/cpu/vector.h"

// Writing rows of which many entries are not zero.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Writes the weights of a vector of logits that reach the bound, and zeros.
template <class Mapping, class Scalar>
inline void write_vector(Mapping const& mapping, typename Mapping::Threshold const& threshold,
                         widened_t<Scalar> bound, Scalar const* logits, Scalar* weights) {
  using Real = widened_t<Scalar>;
  if constexpr (std::is_same_v<Real, double>) {
    for (int lane = 0; lane < kLanes<double>; ++lane) {
      double const logit = logits[lane];
      weights[lane] = logit >= bound ? mapping.weight(mapping.term(logit), threshold) : 0;
    }
  } else {
    int first = 0;
    for_each_half(widen_lanes(logits), [&](Doubles z) {
      auto const weight = mapping.weights(mapping.terms(z), threshold);
      narrow_doubles(z >= static_cast<double>(bound) ? weight : Doubles{}, weights + first);
      first += kLanes<double>;
    });
  }
}

// Mapping and support are copies, which no store to the weights can change.
template <class Mapping, class Scalar>
void write_dense_row(Mapping mapping, Support<Mapping, widened_t<Scalar>> support,
                     Scalar const* logits, Scalar* weights, int64_t length) {
  using Real = widened_t<Scalar>;
  constexpr int64_t kStep = kLanes<Real>;
  Real bound = support.smallest;
  int64_t ties = support.ties;
  auto const write = [&](Scalar const* from, Scalar* to) {
    write_vector(mapping, support.threshold, bound, from, to);
    if (!support.is_capped || bound != support.smallest) return;
    auto const is_tie = widen_lanes(from) == support.smallest;
    ties += sum_of_lanes<key_t<Real>>(is_tie);
    if (ties >= 0) return;
    // The last ones of this vector, and all after it, are left out.
    for (int64_t lane = kStep - 1; ties < 0; --lane) {
      if (!is_tie[lane]) continue;
      to[lane] = Scalar{};
      ++ties;
    }
    bound = scalar_of<Real>(key_after(support.smallest));
  };
  int64_t column = 0;
  for (; column + kStep <= length; column += kStep) write(logits + column, weights + column);
  if (column == length) return;
  alignas(kVectorBytes) Scalar rest[kStep];
  alignas(kVectorBytes) Scalar rest_weights[kStep];
  std::fill_n(rest, kStep, narrow<Scalar>(-static_cast<double>(INFINITY)));
  std::copy_n(logits + column, length - column, rest);
  write(rest, rest_weights);
  std::copy_n(rest_weights, length - column, weights + column);
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
