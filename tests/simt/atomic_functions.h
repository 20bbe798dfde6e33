#pragma once

#include <concepts>
#include <source_location>
#include <type_traits>

#include "simt/grid.h"

// CUDA's atomics on integers, in global and shared memory. There are none on floating-point
// numbers: their order would enter the results.
namespace zeta::simt {

template <class Value>
concept Atomic = std::same_as<Value, int> || std::same_as<Value, unsigned> ||
                 std::same_as<Value, unsigned long long>;

// Gives `old` back and leaves change(old) in its place.
template <class Value, class Change>
Value update(Value* address, std::source_location where, Change const& change) {
  Grid::current().preempt(where);
  Value const old = *address;
  *address = change(old);
  return old;
}

}  // namespace zeta::simt

template <zeta::simt::Atomic Value>
Value atomicAdd(Value* address, std::type_identity_t<Value> value,
                std::source_location where = std::source_location::current()) {
  using Unsigned = std::make_unsigned_t<Value>;
  return zeta::simt::update(address, where, [&](Value old) {
    return static_cast<Value>(static_cast<Unsigned>(old) + static_cast<Unsigned>(value));
  });
}

template <zeta::simt::Atomic Value>
Value atomicSub(Value* address, std::type_identity_t<Value> value,
                std::source_location where = std::source_location::current()) {
  using Unsigned = std::make_unsigned_t<Value>;
  return zeta::simt::update(address, where, [&](Value old) {
    return static_cast<Value>(static_cast<Unsigned>(old) - static_cast<Unsigned>(value));
  });
}

template <zeta::simt::Atomic Value>
Value atomicMin(Value* address, std::type_identity_t<Value> value,
                std::source_location where = std::source_location::current()) {
  return zeta::simt::update(address, where, [&](Value old) { return value < old ? value : old; });
}

template <zeta::simt::Atomic Value>
Value atomicMax(Value* address, std::type_identity_t<Value> value,
                std::source_location where = std::source_location::current()) {
  return zeta::simt::update(address, where, [&](Value old) { return old < value ? value : old; });
}

template <zeta::simt::Atomic Value>
Value atomicAnd(Value* address, std::type_identity_t<Value> value,
                std::source_location where = std::source_location::current()) {
  return zeta::simt::update(address, where, [&](Value old) { return old & value; });
}

template <zeta::simt::Atomic Value>
Value atomicOr(Value* address, std::type_identity_t<Value> value,
               std::source_location where = std::source_location::current()) {
  return zeta::simt::update(address, where, [&](Value old) { return old | value; });
}

template <zeta::simt::Atomic Value>
Value atomicXor(Value* address, std::type_identity_t<Value> value,
                std::source_location where = std::source_location::current()) {
  return zeta::simt::update(address, where, [&](Value old) { return old ^ value; });
}

template <zeta::simt::Atomic Value>
Value atomicExch(Value* address, std::type_identity_t<Value> value,
                 std::source_location where = std::source_location::current()) {
  return zeta::simt::update(address, where, [&](Value) { return value; });
}

template <zeta::simt::Atomic Value>
Value atomicCAS(Value* address, std::type_identity_t<Value> expected,
                std::type_identity_t<Value> value,
                std::source_location where = std::source_location::current()) {
  return zeta::simt::update(address, where,
                            [&](Value old) { return old == expected ? value : old; });
}

// Counts up, and from `limit` back to 0.
inline unsigned atomicInc(unsigned* address, unsigned limit,
                          std::source_location where = std::source_location::current()) {
  return zeta::simt::update(address, where,
                            [&](unsigned old) { return old >= limit ? 0 : old + 1; });
}
