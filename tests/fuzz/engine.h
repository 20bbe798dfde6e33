#pragma once

#include "check.h"
#include "rowwise/cpu/kernels.h"

// The kernels of each instruction set, past the choice that the engine makes once for a process.
namespace zeta::fuzz {

template <class Scalar>
rowwise::cpu::Kernels<Scalar> baseline_kernels() {
  return rowwise::cpu::baseline::sparse_softmax_kernels<Scalar>();
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
    visit_named("avx2", rowwise::cpu::avx2::sparse_softmax_kernels<Scalar>());
  }
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    visit_named("avx512", rowwise::cpu::avx512::sparse_softmax_kernels<Scalar>());
  }
#endif
}

}  // namespace zeta::fuzz
