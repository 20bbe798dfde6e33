#pragma once

#include <vector>

#include "mappings/family.h"
#include "rowwise/cpu/capability.h"
#include "rowwise/cpu/kernels.h"

namespace zeta::rowwise {

// The kernels of each instruction set that this machine has.
template <class Scalar>
std::vector<cpu::Kernels<Scalar>> kernels_of_this_machine(double alpha) {
  return mappings::with_mapping(alpha, []<template <class> class MappingOf>() {
    std::vector result = {cpu::baseline::mapping_kernels<MappingOf, Scalar>()};
#ifdef __x86_64__
    auto const highest = cpu::highest_capability();
    if (highest >= cpu::Capability::kAvx2) {
      result.push_back(cpu::avx2::mapping_kernels<MappingOf, Scalar>());
    }
    if (highest >= cpu::Capability::kAvx512) {
      result.push_back(cpu::avx512::mapping_kernels<MappingOf, Scalar>());
    }
#endif
    return result;
  });
}

}  // namespace zeta::rowwise
