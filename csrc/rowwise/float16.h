#pragma once

#include <bit>
#include <cstdint>

#include "mappings/host_device.h"
#include "rowwise/export.h"

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#endif

// The two 16-bit formats as plain bits, for compilers and layers that know no such type.
namespace zeta::rowwise {

struct ZETA_ENGINE_API Float16 {
  uint16_t bits;
};

struct ZETA_ENGINE_API BFloat16 {
  uint16_t bits;
};

namespace detail {

ZETA_HOST_DEVICE float float_from_bits(uint32_t bits) {
#ifdef __CUDA_ARCH__
  return __uint_as_float(bits);
#else
  return std::bit_cast<float>(bits);
#endif
}

ZETA_HOST_DEVICE uint32_t bits_of(float x) {
#ifdef __CUDA_ARCH__
  return __float_as_uint(x);
#else
  return std::bit_cast<uint32_t>(x);
#endif
}

// Rounds x to odd: if x is no float, it becomes the next float towards 0, with its last bit set to
// 1. A second rounding to fewer bits then gives what one rounding of x would have given.
ZETA_HOST_DEVICE float round_to_odd(double x) {
#ifdef __CUDA_ARCH__
  float const towards_zero = __double2float_rz(x);
  bool const is_exact = static_cast<double>(towards_zero) == x;
  return float_from_bits(bits_of(towards_zero) | (is_exact ? 0U : 1U));
#else
  auto const nearest = static_cast<float>(x);
  auto const back = static_cast<double>(nearest);
  if (!(back != x) || x != x) return nearest;
  uint32_t bits = bits_of(nearest);
  double const magnitude = x < 0 ? -x : x;
  double const back_magnitude = back < 0 ? -back : back;
  if (back_magnitude > magnitude) --bits;
  return float_from_bits(bits | 1U);
#endif
}

// Does the same by the bits of x, for positive numbers in the range of normal floats.
ZETA_HOST_DEVICE float truncated_to_odd(double x) {
#ifdef __CUDA_ARCH__
  auto const bits = static_cast<uint64_t>(__double_as_longlong(x));
#else
  auto const bits = std::bit_cast<uint64_t>(x);
#endif
  constexpr int kLostDigits = 52 - 23;
  constexpr uint32_t kBias = (1023U - 127U) << 23;
  uint32_t const is_inexact = (bits & ((1U << kLostDigits) - 1)) != 0 ? 1 : 0;
  return float_from_bits((static_cast<uint32_t>(bits >> kLostDigits) - kBias) | is_inexact);
}

}  // namespace detail

// The type in which a row's numbers are compared.
template <class Scalar>
struct Widened {
  using type = float;
};
template <>
struct Widened<double> {
  using type = double;
};
template <class Scalar>
using widened_t = typename Widened<Scalar>::type;

ZETA_HOST_DEVICE double widen(double x) { return x; }
ZETA_HOST_DEVICE float widen(float x) { return x; }

ZETA_HOST_DEVICE float widen(BFloat16 x) {
  return detail::float_from_bits(static_cast<uint32_t>(x.bits) << 16);
}

ZETA_HOST_DEVICE float widen(Float16 x) {
#ifdef __CUDA_ARCH__
  return __half2float(__ushort_as_half(x.bits));
#else
  uint32_t const sign = static_cast<uint32_t>(x.bits & 0x8000U) << 16;
  uint32_t const exponent = (x.bits >> 10) & 0x1fU;
  uint32_t const fraction = x.bits & 0x3ffU;
  if (exponent == 0) {
    float const magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return detail::float_from_bits(sign | detail::bits_of(magnitude));
  }
  uint32_t const widened_exponent = exponent == 31 ? 255 : exponent + (127 - 15);
  return detail::float_from_bits(sign | (widened_exponent << 23) | (fraction << 13));
#endif
}

// Rounds once, to the nearest, ties to even.
template <class Scalar>
ZETA_HOST_DEVICE Scalar narrow(double x);

template <>
ZETA_HOST_DEVICE double narrow<double>(double x) {
  return x;
}

template <>
ZETA_HOST_DEVICE float narrow<float>(double x) {
  return static_cast<float>(x);
}

template <>
ZETA_HOST_DEVICE BFloat16 narrow<BFloat16>(double x) {
  float const rounded = detail::round_to_odd(x);
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  unsigned short const narrowed = __bfloat16_as_ushort(__float2bfloat16_rn(rounded));
  return {rounded == rounded ? narrowed : static_cast<uint16_t>(0x7fc0)};
#endif
  if (rounded != rounded) return {0x7fc0};
  uint32_t const bits = detail::bits_of(rounded);
  return {static_cast<uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16)};
}

template <>
ZETA_HOST_DEVICE Float16 narrow<Float16>(double x) {
  float const rounded = detail::round_to_odd(x);
#ifdef __CUDA_ARCH__
  return {__half_as_ushort(__float2half_rn(rounded))};
#else
  uint32_t const bits = detail::bits_of(rounded);
  auto const sign = static_cast<uint16_t>((bits >> 16) & 0x8000U);
  uint32_t const magnitude = bits & 0x7fffffffU;
  uint32_t result = 0;
  if (magnitude > 0x7f800000U) {
    result = 0x7e00;
  } else if (magnitude >= 0x47800000U) {  // 2^16 and above
    result = 0x7c00;
  } else if (magnitude < 0x38800000U) {  // below 2^-14: a multiple of 2^-24, rounded by the sum
    result = detail::bits_of(detail::float_from_bits(magnitude) + 0.5F) - 0x3f000000U;
  } else {
    uint32_t const rebased = magnitude - ((127U - 15U) << 23);
    result = (rebased + 0xfffU + ((rebased >> 13) & 1U)) >> 13;
  }
  return {static_cast<uint16_t>(sign | result)};
#endif
}

}  // namespace zeta::rowwise
