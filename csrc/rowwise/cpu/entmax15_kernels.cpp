// This file is compiled once for each instruction set.
#include "mappings/entmax15.h"
#include "rowwise/cpu/mapping_kernels.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

template Kernels<float> mapping_kernels<mappings::Entmax15, float>();
template Kernels<double> mapping_kernels<mappings::Entmax15, double>();
template Kernels<Float16> mapping_kernels<mappings::Entmax15, Float16>();
template Kernels<BFloat16> mapping_kernels<mappings::Entmax15, BFloat16>();

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
