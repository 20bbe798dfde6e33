#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/vector.h"

// Packs the lanes of a vector of floats that a mask selects side by side, and unpacks them.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

#if defined(__AVX2__) && !defined(__AVX512BW__)
namespace detail {

// For each mask of 8 lanes: a byte per lane of the result, which holds the lane that it comes from.
struct LaneTables {
  std::array<uint64_t, 256> compressed{};
  std::array<uint64_t, 256> expanded{};  // 0x80 for the lanes left out
};

constexpr LaneTables make_lane_tables() {
  LaneTables tables;
  for (unsigned mask = 0; mask < 256; ++mask) {
    uint64_t taken = 0;
    for (unsigned lane = 0; lane < 8; ++lane) {
      bool const is_in = (mask >> lane & 1U) != 0;
      tables.expanded[mask] |= (is_in ? taken : uint64_t{0x80}) << (8 * lane);
      if (is_in) tables.compressed[mask] |= uint64_t{lane} << (8 * taken++);
    }
  }
  return tables;
}

inline constexpr LaneTables kLaneTables = make_lane_tables();

inline __m256i lanes_of(uint64_t bytes) {
  return _mm256_cvtepi8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(bytes)));
}

}  // namespace detail
#endif

// Stores the lanes of the mask side by side. May write anything after them, up to a whole vector.
inline void compress(float* destination, Floats vector, LaneBits mask) {
#if defined(__AVX512BW__)
  store(destination, _mm512_maskz_compress_ps(mask, reinterpret_cast<__m512>(vector)));
#elif defined(__AVX2__)
  auto const lanes = detail::lanes_of(detail::kLaneTables.compressed[mask]);
  store(destination, _mm256_permutevar8x32_ps(reinterpret_cast<__m256>(vector), lanes));
#else
  for (unsigned rest = mask; rest != 0; rest &= rest - 1) {
    *destination++ = vector[std::countr_zero(rest)];
  }
#endif
}

// Loads numbers that lie side by side into the lanes of the mask, and 0 into the others. A whole
// vector must be readable.
inline Floats expand(float const* source, LaneBits mask) {
#if defined(__AVX512BW__)
  return reinterpret_cast<Floats>(
      _mm512_maskz_expand_ps(mask, reinterpret_cast<__m512>(load<float>(source))));
#elif defined(__AVX2__)
  auto const lanes = detail::lanes_of(detail::kLaneTables.expanded[mask]);
  auto const numbers =
      _mm256_permutevar8x32_ps(reinterpret_cast<__m256>(load<float>(source)), lanes);
  auto const left_out = _mm256_castsi256_ps(_mm256_srai_epi32(lanes, 31));
  return reinterpret_cast<Floats>(_mm256_andnot_ps(left_out, numbers));
#else
  Floats result = {};
  for (unsigned rest = mask; rest != 0; rest &= rest - 1) {
    result[std::countr_zero(rest)] = *source++;
  }
  return result;
#endif
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
