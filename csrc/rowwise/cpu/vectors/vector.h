#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#ifdef __SSE2__
#include <immintrin.h>
#endif

// This file and those that include it are compiled once for each instruction set, into a namespace
// of its own, so that no linker can put the code of one in the place of another's.
#ifndef ZETA_CAPABILITY
#define ZETA_CAPABILITY baseline
#endif

// Vectors of the instruction set's width. Arithmetic and comparisons are the compiler's own vector
// operators; only what these lack is spelt out here.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

#if defined(__AVX512BW__)
inline constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
inline constexpr int kVectorBytes = 32;
#else
inline constexpr int kVectorBytes = 16;
#endif

inline constexpr int64_t kLineBytes = 64;  // of a cache

template <class Element>
struct VectorOf {
  typedef Element type __attribute__((vector_size(kVectorBytes)));
};
template <class Element>
using Vector = typename VectorOf<Element>::type;

template <class Element>
inline constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(Element));

template <class Element>
inline Vector<Element> broadcast(Element x) {
  return x - Vector<Element>{};
}

template <class Element>
inline Vector<Element> load(void const* source) {
  Vector<Element> result;
  std::memcpy(&result, source, sizeof(result));
  return result;
}

template <class VectorType>
inline void store(void* destination, VectorType const& vector) {
  std::memcpy(destination, &vector, sizeof(vector));
}

// Loads a vector whose halves lie apart in memory.
template <class Element>
inline Vector<Element> load_halves(void const* low, void const* high) {
#if defined(__AVX512BW__)
  __m256i halves[2];
  std::memcpy(&halves[0], low, sizeof(__m256i));
  std::memcpy(&halves[1], high, sizeof(__m256i));
  return reinterpret_cast<Vector<Element>>(
      _mm512_maskz_inserti64x4(0xff, _mm512_castsi256_si512(halves[0]), halves[1], 1));
#elif defined(__AVX2__)
  __m128i halves[2];
  std::memcpy(&halves[0], low, sizeof(__m128i));
  std::memcpy(&halves[1], high, sizeof(__m128i));
  return reinterpret_cast<Vector<Element>>(
      _mm256_inserti128_si256(_mm256_castsi128_si256(halves[0]), halves[1], 1));
#else
  Vector<Element> result;
  std::memcpy(&result, low, kVectorBytes / 2);
  std::memcpy(reinterpret_cast<char*>(&result) + kVectorBytes / 2, high, kVectorBytes / 2);
  return result;
#endif
}

// a > b ? a : b, in one instruction. For integers GCC 12 finds that instruction by itself.
template <class VectorType>
inline VectorType larger(VectorType a, VectorType b) {
  if constexpr (sizeof(a) == kVectorBytes && std::is_same_v<VectorType, Vector<float>>) {
#if defined(__AVX512BW__)
    return reinterpret_cast<VectorType>(
        _mm512_maskz_max_ps(0xffff, reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b)));
#elif defined(__AVX2__)
    return reinterpret_cast<VectorType>(
        _mm256_max_ps(reinterpret_cast<__m256>(a), reinterpret_cast<__m256>(b)));
#elif defined(__SSE2__)
    return reinterpret_cast<VectorType>(
        _mm_max_ps(reinterpret_cast<__m128>(a), reinterpret_cast<__m128>(b)));
#endif
  }
  return a > b ? a : b;
}

template <class VectorType>
inline VectorType smaller(VectorType a, VectorType b) {
  if constexpr (sizeof(a) == kVectorBytes && std::is_same_v<VectorType, Vector<float>>) {
#if defined(__AVX512BW__)
    return reinterpret_cast<VectorType>(
        _mm512_maskz_min_ps(0xffff, reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b)));
#elif defined(__AVX2__)
    return reinterpret_cast<VectorType>(
        _mm256_min_ps(reinterpret_cast<__m256>(a), reinterpret_cast<__m256>(b)));
#elif defined(__SSE2__)
    return reinterpret_cast<VectorType>(
        _mm_min_ps(reinterpret_cast<__m128>(a), reinterpret_cast<__m128>(b)));
#endif
  }
  return a < b ? a : b;
}

namespace detail {

template <int Distance, class VectorType, int... Lane>
inline VectorType exchange_lanes(VectorType vector, std::integer_sequence<int, Lane...>) {
  return __builtin_shufflevector(vector, vector, (Lane ^ Distance)...);
}

template <int Distance, class Element, class Combine>
inline Element reduce_lanes(Vector<Element> vector, Combine const& combine) {
  if constexpr (Distance == 0) {
    return vector[0];
  } else {
    using Lanes = std::make_integer_sequence<int, kLanes<Element>>;
    vector = combine(vector, exchange_lanes<Distance>(vector, Lanes()));
    return reduce_lanes<Distance / 2, Element>(vector, combine);
  }
}

}  // namespace detail

template <class Element>
inline Element sum_of_lanes(Vector<Element> const& vector) {
  return detail::reduce_lanes<kLanes<Element> / 2, Element>(
      vector, [](auto const& a, auto const& b) { return a + b; });
}

template <class Element>
inline Element smallest_of_lanes(Vector<Element> const& vector) {
  return detail::reduce_lanes<kLanes<Element> / 2, Element>(
      vector, [](auto const& a, auto const& b) { return smaller(a, b); });
}

template <class Element>
inline Element largest_of_lanes(Vector<Element> const& vector) {
  return detail::reduce_lanes<kLanes<Element> / 2, Element>(
      vector, [](auto const& a, auto const& b) { return larger(a, b); });
}

// The mask of the first `count` lanes, in the form that a comparison gives.
template <class Element>
inline auto first_lanes(int64_t count) {
  Vector<Element> lanes;
  for (int lane = 0; lane < kLanes<Element>; ++lane) lanes[lane] = static_cast<Element>(lane);
  return lanes < broadcast<Element>(static_cast<Element>(count));
}

// The lanes in which a >= b, as a bit mask: the first lane is the lowest bit.
template <class Element>
inline uint64_t lanes_at_least(Vector<Element> a, Vector<Element> b) {
#if defined(__AVX512BW__)
  uint32_t mask = 0;
  if constexpr (std::is_same_v<Element, float>) {
    mask = _mm512_cmp_ps_mask(reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b), _CMP_GE_OQ);
  } else {
    auto const x = reinterpret_cast<__m512i>(a);
    auto const y = reinterpret_cast<__m512i>(b);
    if constexpr (sizeof(Element) == 2) mask = _mm512_cmpge_epi16_mask(x, y);
    if constexpr (sizeof(Element) == 4) mask = _mm512_cmpge_epi32_mask(x, y);
    if constexpr (sizeof(Element) == 8) mask = _mm512_cmpge_epi64_mask(x, y);
  }
  // The mask goes through a general register, since GCC 12 has been seen to spill it as 16 bits and
  // to load it as 64.
  asm("" : "+r"(mask));
  return mask;
#elif defined(__AVX2__)
  auto const lanes = reinterpret_cast<__m256i>(a >= b);
  if constexpr (sizeof(Element) == 2) {
    auto const halves = _mm256_permute4x64_epi64(_mm256_packs_epi16(lanes, __m256i{}), 0x08);
    return static_cast<uint32_t>(_mm_movemask_epi8(_mm256_castsi256_si128(halves)));
  } else if constexpr (sizeof(Element) == 4) {
    return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(lanes)));
  } else {
    return static_cast<uint32_t>(_mm256_movemask_pd(_mm256_castsi256_pd(lanes)));
  }
#elif defined(__SSE2__)
  auto const lanes = reinterpret_cast<__m128i>(a >= b);
  if constexpr (sizeof(Element) == 2) {
    return static_cast<uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(lanes, __m128i{})));
  } else if constexpr (sizeof(Element) == 4) {
    return static_cast<uint32_t>(_mm_movemask_ps(_mm_castsi128_ps(lanes)));
  } else {
    return static_cast<uint32_t>(_mm_movemask_pd(_mm_castsi128_pd(lanes)));
  }
#else
  auto const lanes = a >= b;
  uint64_t mask = 0;
  for (int lane = 0; lane < kLanes<Element>; ++lane) {
    if (lanes[lane] != 0) mask |= uint64_t{1} << lane;
  }
  return mask;
#endif
}

// The lanes that are not 0, as a bit mask. Elements are integers of 8 or 16 bits.
template <class Element>
inline uint64_t lanes_not_zero(Vector<Element> x) {
#if defined(__AVX512BW__)
  auto const bits = reinterpret_cast<__m512i>(x);
  uint64_t mask = 0;
  if constexpr (sizeof(Element) == 1) mask = _mm512_test_epi8_mask(bits, bits);
  if constexpr (sizeof(Element) == 2) mask = _mm512_test_epi16_mask(bits, bits);
  asm("" : "+r"(mask));  // see lanes_at_least()
  return mask;
#elif defined(__AVX2__)
  static_assert(sizeof(Element) == 1);
  return static_cast<uint32_t>(_mm256_movemask_epi8(reinterpret_cast<__m256i>(x != 0)));
#elif defined(__SSE2__)
  static_assert(sizeof(Element) == 1);
  return static_cast<uint32_t>(_mm_movemask_epi8(reinterpret_cast<__m128i>(x != 0)));
#else
  uint64_t mask = 0;
  for (int lane = 0; lane < kLanes<Element>; ++lane) {
    if (x[lane] != 0) mask |= uint64_t{1} << lane;
  }
  return mask;
#endif
}

// A bit mask of the lanes of a vector of floats.
using LaneBits = std::conditional_t<kLanes<float> == 16, uint16_t, uint8_t>;

// Calls visit(lane) for each lane of a mask, in order.
template <class Visit>
inline void for_each_lane(uint64_t mask, Visit const& visit) {
  for (; mask != 0; mask &= mask - 1) visit(std::countr_zero(mask));
}

// Non-temporal stores of aligned vectors or 64-byte lines. Other threads may read them after
// stream_fence().
template <class VectorType>
inline void stream(void* destination, VectorType const& vector) {
#if defined(__AVX512BW__)
  _mm512_stream_si512(static_cast<__m512i*>(destination), reinterpret_cast<__m512i>(vector));
#elif defined(__AVX2__)
  _mm256_stream_si256(static_cast<__m256i*>(destination), reinterpret_cast<__m256i>(vector));
#elif defined(__SSE2__)
  _mm_stream_si128(static_cast<__m128i*>(destination), reinterpret_cast<__m128i>(vector));
#else
  store(destination, vector);
#endif
}

inline void stream_line(void* destination, void const* source) {
  for (int byte = 0; byte < 64; byte += kVectorBytes) {
    stream(static_cast<char*>(destination) + byte,
           load<int32_t>(static_cast<char const*>(source) + byte));
  }
}

inline void stream_zero_line(void* destination) {
  alignas(64) static constexpr char kZeros[64] = {};
  stream_line(destination, kZeros);
}

inline void stream_fence() {
#ifdef __SSE2__
  _mm_sfence();
#endif
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
