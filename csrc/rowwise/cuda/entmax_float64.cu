#include "rowwise/cuda/entmax.cuh"

namespace zeta::rowwise::cuda {

ZETA_INSTANTIATE(double);

}  // namespace zeta::rowwise::cuda
