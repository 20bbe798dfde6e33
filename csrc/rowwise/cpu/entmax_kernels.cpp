// This file is compiled once for each instruction set.
#include "mappings/entmax.h"
#include "rowwise/cpu/mapping_kernels.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

template Kernels<float> mapping_kernels<mappings::Entmax, float>();
template Kernels<double> mapping_kernels<mappings::Entmax, double>();
template Kernels<Float16> mapping_kernels<mappings::Entmax, Float16>();
template Kernels<BFloat16> mapping_kernels<mappings::Entmax, BFloat16>();

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
