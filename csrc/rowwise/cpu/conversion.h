#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "rowwise/cpu/vector.h"
#include "rowwise/float16.h"

// Between a row's numbers, the floats in which they are compared and the doubles in which they are
// summed, a vector at a time.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

using Floats = Vector<float>;
using Doubles = Vector<double>;

// The floats of as many doubles as a vector holds.
typedef float HalfFloats __attribute__((vector_size(kVectorBytes / 2)));
typedef int32_t HalfIntegers __attribute__((vector_size(kVectorBytes / 2)));
typedef uint16_t HalfShorts __attribute__((vector_size(kVectorBytes / 2)));
typedef uint16_t QuarterShorts __attribute__((vector_size(kVectorBytes / 4)));

template <class VectorType>
inline VectorType load_as(void const* source) {
  VectorType result;
  std::memcpy(&result, source, sizeof(result));
  return result;
}

inline Doubles widen_lanes(double const* source) { return load<double>(source); }

inline Floats widen_lanes(float const* source) { return load<float>(source); }

inline Floats widen_lanes(BFloat16 const* source) {
  auto const bits = __builtin_convertvector(load_as<HalfShorts>(source), Vector<uint32_t>);
  return reinterpret_cast<Floats>(bits << 16);
}

inline Floats widen_lanes(Float16 const* source) {
#if defined(__AVX512BW__)
  return reinterpret_cast<Floats>(_mm512_maskz_cvtph_ps(0xffff, load_as<__m256i>(source)));
#elif defined(__F16C__)
  return reinterpret_cast<Floats>(_mm256_cvtph_ps(load_as<__m128i>(source)));
#else
  Floats result;
  for (int lane = 0; lane < kLanes<float>; ++lane) result[lane] = widen(source[lane]);
  return result;
#endif
}

// Calls visit(doubles) for the first and for the second half of the lanes.
template <class Visit>
inline void for_each_half(Floats floats, Visit const& visit) {
  HalfFloats halves[2];
  std::memcpy(halves, &floats, sizeof(floats));
  visit(__builtin_convertvector(halves[0], Doubles));
  visit(__builtin_convertvector(halves[1], Doubles));
}

// Differences of the bits of doubles with the same exponent are those of their fractions.
inline Vector<int64_t> bits_of(Doubles x) { return reinterpret_cast<Vector<int64_t>>(x); }

namespace detail {

template <class Half, int... Lane>
inline auto join(Half low, Half high, std::integer_sequence<int, Lane...>) {
  return __builtin_shufflevector(low, high, Lane...);
}

}  // namespace detail

// The lanes of both halves of a vector, in order.
template <class Half>
inline auto join(Half low, Half high) {
  using Element = std::remove_cvref_t<decltype(low[0])>;
  constexpr int kCount = 2 * sizeof(Half) / sizeof(Element);
  return detail::join(low, high, std::make_integer_sequence<int, kCount>());
}

inline Doubles load_doubles(float const* source) {
  return __builtin_convertvector(load_as<HalfFloats>(source), Doubles);
}

// As detail::round_to_odd does, for finite numbers that are not negative.
inline HalfIntegers round_to_odd(Doubles x) {
  auto const nearest = __builtin_convertvector(x, HalfFloats);
  auto const back = __builtin_convertvector(nearest, Doubles);
  auto const is_above = __builtin_convertvector(back > x, HalfIntegers);
  auto const is_inexact = __builtin_convertvector(back != x, HalfIntegers);
  return (reinterpret_cast<HalfIntegers>(nearest) + is_above) | (is_inexact & 1);
}

// The bits of such numbers, narrowed, in the low bits of integers.
template <class Scalar>
inline HalfIntegers narrowed_bits(Doubles x) {
  if constexpr (std::is_same_v<Scalar, float>) {
    return reinterpret_cast<HalfIntegers>(__builtin_convertvector(x, HalfFloats));
  } else if constexpr (std::is_same_v<Scalar, BFloat16>) {
    auto const bits = round_to_odd(x);
    return (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  } else {
    auto const bits = round_to_odd(x);
#if defined(__AVX512BW__)
    return reinterpret_cast<HalfIntegers>(_mm256_cvtepu16_epi32(
        _mm256_cvtps_ph(reinterpret_cast<__m256>(bits), _MM_FROUND_TO_NEAREST_INT)));
#elif defined(__F16C__)
    return reinterpret_cast<HalfIntegers>(_mm_cvtepu16_epi32(
        _mm_cvtps_ph(reinterpret_cast<__m128>(bits), _MM_FROUND_TO_NEAREST_INT)));
#else
    HalfIntegers result;
    for (int lane = 0; lane < kLanes<double>; ++lane) {
      result[lane] = narrow<Float16>(static_cast<double>(std::bit_cast<float>(bits[lane]))).bits;
    }
    return result;
#endif
  }
}

template <class Scalar>
inline void narrow_doubles(Doubles x, Scalar* destination) {
  if constexpr (sizeof(Scalar) == sizeof(double)) {
    store(destination, x);
  } else if constexpr (sizeof(Scalar) == sizeof(float)) {
    store(destination, narrowed_bits<Scalar>(x));
  } else {
    store(destination, __builtin_convertvector(narrowed_bits<Scalar>(x), QuarterShorts));
  }
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
