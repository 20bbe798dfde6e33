#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "rowwise/cpu/vectors/vector.h"
#include "rowwise/float16.h"

// Converts between the numbers of a row, the floats in which they are compared and the doubles in
// which they are summed, a vector at a time.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

using Floats = Vector<float>;
using Doubles = Vector<double>;

// Vectors of half and of a quarter of the width. HalfFloats has as many lanes as Doubles.
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

// lengthened() and shortened() convert lane by lane, in one instruction where GCC 12 makes several
// of __builtin_convertvector.
#if defined(__AVX512BW__)

inline Doubles lengthened(HalfFloats x) {
  return reinterpret_cast<Doubles>(_mm512_maskz_cvtps_pd(0xff, reinterpret_cast<__m256>(x)));
}
inline Vector<int64_t> lengthened(HalfIntegers x) {
  return reinterpret_cast<Vector<int64_t>>(
      _mm512_maskz_cvtepi32_epi64(0xff, reinterpret_cast<__m256i>(x)));
}
inline Vector<uint32_t> lengthened(HalfShorts x) {
  return reinterpret_cast<Vector<uint32_t>>(
      _mm512_maskz_cvtepu16_epi32(0xffff, reinterpret_cast<__m256i>(x)));
}
inline HalfFloats shortened(Doubles x) {
  return reinterpret_cast<HalfFloats>(_mm512_maskz_cvtpd_ps(0xff, reinterpret_cast<__m512d>(x)));
}
inline HalfIntegers shortened(Vector<int64_t> x) {
  return reinterpret_cast<HalfIntegers>(
      _mm512_maskz_cvtepi64_epi32(0xff, reinterpret_cast<__m512i>(x)));
}
inline HalfShorts shortened(Vector<uint32_t> x) {
  return reinterpret_cast<HalfShorts>(
      _mm512_maskz_cvtepi32_epi16(0xffff, reinterpret_cast<__m512i>(x)));
}
inline QuarterShorts shortened(HalfIntegers x) {
  return reinterpret_cast<QuarterShorts>(
      _mm256_maskz_cvtepi32_epi16(0xff, reinterpret_cast<__m256i>(x)));
}

#else

#if defined(__AVX2__)
inline Doubles lengthened(HalfFloats x) {
  return reinterpret_cast<Doubles>(_mm256_cvtps_pd(reinterpret_cast<__m128>(x)));
}
inline HalfFloats shortened(Doubles x) {
  return reinterpret_cast<HalfFloats>(_mm256_cvtpd_ps(reinterpret_cast<__m256d>(x)));
}
#else
inline Doubles lengthened(HalfFloats x) { return __builtin_convertvector(x, Doubles); }
inline HalfFloats shortened(Doubles x) { return __builtin_convertvector(x, HalfFloats); }
#endif
inline Vector<int64_t> lengthened(HalfIntegers x) {
  return __builtin_convertvector(x, Vector<int64_t>);
}
inline Vector<uint32_t> lengthened(HalfShorts x) {
  return __builtin_convertvector(x, Vector<uint32_t>);
}
inline HalfIntegers shortened(Vector<int64_t> x) {
  return __builtin_convertvector(x, HalfIntegers);
}
inline HalfShorts shortened(Vector<uint32_t> x) { return __builtin_convertvector(x, HalfShorts); }
inline QuarterShorts shortened(HalfIntegers x) { return __builtin_convertvector(x, QuarterShorts); }

#endif

inline Doubles widen_lanes(double const* source) { return load<double>(source); }

inline Floats widen_lanes(float const* source) { return load<float>(source); }

// Widens numbers of a half type, given by their bits.
template <class Scalar>
inline Floats widened(HalfShorts bits) {
  if constexpr (std::is_same_v<Scalar, BFloat16>) {
    return reinterpret_cast<Floats>(lengthened(bits) << 16);
  } else {
#if defined(__AVX512BW__)
    return reinterpret_cast<Floats>(_mm512_maskz_cvtph_ps(0xffff, reinterpret_cast<__m256i>(bits)));
#elif defined(__F16C__)
    return reinterpret_cast<Floats>(_mm256_cvtph_ps(reinterpret_cast<__m128i>(bits)));
#else
    auto const all = lengthened(bits);
    auto const magnitude = all & 0x7fff;
    constexpr uint32_t kRebias = (127 - 15) << 23;
    auto const rebased = (magnitude << 13) + (magnitude < 0x7c00 ? kRebias : 2 * kRebias);
    auto const subnormal =
        __builtin_convertvector(reinterpret_cast<Vector<int32_t>>(magnitude), Floats) * 0x1p-24F;
    auto const widened =
        magnitude < 0x400 ? reinterpret_cast<Vector<uint32_t>>(subnormal) : rebased;
    return reinterpret_cast<Floats>(widened | (all & 0x8000) << 16);
#endif
  }
}

inline Floats widen_lanes(BFloat16 const* source) {
  return widened<BFloat16>(load_as<HalfShorts>(source));
}

inline Floats widen_lanes(Float16 const* source) {
  return widened<Float16>(load_as<HalfShorts>(source));
}

namespace detail {

template <int First, class VectorType, int... Lane>
inline auto lanes_from(VectorType vector, std::integer_sequence<int, Lane...>) {
  return __builtin_shufflevector(vector, vector, (First + Lane)...);
}

template <class Half, int... Lane>
inline auto join(Half low, Half high, std::integer_sequence<int, Lane...>) {
  return __builtin_shufflevector(low, high, Lane...);
}

}  // namespace detail

// The first or the second half of a vector's lanes.
template <bool Second, class Element>
inline auto half_of(Vector<Element> vector) {
  constexpr int kCount = kLanes<Element> / 2;
  using Half = std::make_integer_sequence<int, kCount>;
  return detail::lanes_from<Second ? kCount : 0>(vector, Half());
}

// Joins both halves of a vector, in order.
template <class Half>
inline auto join(Half low, Half high) {
  using Element = std::remove_cvref_t<decltype(low[0])>;
  constexpr int kCount = 2 * sizeof(Half) / sizeof(Element);
  return detail::join(low, high, std::make_integer_sequence<int, kCount>());
}

// Calls visit(doubles) for the first and for the second half of the lanes.
template <class Visit>
inline void for_each_half(Floats floats, Visit const& visit) {
  visit(lengthened(half_of<false, float>(floats)));
  visit(lengthened(half_of<true, float>(floats)));
}

// Doubles with one magic-number bias have the same exponent, so that the differences of their bits
// are those of their fractions, as integers. Sums of the bits wrap around.
inline Vector<uint64_t> bits_of(Doubles x) { return reinterpret_cast<Vector<uint64_t>>(x); }

inline Doubles load_doubles(float const* source) { return lengthened(load_as<HalfFloats>(source)); }
inline Doubles load_doubles(double const* source) { return load<double>(source); }

// Does what detail::round_to_odd does, for numbers that are not negative.
inline HalfIntegers round_to_odd(Doubles x) {
  auto const nearest = shortened(x);
  auto const back = lengthened(nearest);
  auto const is_above = shortened(reinterpret_cast<Vector<int64_t>>(back > x));
  auto const is_inexact = shortened(reinterpret_cast<Vector<int64_t>>(back != x));
  return (reinterpret_cast<HalfIntegers>(nearest) + is_above) | (is_inexact & 1);
}

// Rounds floats of [0, 2^16) to float16 as narrow() does, and returns their bits.
template <class FloatVector>
inline auto float16_bits(FloatVector x) {
  using Integers = decltype(x < x);
  auto const bits = reinterpret_cast<Integers>(x);
  auto const rebased = bits - ((127 - 15) << 23);
  auto const normal = (rebased + 0xfff + (rebased >> 13 & 1)) >> 13;
  auto const subnormal = reinterpret_cast<Integers>(x + 0.5F) - 0x3f000000;
  return bits < 0x38800000 ? subnormal : normal;
}

// Rounds numbers that are rounded to odd to bfloat16, and returns their bits.
inline HalfIntegers bfloat16_bits(HalfIntegers odd) {
  return (odd + 0x7fff + (odd >> 16 & 1)) >> 16;
}

// Rounds weights, which are finite and not negative, to Scalar. Returns their bits, in the low bits
// of 32-bit integers.
template <class Scalar>
inline HalfIntegers narrowed_bits(Doubles x) {
  if constexpr (std::is_same_v<Scalar, float>) {
    return reinterpret_cast<HalfIntegers>(shortened(x));
  } else if constexpr (std::is_same_v<Scalar, BFloat16>) {
    // No weight of the sparse softmax but 0 is so small that it would not be a normal bfloat16.
    constexpr int kDropped = 52 - 7;  // bits of the fraction
    constexpr int64_t kRebias = int64_t{1023 - 127} << 7;
    auto const bits = reinterpret_cast<Vector<int64_t>>(x);
    auto const half = (int64_t{1} << (kDropped - 1)) - 1 + ((bits >> kDropped) & 1);
    auto const rounded = ((bits + half) >> kDropped) - kRebias;
    return shortened(x == 0.0 ? Vector<int64_t>{} : rounded);
  } else {
    auto const bits = round_to_odd(x);
#if defined(__AVX512BW__)
    return reinterpret_cast<HalfIntegers>(_mm256_cvtepu16_epi32(
        _mm256_cvtps_ph(reinterpret_cast<__m256>(bits), _MM_FROUND_TO_NEAREST_INT)));
#elif defined(__F16C__)
    return reinterpret_cast<HalfIntegers>(_mm_cvtepu16_epi32(
        _mm_cvtps_ph(reinterpret_cast<__m128>(bits), _MM_FROUND_TO_NEAREST_INT)));
#else
    return float16_bits(reinterpret_cast<HalfFloats>(bits));
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
    store(destination, shortened(narrowed_bits<Scalar>(x)));
  }
}

// Rounds weights as narrow_doubles() does, also those that are too small to be normal numbers of
// Scalar.
template <class Scalar>
inline void narrow_weights_of_any_size(Doubles x, Scalar* destination) {
  if constexpr (std::is_same_v<Scalar, BFloat16>) {
    store(destination, shortened(bfloat16_bits(round_to_odd(x))));
  } else {
    narrow_doubles(x, destination);
  }
}

// Does for a vector of any numbers what narrow() does.
template <class Scalar>
inline void narrow_numbers(Doubles x, Scalar* destination) {
  if constexpr (std::is_same_v<Scalar, double>) {
    store(destination, x);
  } else if constexpr (std::is_same_v<Scalar, float>) {
    store(destination, shortened(x));
  } else {
    auto const bits = reinterpret_cast<Vector<int64_t>>(x);
    auto const sign = shortened(bits >> 48) & 0x8000;
    auto const is_number = reinterpret_cast<Vector<int64_t>>(x == x);
    auto const is_nan = shortened(is_number) == 0;
    auto const magnitude = reinterpret_cast<Doubles>(bits & INT64_MAX & is_number);
    if constexpr (std::is_same_v<Scalar, BFloat16>) {
      auto const rounded = bfloat16_bits(round_to_odd(magnitude));
      store(destination, shortened(is_nan ? HalfIntegers{} + 0x7fc0 : rounded | sign));
    } else {
      auto const fits = shortened(reinterpret_cast<Vector<int64_t>>(magnitude < 0x1p16)) != 0;
      auto const rounded = fits ? narrowed_bits<Float16>(magnitude) : HalfIntegers{} + 0x7c00;
      store(destination, shortened((is_nan ? HalfIntegers{} + 0x7e00 : rounded) | sign));
    }
  }
}

// Rounds floats that are finite and not negative to float16, and returns their bits.
inline HalfShorts narrowed_to_float16(Floats x) {
#if defined(__AVX512BW__)
  return reinterpret_cast<HalfShorts>(
      _mm512_maskz_cvtps_ph(0xffff, reinterpret_cast<__m512>(x), _MM_FROUND_TO_NEAREST_INT));
#elif defined(__F16C__)
  return reinterpret_cast<HalfShorts>(
      _mm256_cvtps_ph(reinterpret_cast<__m256>(x), _MM_FROUND_TO_NEAREST_INT));
#else
  return shortened(reinterpret_cast<Vector<uint32_t>>(float16_bits(x)));
#endif
}

// Widens one of the two parts of a vector of a half type, given by its bits. The parts of float16
// are the halves of the vector. Those of bfloat16, which is the upper half of a float, are the even
// and the odd lanes, each of which takes one instruction.
template <class Scalar, int Part>
inline Floats part_of(Vector<uint16_t> bits) {
  if constexpr (std::is_same_v<Scalar, BFloat16>) {
    auto const pairs = reinterpret_cast<Vector<uint32_t>>(bits);
    return reinterpret_cast<Floats>(Part == 0 ? pairs << 16 : pairs & 0xffff0000);
  } else {
    return widened<Scalar>(half_of<Part == 1, uint16_t>(bits));
  }
}

// Says in which part an entry of the vector is, and in which lane of it.
struct PlaceInParts {
  int part;
  int lane;
};

template <class Scalar>
constexpr PlaceInParts place_in_parts(int entry) {
  if (std::is_same_v<Scalar, BFloat16>) return {entry % 2, entry / 2};
  return {entry / kLanes<float>, entry % kLanes<float>};
}

// Rounds finite floats to bfloat16, whose bits are the upper halves of the results.
inline Vector<uint32_t> rounded_to_upper_half(Floats x) {
  auto const bits = reinterpret_cast<Vector<uint32_t>>(x);
  return bits + 0x7fff + (bits >> 16 & 1);
}

// Rounds both parts, as part_of() has them, back to a vector of bits. The floats must be finite and
// not negative.
template <class Scalar>
inline Vector<uint16_t> narrowed_parts(Floats first, Floats second) {
  if constexpr (std::is_same_v<Scalar, BFloat16>) {
    return reinterpret_cast<Vector<uint16_t>>(rounded_to_upper_half(first) >> 16 |
                                              (rounded_to_upper_half(second) & 0xffff0000));
  } else {
    return join(narrowed_to_float16(first), narrowed_to_float16(second));
  }
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
