#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

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

// Of doubles that hold integers up to 2^51 in magnitude. The sum has no bits for a fraction, so its
// bits count.
inline Vector<int64_t> integers_of(Doubles x) {
  constexpr double kShift = 6755399441055744.0;
  return reinterpret_cast<Vector<int64_t>>(reinterpret_cast<Vector<uint64_t>>(x + kShift) -
                                           std::bit_cast<uint64_t>(kShift));
}

inline Doubles load_doubles(float const* source) {
  return __builtin_convertvector(load_as<HalfFloats>(source), Doubles);
}

inline void narrow_doubles(Doubles x, double* destination) { store(destination, x); }

inline void narrow_doubles(Doubles x, float* destination) {
  store(destination, __builtin_convertvector(x, HalfFloats));
}

// As detail::round_to_odd does, for finite numbers that are not negative.
inline HalfIntegers round_to_odd(Doubles x) {
  auto const nearest = __builtin_convertvector(x, HalfFloats);
  auto const back = __builtin_convertvector(nearest, Doubles);
  auto const is_above = __builtin_convertvector(back > x, HalfIntegers);
  auto const is_inexact = __builtin_convertvector(back != x, HalfIntegers);
  return (reinterpret_cast<HalfIntegers>(nearest) + is_above) | (is_inexact & 1);
}

inline void narrow_doubles(Doubles x, BFloat16* destination) {
  auto const bits = round_to_odd(x);
  auto const rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  store(destination, __builtin_convertvector(rounded, QuarterShorts));
}

inline void narrow_doubles(Doubles x, Float16* destination) {
  auto const bits = round_to_odd(x);
#if defined(__AVX512BW__)
  auto const rounded = _mm256_cvtps_ph(reinterpret_cast<__m256>(bits), _MM_FROUND_TO_NEAREST_INT);
  std::memcpy(destination, &rounded, sizeof(QuarterShorts));
#elif defined(__F16C__)
  auto const rounded = _mm_cvtps_ph(reinterpret_cast<__m128>(bits), _MM_FROUND_TO_NEAREST_INT);
  std::memcpy(destination, &rounded, sizeof(QuarterShorts));
#else
  for (int lane = 0; lane < kLanes<double>; ++lane) {
    destination[lane] = narrow<Float16>(static_cast<double>(std::bit_cast<float>(bits[lane])));
  }
#endif
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
