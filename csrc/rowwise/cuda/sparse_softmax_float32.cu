#include "rowwise/cuda/sparse_softmax.cuh"

namespace zeta::rowwise::cuda {

ZETA_INSTANTIATE(float);

}  // namespace zeta::rowwise::cuda
