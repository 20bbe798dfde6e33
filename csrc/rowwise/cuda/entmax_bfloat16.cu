#include "rowwise/cuda/entmax.cuh"

namespace zeta::rowwise::cuda {

ZETA_INSTANTIATE(BFloat16);

}  // namespace zeta::rowwise::cuda
