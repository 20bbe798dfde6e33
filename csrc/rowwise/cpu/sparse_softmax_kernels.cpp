// This file is compiled once for each instruction set.
#include "mappings/sparse_softmax.h"
#include "rowwise/cpu/mapping_kernels.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

template Kernels<float> mapping_kernels<mappings::SparseSoftmax, float>();
template Kernels<double> mapping_kernels<mappings::SparseSoftmax, double>();
template Kernels<Float16> mapping_kernels<mappings::SparseSoftmax, Float16>();
template Kernels<BFloat16> mapping_kernels<mappings::SparseSoftmax, BFloat16>();

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
