// This file is compiled once for each instruction set.
#include "mappings/sparse_softmax.h"
#include "rowwise/cpu/backward/from_support.h"
#include "rowwise/cpu/backward/from_weights.h"
#include "rowwise/cpu/forward/any_strides.h"
#include "rowwise/cpu/forward/split_row.h"
#include "rowwise/cpu/forward/with_support.h"
#include "rowwise/cpu/kernels.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

template <class Scalar>
Kernels<Scalar> sparse_softmax_kernels() {
  return {forward<mappings::SparseSoftmax, Scalar>, forward_split<mappings::SparseSoftmax, Scalar>,
          backward<mappings::SparseSoftmax, Scalar>,
          forward_with_support<mappings::SparseSoftmax, Scalar>,
          support_backward<mappings::SparseSoftmax, Scalar>};
}

template Kernels<float> sparse_softmax_kernels();
template Kernels<double> sparse_softmax_kernels();
template Kernels<Float16> sparse_softmax_kernels();
template Kernels<BFloat16> sparse_softmax_kernels();

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
