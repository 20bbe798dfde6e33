#pragma once

#include <bit>

// CUDA's functions of one thread: bits, conversions, and accesses with a hint for the caches.

inline int __popc(unsigned x) { return std::popcount(x); }
inline int __popcll(unsigned long long x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __clzll(long long x) { return std::countl_zero(static_cast<unsigned long long>(x)); }

// Return the position of the lowest bit that is set, counted from 1, or 0 if none is set.
inline int __ffs(int x) { return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1; }
inline int __ffsll(long long x) {
  return x == 0 ? 0 : std::countr_zero(static_cast<unsigned long long>(x)) + 1;
}

inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
inline double __longlong_as_double(long long x) { return std::bit_cast<double>(x); }

template <class Value>
Value __ldg(Value const* address) {
  return *address;
}
template <class Value>
Value __ldcs(Value const* address) {
  return *address;
}
template <class Value>
Value __ldcg(Value const* address) {
  return *address;
}
template <class Value>
void __stcs(Value* address, Value value) {
  *address = value;
}
template <class Value>
void __stcg(Value* address, Value value) {
  *address = value;
}
