#pragma once

#include "check.h"
#include "mappings/sparse_softmax.h"
#include "rowwise/cpu/kernels.h"

// The kernels of each instruction set, past the choice that the engine makes once for a process.
namespace zeta::fuzz {

inline constexpr double kAlpha = 2;  // of the sparse softmax

template <class Scalar>
rowwise::cpu::Kernels<Scalar> baseline_kernels() {
  return rowwise::cpu::baseline::mapping_kernels<mappings::SparseSoftmax, Scalar>();
}

// Calls visit(kernels) for each instruction set that this processor has.
template <class Scalar, class Visit>
void for_each_capability(Visit const& visit) {
  auto const visit_named = [&](char const* name, rowwise::cpu::Kernels<Scalar> const& kernels) {
    in_context([&] { visit(kernels); }, "with ", name);
  };
  visit_named("baseline", baseline_kernels<Scalar>());
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2")) {
    visit_named("avx2", rowwise::cpu::avx2::mapping_kernels<mappings::SparseSoftmax, Scalar>());
  }
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    visit_named("avx512", rowwise::cpu::avx512::mapping_kernels<mappings::SparseSoftmax, Scalar>());
  }
#endif
}

}  // namespace zeta::fuzz
