#include "rowwise/cuda/entmax.cuh"

namespace zeta::rowwise::cuda {

ZETA_INSTANTIATE(Float16);

}  // namespace zeta::rowwise::cuda
