#include "rowwise/cuda/largest.cuh"
#include "rowwise/cuda/largest.h"

namespace zeta::rowwise::cuda {

template <class Scalar>
cudaError_t largest(RowGeometry<2> const& geometry, int64_t* columns, Scalar const* entries,
                    int64_t count, cudaStream_t stream) {
  return launch_largest(geometry, columns, entries, count, stream);
}

template <class Scalar>
cudaError_t largest_masked(RowGeometry<3> const& geometry, int64_t* columns, Scalar const* entries,
                           MaskEntry const* mask, int64_t count, cudaStream_t stream) {
  return launch_largest_masked(geometry, columns, entries, mask, count, stream);
}

#define ZETA_INSTANTIATE(Scalar)                                                                \
  template cudaError_t largest<Scalar>(RowGeometry<2> const&, int64_t*, Scalar const*, int64_t, \
                                       cudaStream_t);                                           \
  template cudaError_t largest_masked<Scalar>(RowGeometry<3> const&, int64_t*, Scalar const*,   \
                                              MaskEntry const*, int64_t, cudaStream_t)

ZETA_INSTANTIATE(float);
ZETA_INSTANTIATE(double);
ZETA_INSTANTIATE(Float16);
ZETA_INSTANTIATE(BFloat16);

}  // namespace zeta::rowwise::cuda
