#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>
#include <cstring>

#include "rowwise/float16.h"
#include "rowwise/ordered_key.h"

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#endif

// A word is what a thread computes with: a float, a double, or a pair of numbers of 16 bits, which
// one instruction takes together. The functions of numbers below act on each half of a pair.
namespace zeta::rowwise::cuda {

template <class Scalar>
struct Pair {
  uint32_t bits;
};

template <class Scalar>
struct WordOf {
  using type = Pair<Scalar>;
};
template <>
struct WordOf<float> {
  using type = float;
};
template <>
struct WordOf<double> {
  using type = double;
};
template <class Scalar>
using word_t = typename WordOf<Scalar>::type;

// Numbers of a word.
template <class Scalar>
inline constexpr int kPerWord = sizeof(Scalar) == 2 ? 2 : 1;

// Significant bits of a number.
template <class Scalar>
inline constexpr int kDigits = 24;
template <>
inline constexpr int kDigits<Float16> = 11;
template <>
inline constexpr int kDigits<BFloat16> = 8;

namespace detail {

#ifdef __CUDACC__
__device__ inline __half2 native(Pair<Float16> x) { return *reinterpret_cast<__half2*>(&x); }
__device__ inline __nv_bfloat162 native(Pair<BFloat16> x) {
  return *reinterpret_cast<__nv_bfloat162*>(&x);
}
template <class Scalar, class Native>
__device__ inline Pair<Scalar> pair_of(Native x) {
  return {*reinterpret_cast<uint32_t*>(&x)};
}
#endif

template <class Scalar>
__device__ inline float low(Pair<Scalar> x) {
  return widen(Scalar{static_cast<uint16_t>(x.bits)});
}
template <class Scalar>
__device__ inline float high(Pair<Scalar> x) {
  return widen(Scalar{static_cast<uint16_t>(x.bits >> 16)});
}
__device__ inline float low(Pair<BFloat16> x) {
  return rowwise::detail::float_from_bits(x.bits << 16);
}
__device__ inline float high(Pair<BFloat16> x) {
  return rowwise::detail::float_from_bits(x.bits & 0xffff0000U);
}

// Makes a pair of two floats that are numbers of the type.
__device__ inline Pair<BFloat16> of_halves(float low, float high) {
  return {rowwise::detail::bits_of(low) >> 16 | (rowwise::detail::bits_of(high) & 0xffff0000U)};
}

// Applies a function of numbers to the halves of pairs. Its results are rounded once.
template <class Scalar, class Function, class... Pairs>
__device__ inline Pair<Scalar> for_halves(Function const& function, Pairs... pairs) {
  uint32_t const low_bits = narrow<Scalar>(function(low(pairs)...)).bits;
  uint32_t const high_bits = narrow<Scalar>(function(high(pairs)...)).bits;
  return {low_bits | high_bits << 16};
}

}  // namespace detail

// Return the larger and the smaller of two numbers. If one of them is NaN, they return the other.
__device__ inline float larger(float a, float b) { return fmaxf(a, b); }
__device__ inline float smaller(float a, float b) { return fminf(a, b); }
__device__ inline double larger(double a, double b) { return fmax(a, b); }
__device__ inline double smaller(double a, double b) { return fmin(a, b); }

template <class Scalar>
__device__ inline Pair<Scalar> larger(Pair<Scalar> a, Pair<Scalar> b) {
#ifdef __CUDA_ARCH__
  if constexpr (__CUDA_ARCH__ < 800 && kDigits<Scalar> == 8) {
    return detail::of_halves(fmaxf(detail::low(a), detail::low(b)),
                             fmaxf(detail::high(a), detail::high(b)));
  }
  return detail::pair_of<Scalar>(__hmax2(detail::native(a), detail::native(b)));
#else
  return detail::for_halves<Scalar>([](float x, float y) { return fmaxf(x, y); }, a, b);
#endif
}

template <class Scalar>
__device__ inline Pair<Scalar> smaller(Pair<Scalar> a, Pair<Scalar> b) {
#ifdef __CUDA_ARCH__
  if constexpr (__CUDA_ARCH__ < 800 && kDigits<Scalar> == 8) {
    return detail::of_halves(fminf(detail::low(a), detail::low(b)),
                             fminf(detail::high(a), detail::high(b)));
  }
  return detail::pair_of<Scalar>(__hmin2(detail::native(a), detail::native(b)));
#else
  return detail::for_halves<Scalar>([](float x, float y) { return fminf(x, y); }, a, b);
#endif
}

// Returns the larger of two numbers, or NaN if one of them is NaN.
__device__ inline float larger_or_nan(float a, float b) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  float result;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
  return result;
#else
  return a != a || b != b ? NAN : fmaxf(a, b);
#endif
}

__device__ inline double larger_or_nan(double a, double b) {
  return a != a || b != b ? static_cast<double>(NAN) : fmax(a, b);
}

template <class Scalar>
__device__ inline Pair<Scalar> larger_or_nan(Pair<Scalar> a, Pair<Scalar> b) {
#ifdef __CUDA_ARCH__
  return detail::pair_of<Scalar>(__hmax2_nan(detail::native(a), detail::native(b)));
#else
  return detail::for_halves<Scalar>([](float x, float y) { return larger_or_nan(x, y); }, a, b);
#endif
}

// Whether x is neither infinite nor NaN.
template <class Real>
__device__ inline bool is_finite(Real x) {
  return x < INFINITY && x > -INFINITY;
}

// Returns 1 where the numbers are equal, else 0.
__device__ inline float one_where_equal(float a, float b) {
#ifdef __CUDA_ARCH__
  float result;
  asm("set.eq.f32.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
  return result;
#else
  return a == b ? 1.0F : 0.0F;
#endif
}

template <class Scalar>
__device__ inline Pair<Scalar> one_where_equal(Pair<Scalar> a, Pair<Scalar> b) {
#ifdef __CUDA_ARCH__
  return detail::pair_of<Scalar>(__heq2(detail::native(a), detail::native(b)));
#else
  return detail::for_halves<Scalar>([](float x, float y) { return one_where_equal(x, y); }, a, b);
#endif
}

// Returns all bits set where a >= b, else none.
__device__ inline uint32_t bits_where_not_below(float a, float b) {
#ifdef __CUDA_ARCH__
  uint32_t result;
  asm("set.ge.u32.f32 %0, %1, %2;" : "=r"(result) : "f"(a), "f"(b));
  return result;
#else
  return a >= b ? ~uint32_t{0} : 0;
#endif
}
__device__ inline uint32_t bits_where_not_below(double a, double b) {
  return a >= b ? ~uint32_t{0} : 0;
}

template <class Scalar>
__device__ inline uint32_t bits_where_not_below(Pair<Scalar> a, Pair<Scalar> b) {
#ifdef __CUDA_ARCH__
  return __hge2_mask(detail::native(a), detail::native(b));
#else
  return (detail::low(a) >= detail::low(b) ? 0xffffU : 0) |
         (detail::high(a) >= detail::high(b) ? 0xffff0000U : 0);
#endif
}

// Returns the sign bit of a sum or a difference, which is 0 for NaN: a GPU makes no NaN with a
// sign.
__device__ inline uint32_t sign_of_sum(float x) {
#ifndef __CUDA_ARCH__
  if (x != x) return 0;
#endif
  return rowwise::detail::bits_of(x) >> 31;
}

// Returns 1 if a is above b, else 0. The result is the sign of a difference, which can be shifted
// or added up as it is. Adding 0 keeps b from being -0, since -0 - 0 would be -0.
__device__ inline uint32_t is_above(float a, float b) { return sign_of_sum((b + 0.0F) - a); }

// Returns 1 where a is above b, else 0.
template <class Scalar>
__device__ inline Pair<Scalar> one_where_above(Pair<Scalar> a, Pair<Scalar> b) {
#ifdef __CUDA_ARCH__
  if constexpr (__CUDA_ARCH__ >= 900 || kDigits<Scalar> != 8) {
    return detail::pair_of<Scalar>(__hgt2(detail::native(a), detail::native(b)));
  }
#endif
  constexpr uint32_t kOne = kDigits<Scalar> == 8 ? 0x3f80 : 0x3c00;
  uint32_t const low = is_above(detail::low(a), detail::low(b));
  uint32_t const high = is_above(detail::high(a), detail::high(b));
  return {low * kOne | high * (kOne << 16)};
}

// Returns all bits set where a is above b, else none. It needs no predicates, of which there are
// few.
template <class Scalar>
__device__ inline uint32_t all_where_above(Pair<Scalar> a, Pair<Scalar> b) {
#ifdef __CUDA_ARCH__
  if constexpr (__CUDA_ARCH__ >= 900 || kDigits<Scalar> != 8) {
    return __hgt2_mask(detail::native(a), detail::native(b));
  }
#endif
  uint32_t const low = is_above(detail::low(a), detail::low(b));
  uint32_t const high = is_above(detail::high(a), detail::high(b));
  return ((0 - low) & 0xffffU) | (0 - high) << 16;
}

// Returns a where it is above b, else 0.
__device__ inline float zero_unless_above(float a, float b) { return a > b ? a : 0.0F; }

template <class Scalar>
__device__ inline Pair<Scalar> zero_unless_above(Pair<Scalar> a, Pair<Scalar> b) {
  return {a.bits & all_where_above(a, b)};
}

// Returns the number of [0, 1] nearest to x, or 0 for NaN. This is free after a sum or a product.
__device__ inline float clamped(float x) {
#ifdef __CUDA_ARCH__
  return __saturatef(x);
#else
  return fminf(fmaxf(x, 0.0F), 1.0F);
#endif
}

// Returns a * b + c, rounded once.
__device__ inline float fused(float a, float b, float c) { return fmaf(a, b, c); }

template <class Scalar>
__device__ inline Pair<Scalar> fused(Pair<Scalar> a, Pair<Scalar> b, Pair<Scalar> c) {
#ifdef __CUDA_ARCH__
  if constexpr (__CUDA_ARCH__ >= 800 || kDigits<Scalar> != 8) {
    return detail::pair_of<Scalar>(
        __hfma2(detail::native(a), detail::native(b), detail::native(c)));
  } else {
    return detail::for_halves<Scalar>([](float x, float y, float z) { return fmaf(x, y, z); }, a, b,
                                      c);
  }
#else
  return detail::for_halves<Scalar>([](double x, double y, double z) { return std::fma(x, y, z); },
                                    a, b, c);
#endif
}

__device__ inline float product(float a, float b) { return a * b; }

template <class Scalar>
__device__ inline Pair<Scalar> product(Pair<Scalar> a, Pair<Scalar> b) {
#ifdef __CUDA_ARCH__
  return detail::pair_of<Scalar>(__hmul2(detail::native(a), detail::native(b)));
#else
  return detail::for_halves<Scalar>([](float x, float y) { return x * y; }, a, b);
#endif
}

// Returns a + b, rounded once.
__device__ inline float sum(float a, float b) { return a + b; }

template <class Scalar>
__device__ inline Pair<Scalar> sum(Pair<Scalar> a, Pair<Scalar> b) {
#ifdef __CUDA_ARCH__
  return detail::pair_of<Scalar>(__hadd2(detail::native(a), detail::native(b)));
#else
  return detail::for_halves<Scalar>([](float x, float y) { return x + y; }, a, b);
#endif
}

// Returns the sum of the numbers of a word.
__device__ inline float sum_of_numbers(float x) { return x; }

template <class Scalar>
__device__ inline float sum_of_numbers(Pair<Scalar> x) {
  return detail::low(x) + detail::high(x);
}

// Returns a pair with its halves swapped.
template <class Scalar>
__device__ inline Pair<Scalar> swapped(Pair<Scalar> x) {
  return {x.bits << 16 | x.bits >> 16};
}

// Convert between a word of 32 bits and its bits in memory.
template <class Word>
__device__ inline Word word_from_bits(uint32_t bits) {
  return {bits};
}
template <>
__device__ inline float word_from_bits<float>(uint32_t bits) {
  return rowwise::detail::float_from_bits(bits);
}

template <class Scalar>
__device__ inline uint32_t bits_of_word(Pair<Scalar> word) {
  return word.bits;
}
__device__ inline uint32_t bits_of_word(float word) { return rowwise::detail::bits_of(word); }

// Returns a chunk that repeats a word.
template <class Word>
__device__ inline uint4 chunk_of_words(Word word) {
  if constexpr (sizeof(Word) == 8) {
    uint2 bits;
    memcpy(&bits, &word, sizeof(bits));
    return {bits.x, bits.y, bits.x, bits.y};
  } else {
    uint32_t const bits = bits_of_word(word);
    return {bits, bits, bits, bits};
  }
}

// Returns one of the numbers of a word. They are counted in the order of memory.
template <class Scalar>
__device__ inline float number(Pair<Scalar> word, int half) {
  return half == 0 ? detail::low(word) : detail::high(word);
}
__device__ inline float number(float word, int) { return word; }
__device__ inline double number(double word, int) { return word; }

// Returns a word that repeats x, rounded to the nearest number of the type.
template <class Scalar>
__device__ inline word_t<Scalar> word_of(float x) {
  if constexpr (kPerWord<Scalar> == 1) {
    return x;
  } else {
#ifdef __CUDA_ARCH__
    if constexpr (kDigits<Scalar> == 8) return detail::pair_of<Scalar>(__float2bfloat162_rn(x));
    return detail::pair_of<Scalar>(__float2half2_rn(x));
#else
    return {narrow<Scalar>(x).bits * 0x10001U};
#endif
  }
}

// Returns a word of the given numbers in the order of memory, each rounded to the nearest number of
// the type.
template <class Scalar>
__device__ inline word_t<Scalar> word_of_numbers(float const (&numbers)[kPerWord<Scalar>]) {
  if constexpr (kPerWord<Scalar> == 1) {
    return numbers[0];
  } else {
#ifdef __CUDA_ARCH__
    if constexpr (kDigits<Scalar> == 8) {
      return detail::pair_of<Scalar>(__floats2bfloat162_rn(numbers[0], numbers[1]));
    }
    return detail::pair_of<Scalar>(__floats2half2_rn(numbers[0], numbers[1]));
#else
    return {narrow<Scalar>(numbers[0]).bits | uint32_t{narrow<Scalar>(numbers[1]).bits} << 16};
#endif
  }
}

// Returns the number of the type that is nearest to x.
template <class Scalar>
__device__ inline Scalar nearest(float x) {
  if constexpr (kPerWord<Scalar> == 1) {
    return x;
  } else {
    return {static_cast<uint16_t>(bits_of_word(word_of<Scalar>(x)))};
  }
}

// Returns the largest number of the type that is below x.
template <class Scalar>
__device__ inline Scalar next_below(Scalar x) {
  int const key = selection_key(x);
  // Key 0 is that of 0, and key -1 would be that of -0, which is not below 0.
  return scalar_of<Scalar>(static_cast<key_t<Scalar>>(key == 0 ? -2 : key - 1));
}

// Returns the largest number of the type that is not above x.
template <class Scalar>
__device__ inline Scalar nearest_below(float x) {
  Scalar const result = nearest<Scalar>(x);
  if constexpr (kPerWord<Scalar> == 1) return result;
  return widen(result) > x ? next_below(result) : result;
}

// Returns a word that repeats a number of the type.
template <class Scalar>
__device__ inline word_t<Scalar> repeated(Scalar x) {
  if constexpr (kPerWord<Scalar> == 1) {
    return x;
  } else {
    return {x.bits * 0x10001U};
  }
}

// Converts a weight to a float. Rounding that to the type gives what rounding the weight gives.
template <class Scalar>
__device__ inline float narrowed_to_float(double weight) {
  return kPerWord<Scalar> == 1 ? static_cast<float>(weight) : rowwise::detail::round_to_odd(weight);
}

}  // namespace zeta::rowwise::cuda
