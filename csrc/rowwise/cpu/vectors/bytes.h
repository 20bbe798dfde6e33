#pragma once

#include <cstdint>
#include <cstring>

#include "rowwise/cpu/vectors/vector.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

#ifdef __SSE2__
// Loads `Bytes` bytes into the low part of a register.
template <int Bytes>
inline __m128i load_low(uint8_t const* source) {
  if constexpr (Bytes == 16) {
    return _mm_loadu_si128(reinterpret_cast<__m128i const*>(source));
  } else if constexpr (Bytes == 8) {
    return _mm_loadl_epi64(reinterpret_cast<__m128i const*>(source));
  } else {
    int32_t word = 0;
    std::memcpy(&word, source, Bytes);
    return _mm_cvtsi32_si128(word);
  }
}
#endif

// Loads a byte for each lane. GCC 12 takes several instructions a lane where it is left to itself.
template <class Element>
inline Vector<Element> load_bytes(uint8_t const* source) {
#if defined(__AVX512BW__)
  if constexpr (sizeof(Element) == 2) {
    auto const bytes = _mm256_loadu_si256(reinterpret_cast<__m256i const*>(source));
    return reinterpret_cast<Vector<Element>>(_mm512_maskz_cvtepu8_epi16(0xffffffff, bytes));
  } else if constexpr (sizeof(Element) == 4) {
    return reinterpret_cast<Vector<Element>>(
        _mm512_maskz_cvtepu8_epi32(0xffff, load_low<16>(source)));
  } else {
    return reinterpret_cast<Vector<Element>>(_mm512_maskz_cvtepu8_epi64(0xff, load_low<8>(source)));
  }
#elif defined(__AVX2__)
  auto const bytes = load_low<kLanes<Element>>(source);
  __m256i lanes;
  if constexpr (sizeof(Element) == 2) lanes = _mm256_cvtepu8_epi16(bytes);
  if constexpr (sizeof(Element) == 4) lanes = _mm256_cvtepu8_epi32(bytes);
  if constexpr (sizeof(Element) == 8) lanes = _mm256_cvtepu8_epi64(bytes);
  return reinterpret_cast<Vector<Element>>(lanes);
#elif defined(__SSE2__)
  auto lanes = _mm_unpacklo_epi8(load_low<kLanes<Element>>(source), __m128i{});
  if constexpr (sizeof(Element) >= 4) lanes = _mm_unpacklo_epi16(lanes, __m128i{});
  if constexpr (sizeof(Element) == 8) lanes = _mm_unpacklo_epi32(lanes, __m128i{});
  return reinterpret_cast<Vector<Element>>(lanes);
#else
  Vector<Element> result;
  for (int lane = 0; lane < kLanes<Element>; ++lane) result[lane] = source[lane];
  return result;
#endif
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
