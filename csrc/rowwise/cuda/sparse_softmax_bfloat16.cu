#include "rowwise/cuda/sparse_softmax.cuh"

namespace zeta::rowwise::cuda {

ZETA_INSTANTIATE(BFloat16);

}  // namespace zeta::rowwise::cuda
