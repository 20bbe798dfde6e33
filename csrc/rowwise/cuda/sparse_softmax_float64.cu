#include "rowwise/cuda/sparse_softmax.cuh"

namespace zeta::rowwise::cuda {

ZETA_INSTANTIATE(double);

}  // namespace zeta::rowwise::cuda
