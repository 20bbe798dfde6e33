#pragma once

#include <cstdint>
#include <type_traits>

#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/vector.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Computes the weights of listed logits, all of them in the support. Up to a vector of numbers
// after the last logit is read, and after the last weight written.
template <class Mapping, class Real, class Scalar>
[[gnu::noinline]] void write_weights(Mapping const& mapping,
                                     typename Mapping::Threshold const& threshold,
                                     Real const* logits, int64_t count, Scalar* weights) {
  for (int64_t i = 0; i < count; i += kLanes<double>) {
    Doubles z;
    if constexpr (std::is_same_v<Real, double>) {
      z = load<double>(logits + i);
    } else {
      z = load_doubles(logits + i);
    }
    narrow_weights_of_any_size(mapping.weights(mapping.terms(z), threshold), weights + i);
  }
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
