#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "mappings/host_device.h"
#include "rowwise/float16.h"

// A key is an integer for a floating-point number, and keys have the order of their numbers.
// Vectors and warps compare and reduce integers without branches. The key of a NaN, which compares
// false with every number, lies beyond that of the infinity of its sign.
namespace zeta::rowwise {

template <class Scalar>
struct KeyOf;
template <>
struct KeyOf<Float16> {
  using type = int16_t;
};
template <>
struct KeyOf<BFloat16> {
  using type = int16_t;
};
template <>
struct KeyOf<float> {
  using type = int32_t;
};
template <>
struct KeyOf<double> {
  using type = int64_t;
};
template <class Scalar>
using key_t = typename KeyOf<Scalar>::type;

// The least and the greatest key, which are those of NaNs. They are constants because device code
// cannot call the functions of numeric_limits.
template <class Key>
inline constexpr Key kLeast = std::numeric_limits<Key>::min();
template <class Key>
inline constexpr Key kGreatest = std::numeric_limits<Key>::max();

namespace detail {

ZETA_HOST_DEVICE int16_t signed_bits(Float16 x) { return static_cast<int16_t>(x.bits); }
ZETA_HOST_DEVICE int16_t signed_bits(BFloat16 x) { return static_cast<int16_t>(x.bits); }
ZETA_HOST_DEVICE int32_t signed_bits(float x) { return static_cast<int32_t>(bits_of(x)); }
ZETA_HOST_DEVICE int64_t signed_bits(double x) {
#ifdef __CUDA_ARCH__
  return __double_as_longlong(x);
#else
  return std::bit_cast<int64_t>(x);
#endif
}

template <class Scalar>
ZETA_HOST_DEVICE Scalar from_signed_bits(key_t<Scalar> bits) {
  return {static_cast<uint16_t>(bits)};
}
template <>
ZETA_HOST_DEVICE float from_signed_bits<float>(int32_t bits) {
  return float_from_bits(static_cast<uint32_t>(bits));
}
template <>
ZETA_HOST_DEVICE double from_signed_bits<double>(int64_t bits) {
#ifdef __CUDA_ARCH__
  return __longlong_as_double(bits);
#else
  return std::bit_cast<double>(bits);
#endif
}

// Reverses the order of the magnitudes of negative numbers. It is its own inverse.
template <class Key>
ZETA_HOST_DEVICE constexpr Key reorder(Key bits) {
  constexpr int kSignShift = 8 * sizeof(Key) - 1;
  constexpr Key kMagnitude = static_cast<Key>(~(Key{1} << kSignShift));
  return static_cast<Key>(bits ^ ((bits >> kSignShift) & kMagnitude));
}

}  // namespace detail

template <class Scalar>
ZETA_HOST_DEVICE key_t<Scalar> key_of(Scalar x) {
  return detail::reorder(detail::signed_bits(x));
}

template <class Scalar>
ZETA_HOST_DEVICE Scalar scalar_of(key_t<Scalar> key) {
  return detail::from_signed_bits<Scalar>(detail::reorder(key));
}

template <class Scalar>
ZETA_HOST_DEVICE Scalar least_finite() {
  return scalar_of<Scalar>(key_of(narrow<Scalar>(-static_cast<double>(INFINITY))) + 1);
}

// Returns the same as key_of, but one key for -0.0 and +0.0.
template <class Scalar>
ZETA_HOST_DEVICE key_t<Scalar> selection_key(Scalar x) {
  auto const key = key_of(x);
  return key == -1 ? key_t<Scalar>{0} : key;
}

// Returns x, but for a NaN of negative sign the NaN with the greatest key. So the key of every
// returned NaN is above that of infinity.
template <class Scalar>
ZETA_HOST_DEVICE Scalar with_greatest_nan(Scalar x) {
  key_t<Scalar> const minus_infinity = key_of(narrow<Scalar>(-static_cast<double>(INFINITY)));
  return key_of(x) < minus_infinity ? scalar_of<Scalar>(kGreatest<key_t<Scalar>>) : x;
}

// The smallest and the largest key of a row tell its maximum and whether the row is ordinary.
template <class Scalar>
struct KeyRange {
  key_t<Scalar> smallest;
  key_t<Scalar> largest;

  // The range of no keys.
  ZETA_HOST_DEVICE static KeyRange empty() {
    return {kGreatest<key_t<Scalar>>, kLeast<key_t<Scalar>>};
  }

  ZETA_HOST_DEVICE static KeyRange of(Scalar x) {
    key_t<Scalar> const key = key_of(x);
    return {key, key};
  }

  ZETA_HOST_DEVICE void add(KeyRange other) {
    smallest = other.smallest < smallest ? other.smallest : smallest;
    largest = other.largest > largest ? other.largest : largest;
  }

  // Whether the row has no NaN, no +inf and an entry other than -inf.
  ZETA_HOST_DEVICE bool is_ordinary() const {
    key_t<Scalar> const infinity = key_of(narrow<Scalar>(static_cast<double>(INFINITY)));
    key_t<Scalar> const minus_infinity = key_of(narrow<Scalar>(-static_cast<double>(INFINITY)));
    return smallest >= minus_infinity && largest > minus_infinity && largest < infinity;
  }

  ZETA_HOST_DEVICE widened_t<Scalar> maximum() const { return widen(scalar_of<Scalar>(largest)); }
};

}  // namespace zeta::rowwise
