#pragma once

#include "check.h"
#include "mappings/family.h"
#include "rowwise/cpu/kernels.h"

// The kernels of each instruction set, past the choice that the engine makes once for a process.
namespace zeta::fuzz {

template <class Scalar>
rowwise::cpu::Kernels<Scalar> baseline_kernels(double alpha) {
  return mappings::with_mapping(alpha, []<template <class> class MappingOf>() {
    return rowwise::cpu::baseline::mapping_kernels<MappingOf, Scalar>();
  });
}

// Calls visit(kernels) for each instruction set that this processor has.
template <class Scalar, class Visit>
void for_each_capability(double alpha, Visit const& visit) {
  auto const visit_named = [&](char const* name, rowwise::cpu::Kernels<Scalar> const& kernels) {
    in_context([&] { visit(kernels); }, "with ", name);
  };
  visit_named("baseline", baseline_kernels<Scalar>(alpha));
#ifdef __x86_64__
  mappings::with_mapping(alpha, [&]<template <class> class MappingOf>() {
    if (__builtin_cpu_supports("avx2")) {
      visit_named("avx2", rowwise::cpu::avx2::mapping_kernels<MappingOf, Scalar>());
    }
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")) {
      visit_named("avx512", rowwise::cpu::avx512::mapping_kernels<MappingOf, Scalar>());
    }
  });
#endif
}

}  // namespace zeta::fuzz
