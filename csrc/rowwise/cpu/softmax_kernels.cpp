// This file is compiled once for each instruction set.
#include "mappings/softmax.h"
#include "rowwise/cpu/mapping_kernels.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

template Kernels<float> mapping_kernels<mappings::Softmax, float>();
template Kernels<double> mapping_kernels<mappings::Softmax, double>();
template Kernels<Float16> mapping_kernels<mappings::Softmax, Float16>();
template Kernels<BFloat16> mapping_kernels<mappings::Softmax, BFloat16>();

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
