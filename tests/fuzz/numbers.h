#pragma once

#include <fuzzer/FuzzedDataProvider.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "rowwise/float16.h"

namespace zeta::fuzz {

using Input = FuzzedDataProvider;

// Calls visit(zero, name of the dtype, alpha). One byte chooses the dtype and the member of the
// family.
template <class Visit>
void with_any_scalar_and_alpha(Input& input, Visit const& visit) {
  constexpr double kAlphas[] = {2, 1.5, 1, 1.25, 1.01, 1.75, 1.99, 2};
  int const choice = input.ConsumeIntegralInRange(0, 31);
  double const alpha = kAlphas[choice / 4];
  switch (choice % 4) {
    case 0:
      return visit(float{}, "float32", alpha);
    case 1:
      return visit(double{}, "float64", alpha);
    case 2:
      return visit(rowwise::Float16{}, "float16", alpha);
    default:
      return visit(rowwise::BFloat16{}, "bfloat16", alpha);
  }
}

// Endless numbers from some bytes, which come again and again, some of their bits changed by noise.
// They are the bits of a Scalar, or steps from one number, as the close ones that share a support.
template <class Scalar>
class Numbers {
 public:
  Numbers(Input& input, size_t bytes)
      : are_bits_(input.ConsumeBool()),
        noise_((uint64_t{1} << input.ConsumeIntegralInRange(0, 63)) - 1),
        step_(std::ldexp(1, -input.ConsumeIntegralInRange(0, 30))),
        first_(rowwise::widen(from_bits(input.ConsumeIntegral<uint64_t>()))),
        bytes_(input.ConsumeBytes<uint8_t>(bytes)) {
    if (bytes_.empty()) bytes_.push_back(0);
    if (!std::isfinite(first_)) first_ = 0;
  }

  Scalar operator()(size_t i) const {
    uint64_t word = 0;
    for (size_t byte = 0; byte < sizeof(Scalar); ++byte) {
      word = word << 8 | bytes_[(i * sizeof(Scalar) + byte) % bytes_.size()];
    }
    word ^= hash(i) & noise_;
    if (are_bits_) return from_bits(word);
    auto const steps = static_cast<int16_t>(word);
    if (steps == INT16_MIN) return rowwise::narrow<Scalar>(-static_cast<double>(INFINITY));
    return rowwise::narrow<Scalar>(first_ + steps * step_);
  }

 private:
  static Scalar from_bits(uint64_t bits) {
    Scalar result;
    std::memcpy(&result, &bits, sizeof(result));
    return result;
  }

  // The finaliser of SplitMix64.
  static uint64_t hash(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
  }

  bool are_bits_;
  uint64_t noise_;
  double step_;
  double first_;
  std::vector<uint8_t> bytes_;
};

}  // namespace zeta::fuzz
