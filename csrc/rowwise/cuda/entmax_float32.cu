#include "rowwise/cuda/entmax.cuh"

namespace zeta::rowwise::cuda {

ZETA_INSTANTIATE(float);

}  // namespace zeta::rowwise::cuda
